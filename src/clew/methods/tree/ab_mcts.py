"""AB-MCTS: tree search over whole answers that decides by Thompson sampling whether to go wider or deeper."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from clew.methods.common.rewriting import criticise, rewrite
from clew.methods.common.solutions import SCORER, Bounds, Final, Scoring, Solutions, comparable_scores
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import Node

Belief = Literal["gaussian", "beta"]


class _Belief:
    """The rewards that an arm has observed, in [0, 1] (see `Bounds.unit`)."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._raw: list[float] = []

    def observe(self, reward: float) -> None:
        self._raw.append(self._bounds.admit(reward))

    @property
    def rewards(self) -> list[float]:
        return [self._bounds.unit(r) for r in self._raw]


class Gaussian(_Belief):
    """A normal-inverse-χ² belief about the mean reward of an arm.

    The prior is mean 0, κ = 1, ν = 1, τ² = 0.1, as in the authors' code, for rewards in [0, 1].
    """

    MEAN, KAPPA, NU, TAU2 = 0.0, 1.0, 1.0, 0.1

    @property
    def parameters(self) -> tuple[float, float, float, float]:
        """Mean, κ, ν and τ² of the posterior (Murphy, Probabilistic Machine Learning: Advanced Topics, 3.4.3.3)."""
        rewards = self.rewards
        n = len(rewards)
        mean = sum(rewards) / n if n else 0.0
        spread = sum((r - mean) ** 2 for r in rewards)
        kappa, nu = self.KAPPA + n, self.NU + n
        shift = n * self.KAPPA * (self.MEAN - mean) ** 2 / kappa
        return (
            (self.KAPPA * self.MEAN + n * mean) / kappa,
            kappa,
            nu,
            (self.NU * self.TAU2 + spread + shift) / nu,
        )

    def draw(self, rng: np.random.Generator) -> float:
        mean, kappa, nu, tau2 = self.parameters
        variance = nu * tau2 / rng.chisquare(nu)
        return float(rng.normal(mean, math.sqrt(variance / kappa)))


class Beta(_Belief):
    """A beta belief about the mean reward of an arm, rewards in [0, 1]; the prior is Jeffreys's (½, ½)."""

    @property
    def a(self) -> float:
        return 0.5 + sum(self.rewards)

    @property
    def b(self) -> float:
        return 0.5 + sum(1.0 - r for r in self.rewards)

    def draw(self, rng: np.random.Generator) -> float:
        return float(rng.beta(self.a, self.b))


BELIEFS: dict[str, type[Gaussian] | type[Beta]] = {"gaussian": Gaussian, "beta": Beta}


class Attempt:
    """One answer (the root: none), its refinements, and the beliefs about a new one and about each that is there."""

    __slots__ = ("_bounds", "_kind", "arm", "children", "deeper", "node", "parent", "wider")

    def __init__(self, kind: type[Gaussian] | type[Beta], node: Node, parent: Attempt | None = None) -> None:
        self._kind = kind
        self._bounds: Bounds = parent._bounds if parent is not None else Bounds()
        self.node = node
        self.parent = parent
        self.children: list[Attempt] = []
        self.wider, self.deeper, self.arm = kind(self._bounds), kind(self._bounds), kind(self._bounds)

    def choose(self, rng: np.random.Generator) -> Attempt:
        """Down the tree to the attempt that shall get a new child: at each, draw whether a new child (wider) or one of
        those there (deeper) is better, then which of those (AB-MCTS-A)."""
        here = self
        while here.children:
            if here.wider.draw(rng) > here.deeper.draw(rng):
                break
            draws = [child.arm.draw(rng) for child in here.children]
            here = here.children[int(np.argmax(draws))]
        return here

    def grow(self, node: Node, reward: float) -> Attempt:
        """A new child with its reward, which all above it observe."""
        child = Attempt(self._kind, node, self)
        self.children.append(child)
        self.wider.observe(reward)
        child.arm.observe(reward)
        here = self
        while here.parent is not None:
            here.arm.observe(reward)
            here.parent.deeper.observe(reward)
            here = here.parent
        return child


@method(
    "ab_mcts",
    family="tree",
    paper="arXiv:2503.04412",
    needs={"text"},
    proof="tests/methods/tree/test_ab_mcts.py",
    departs="AB-MCTS-A with one model. Deeper means: criticise the answer and rewrite it. Several attempts are chosen "
    "before the first of them comes back. Rewards of a scorer that leaves [0, 1] are scaled to it by the least and the "
    "greatest met, which the prior is made for.",
)
async def ab_mcts(
    search: Search,
    *,
    n: Count = 16,
    parallel: Count = 4,
    belief: Belief = "gaussian",
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Adaptive branching: each of n answers is new or refines an earlier one, whichever Thompson sampling favours.

    parallel: how many are in flight at once. belief: about rewards, `gaussian` or `beta`. NaN counts as
    the least reward so far.

    n: answers written in all.
    """
    async with Solutions(search, final, scorer) as found:
        root = Attempt(BELIEFS[belief], search.root)
        sampling = search.at(temperature)

        async def write(attempt: Attempt) -> Node:
            if attempt is root:
                (node,) = await search.extend(search.root, sampling=sampling)
                return node
            critique = await criticise(search, attempt.node.solution)
            return await rewrite(search, attempt.node.solution, critique, sampling=sampling)

        done = 0
        while done < n:
            chosen = [root.choose(search.rng) for _ in range(min(parallel, n - done))]
            nodes = await search.together(*(write(attempt) for attempt in chosen))
            found.add_unscored(nodes)
            rewards = await comparable_scores(search, nodes, scorer)
            found.add(nodes, rewards)
            for attempt, node, reward in zip(chosen, nodes, rewards, strict=True):
                attempt.grow(node, reward)
            done += len(chosen)
    return found.answer
