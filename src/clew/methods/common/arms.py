"""The statistics of a Monte Carlo tree and the rules that choose where it grows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from clew.methods.common.solutions import Bounds
from clew.tree import Node

Backup = Literal["mean", "max"]


class Arm:
    """A node of the tree with what the search knows of it.

    step: the node as it was sampled.
    node: where it goes on, which is another one once something was inserted there.
    prior: the model's own probability of the step.
    value: what its evaluation said of it.
    visits: values backed up through it; total: their sum; best: the greatest of them.
    pending: simulations in flight below it (virtual loss).
    widened: how often it was given further steps after its first ones.
    closed: whether selection passes it by: it is finished, or all below it is.
    """

    __slots__ = (
        "best",
        "children",
        "closed",
        "node",
        "parent",
        "pending",
        "prior",
        "step",
        "total",
        "value",
        "visits",
        "widened",
    )

    def __init__(self, node: Node, parent: Arm | None = None, prior: float = 1.0) -> None:
        self.step = self.node = node
        self.parent = parent
        self.prior = prior
        self.children: list[Arm] = []
        self.widened = 0
        self.visits = 0
        self.total = 0.0
        self.best = -math.inf
        self.pending = 0
        self.value = 0.0
        self.closed = False

    def path(self) -> Iterator[Arm]:
        """This arm, its parent, … up to the root."""
        arm: Arm | None = self
        while arm is not None:
            yield arm
            arm = arm.parent

    def begin(self) -> None:
        """Its own value is its first visit, which nothing above it sees."""
        self.visits, self.total, self.best = 1, self.value, self.value

    def back_up(self, value: float) -> None:
        """One more value, seen from here and from everything above."""
        for arm in self.path():
            arm.visits += 1
            arm.total += value
            arm.best = max(arm.best, value)

    def close(self) -> None:
        """Selection passes it by from now on; and what is above it, once that holds for all its children."""
        self.closed = True
        above = self.parent
        while above is not None and all(child.closed for child in above.children):
            above.closed = True
            above = above.parent

    def reopen(self) -> None:
        """It got children that may go on: selection comes by again, here and all the way down to here."""
        for arm in self.path():
            arm.closed = False

    def quality(self, bounds: Bounds, backup: Backup) -> float:
        """Q in [0, 1]. Each simulation in flight counts as a visit that was worth nothing (virtual loss)."""
        if not self.visits:
            return 0.0
        q = bounds.scaled(self.total / self.visits if backup == "mean" else self.best)
        return q * self.visits / (self.visits + self.pending)


Rule = Callable[[Arm, float, Bounds, Backup], float]


def uct(arm: Arm, explore: float, bounds: Bounds, backup: Backup) -> float:
    """Q + c·√(ln N(parent) / N) (Kocsis and Szepesvári 2006; arXiv:2408.00724, eq. 18)."""
    assert arm.parent is not None
    n = arm.visits + arm.pending
    if not n:
        return math.inf
    above = max(1, arm.parent.visits + arm.parent.pending)
    return arm.quality(bounds, backup) + explore * math.sqrt(math.log(above) / n)


def puct(arm: Arm, explore: float, bounds: Bounds, backup: Backup) -> float:
    """Q + c·P·√N(parent) / (1 + N) (arXiv:2405.03553, section 3.3; P is not normalised, as in the authors' code)."""
    assert arm.parent is not None
    above = arm.parent.visits + arm.parent.pending
    return arm.quality(bounds, backup) + explore * arm.prior * math.sqrt(above) / (1 + arm.visits + arm.pending)


RULES: dict[str, tuple[Rule, float]] = {"uct": (uct, math.sqrt(2)), "puct": (puct, 0.75)}
"""By name: the rule and its usual constant (UCB1's √2, for values in [0, 1]; half of AlphaMath's 1.5, since its values
are in [-1, 1], twice as wide)."""


WIDEN = 0.25
"""The usual exponent of progressive widening."""


def select(root: Arm, rule: Rule, explore: float, bounds: Bounds, backup: Backup, widen: float = 0.0) -> Arm:
    """Down from the root, always to the child with the greatest score, to an arm that is to get children.

    That is one without any, or one that was given some less than ⌊N^widen⌋ times (progressive widening, Couëtoux et al.
    2011: N^α). Closed arms are passed by, as in the code of arXiv:2405.03553; only where all are closed, the way leads
    to one whose steps are all finished, to draw further ones there. The first wins among equals.

    root: where the way begins.
    rule: scores a child.
    explore: the rule's constant.
    bounds: scale the values that have been met.
    backup: whether a child's Q is the mean or the greatest of its values.
    widen: α, at least 0 and below 1; 0 gives children once.
    """
    arm = root
    while arm.children and arm.visits**widen < arm.widened + 2:
        ways = [child for child in arm.children if not child.closed]
        ways = ways or [child for child in arm.children if not child.node.finished]
        if not ways:
            break
        arm = max(ways, key=lambda child: rule(child, explore, bounds, backup))
    return arm


def prior(step: Node) -> float:
    """The geometric mean of the probabilities that the model gave the step's tokens; 1 where it does not tell."""
    logprob = step.segment.logprob
    if logprob is None or not len(logprob) or bool(np.isnan(logprob).any()):
        return 1.0
    return math.exp(float(logprob.mean()))
