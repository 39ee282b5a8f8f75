"""`ab_mcts` (AB-MCTS): tree search over whole answers; Thompson sampling decides whether to go wider or deeper."""

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
"""The kind of posterior distribution over the mean reward of an arm."""


class _Belief:
    """The rewards that an arm of the bandit has observed, in [0, 1] (see `Bounds.unit`).

    bounds: the bounds of all rewards in the tree; None: of this arm's alone.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._raw: list[float] = []

    def observe(self, reward: float) -> None:
        """Add one reward; NaN and infinite ones count as the least so far."""
        self._raw.append(self._bounds.admit(reward))

    @property
    def rewards(self) -> list[float]:
        """The rewards, scaled by the bounds as they are now."""
        return [self._bounds.unit(r) for r in self._raw]


class Gaussian(_Belief):
    """The normal-inverse-χ² posterior of an arm's mean reward.

    The prior has the mean 0, κ = 1, ν = 1 and τ² = 0.1, as in the authors' code, for rewards in [0, 1].
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
        """A mean reward, drawn from the posterior."""
        mean, kappa, nu, tau2 = self.parameters
        variance = nu * tau2 / rng.chisquare(nu)
        return float(rng.normal(mean, math.sqrt(variance / kappa)))


class Beta(_Belief):
    """The beta posterior of an arm's mean reward, for rewards in [0, 1]; the prior is Jeffreys's (½, ½)."""

    @property
    def a(self) -> float:
        """The first parameter: ½ plus the sum of the rewards."""
        return 0.5 + sum(self.rewards)

    @property
    def b(self) -> float:
        """The second parameter: ½ plus what the rewards lack to 1 each."""
        return 0.5 + sum(1.0 - r for r in self.rewards)

    def draw(self, rng: np.random.Generator) -> float:
        """A mean reward, drawn from the posterior."""
        return float(rng.beta(self.a, self.b))


BELIEFS: dict[str, type[Gaussian] | type[Beta]] = {"gaussian": Gaussian, "beta": Beta}


class Attempt:
    """One answer in the tree, its refinements, and what is believed about their rewards.

    kind: the kind of posterior.
    node: the answer; for the root, the problem.
    parent: the attempt that it refines; None for the root.

    wider: the rewards of new children (the paper's GEN node).
    deeper: the rewards of everything that was written below the children (its CONT node).
    arm: the rewards of the attempt itself and of everything below it.
    """

    __slots__ = ("_bounds", "_kind", "arm", "children", "deeper", "node", "parent", "wider")

    def __init__(self, kind: type[Gaussian] | type[Beta], node: Node, parent: Attempt | None = None) -> None:
        self._kind = kind
        self._bounds: Bounds = parent._bounds if parent is not None else Bounds()
        self.node = node
        self.parent = parent
        self.children: list[Attempt] = []
        self.wider, self.deeper, self.arm = kind(self._bounds), kind(self._bounds), kind(self._bounds)

    def choose(self, rng: np.random.Generator) -> Attempt:
        """Walk down the tree to the attempt that gets a new child, by Thompson sampling (AB-MCTS-A).

        At each attempt, a draw decides whether it gets a new child (wider) or the walk goes on to one of its children
        (deeper), and then further draws decide to which of them.
        """
        here = self
        while here.children:
            if here.wider.draw(rng) > here.deeper.draw(rng):
                break
            draws = [child.arm.draw(rng) for child in here.children]
            here = here.children[int(np.argmax(draws))]
        return here

    def grow(self, node: Node, reward: float) -> Attempt:
        """Add a child with its reward, which is observed at every attempt above it."""
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
    departs="This is AB-MCTS-A with one model. To go deeper is to criticise the answer and rewrite it. Several "
    "attempts are chosen before the first of them comes back. Rewards outside [0, 1] are scaled to it by the least and "
    "the greatest so far, because the prior is made for that range.",
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

    n: the number of answers in all.
    parallel: how many answers are in flight at once.
    belief: the posterior of rewards, normal-inverse-χ² (`gaussian`) or `beta`.
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
            # 1. Choose what gets a new child, several at once.
            chosen = [root.choose(search.rng) for _ in range(min(parallel, n - done))]
            # 2. Write the new answers.
            nodes = await search.together(*(write(attempt) for attempt in chosen))
            found.add_unscored(nodes)
            rewards = await comparable_scores(search, nodes, scorer)
            found.add(nodes, rewards)
            # 3. Back up their rewards.
            for attempt, node, reward in zip(chosen, nodes, rewards, strict=True):
                attempt.grow(node, reward)
            done += len(chosen)
    return found.answer
