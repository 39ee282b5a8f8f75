"""The statistics of a Monte Carlo search tree, and the rules that select where it is extended (UCT, PUCT)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from clew.methods.common.solutions import Bounds
from clew.tree import Node

Backup = Literal["mean", "max"]
"""Which of the values below a node is its own: their mean, or the greatest of them."""


class Arm:
    """A node of the search tree with its statistics: one arm of the bandit problem that selection solves at its parent.

    step: the node as it was sampled.
    node: the node that is extended: `step`, or a text that was inserted below it.
    parent: the arm that it is a child of; None for the root.
    children: the arms of the steps that were drawn below it.
    prior: the probability that the model itself gives the step, see `prior`.
    value: what its evaluation gave it.
    visits: how many values were backed up through it.
    total: the sum of these values.
    best: the greatest of these values.
    pending: how many simulations in flight have selected it or a node below it (virtual loss).
    widened: how often it was given further children after its first ones.
    closed: whether selection passes it by, because it is finished, or everything below it is closed.
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
        """This arm, its parent, and so on up to the root."""
        arm: Arm | None = self
        while arm is not None:
            yield arm
            arm = arm.parent

    def begin(self) -> None:
        """Count its own value as its first visit, which is not backed up to the arms above it."""
        self.visits, self.total, self.best = 1, self.value, self.value

    def back_up(self, value: float) -> None:
        """Count one more value here and at every arm above."""
        for arm in self.path():
            arm.visits += 1
            arm.total += value
            arm.best = max(arm.best, value)

    def close(self) -> None:
        """Take the arm out of the selection, and each arm above it all of whose children are out of it."""
        self.closed = True
        above = self.parent
        while above is not None and all(child.closed for child in above.children):
            above.closed = True
            above = above.parent

    def reopen(self) -> None:
        """Put the arm and all arms above it back into the selection, because it has new children."""
        for arm in self.path():
            arm.closed = False

    def quality(self, bounds: Bounds, backup: Backup) -> float:
        """Q of the rules, in [0, 1]. Each simulation in flight counts as a visit of value 0 (virtual loss)."""
        if not self.visits:
            return 0.0
        q = bounds.scaled(self.total / self.visits if backup == "mean" else self.best)
        return q * self.visits / (self.visits + self.pending)


Rule = Callable[[Arm, float, Bounds, Backup], float]
"""A rule of selection: from a child, the rule's constant, the bounds of values and the backup to the child's score."""


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
"""By name: the rule and its usual constant, for values in [0, 1]. UCT has √2, as UCB1 does. PUCT has half of the 1.5 of
AlphaMath, whose values are in [-1, 1], a range twice as wide."""

WIDEN = 0.25
"""The usual exponent of progressive widening (docs/search.md says on what it was chosen)."""


def select(root: Arm, rule: Rule, explore: float, bounds: Bounds, backup: Backup, widen: float = 0.0) -> Arm:
    """Walk down from the root, always to the child with the greatest score, and return the arm to expand.

    root: the arm where the walk begins.
    rule: scores a child. Among children with equal scores the first is taken.
    explore: the rule's constant of exploration.
    bounds: the bounds of all values, by which they are scaled.
    backup: whether a child's Q is the mean or the greatest of its values.
    widen: α of progressive widening, at least 0 and below 1: an arm with N visits is expanded ⌊N^α⌋ times in all
        (Couëtoux et al. 2011). 0 expands each arm once.
    """
    arm = root
    # The walk ends at an arm without children, and at one that its visits allow to expand once more: it was expanded
    # 1 + widened times.
    while arm.children and arm.visits**widen < arm.widened + 2:
        # Closed arms are passed by, as in the code of arXiv:2405.03553: nothing can follow them.
        open_children = [child for child in arm.children if not child.closed]
        # Where all are closed, everything that was drawn here leads to finished solutions. Then the walk leads to an
        # arm all of whose children are finished, to draw further ones there.
        open_children = open_children or [child for child in arm.children if not child.node.finished]
        if not open_children:
            break
        arm = max(open_children, key=lambda child: rule(child, explore, bounds, backup))
    return arm


def prior(step: Node) -> float:
    """The geometric mean of the probabilities that the model gave a step's tokens; 1 where it does not tell them."""
    logprob = step.segment.logprob
    if logprob is None or not len(logprob) or bool(np.isnan(logprob).any()):
        return 1.0
    return math.exp(float(logprob.mean()))
