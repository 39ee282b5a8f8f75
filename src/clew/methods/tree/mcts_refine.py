"""`mcts_refine`: Monte Carlo tree self-refine with the selection of MC-NEST; every node is a whole answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from clew.methods.common.rewriting import criticise, rate, rewrite
from clew.methods.common.solutions import Final, Scoring, Solutions
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import Node

Policy = Literal["greedy", "importance", "pairwise"]
EPSILON = 1e-10
"""Keeps UCT finite for an answer without visits, as in the authors' code."""

ROOT_UCT = 10_000.0
"""The UCT of the root in the code of arXiv:2411.15645: it is refined before all others, until it is fully expanded."""

WORST = -100.0
"""The reward of an answer that its rating or scorer gives none: the least rating."""


class Attempt:
    """One answer in the tree with its statistics.

    node: the answer.
    parent: the attempt that it refines; None for the root.
    children: its refinements.
    rewards: all rewards that it got.
    visits: how many rewards it and everything below it got.
    q: its quality Q: (min + mean) / 2 of its rewards, averaged with the best child's at each backup.
    """

    __slots__ = ("children", "node", "parent", "q", "rewards", "visits")

    def __init__(self, node: Node, parent: Attempt | None = None) -> None:
        self.node = node
        self.parent = parent
        self.children: list[Attempt] = []
        self.rewards: list[float] = []
        self.visits = 0
        self.q = 0.0

    def reward(self, value: float) -> None:
        """Add one reward: Q(a) = (min R + mean R) / 2 (arXiv:2406.07394, eq. 1)."""
        self.rewards.append(value)
        self.q = (min(self.rewards) + sum(self.rewards) / len(self.rewards)) / 2
        self.visits += 1

    def back_up(self) -> None:
        """Update every attempt above: Q'(a) = (Q(a) + max over children Q) / 2 (arXiv:2406.07394, eq. 2)."""
        above = self.parent
        while above is not None:
            above.q = (above.q + max(child.q for child in above.children)) / 2
            above.visits += 1
            above = above.parent

    def uct(self, explore: float) -> float:
        """Q + c·√(ln(N(parent) + 1) / (N + ε)) (arXiv:2406.07394, eq. 3); `ROOT_UCT` for the root."""
        if self.parent is None:
            return ROOT_UCT
        return self.q + explore * math.sqrt(math.log(self.parent.visits + 1) / (self.visits + EPSILON))

    def spent(self, width: int) -> bool:
        """Whether it is fully expanded: it has `width` children, or one that is better than itself."""
        return len(self.children) >= width or any(child.q > self.q for child in self.children)


def choose(scores: Sequence[float], policy: Policy, rng: np.random.Generator) -> int:
    """The index of the candidate to refine (arXiv:2411.15645, section 3).

    The Nash equilibrium over n candidates is the uniform strategy π = 1/n. Where all weights are 0, each candidate has
    the same probability.

    scores: the UCT scores of the candidates, [n].
    policy: how one of them is chosen.
        `greedy`: the greatest UCT + π. `importance`: by chance, in proportion to UCT·π; negative scores have no weight.
        `pairwise`: a pair by chance, in proportion to |UCT_i - UCT_j|·π², and of these two the one with the greater
        UCT.
    rng: the source of randomness.
    """
    uct = np.asarray(scores, np.float64)
    n = len(uct)
    pi = 1.0 / n
    if policy == "greedy":
        return int(np.argmax(uct + pi))
    if policy == "importance":
        weights = np.maximum(uct, 0.0) * pi
        total = weights.sum()
        return int(rng.choice(n, p=weights / total)) if total > 0 else int(rng.integers(n))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    weights = np.array([abs(uct[i] - uct[j]) * pi * pi for i, j in pairs])
    total = weights.sum()
    if not total > 0:
        return int(rng.integers(n))
    i, j = pairs[int(rng.choice(len(pairs), p=weights / total))]
    return i if uct[i] >= uct[j] else j


@method(
    "mcts_refine",
    family="tree",
    paper="arXiv:2411.15645",
    needs={"text"},
    proof="tests/methods/tree/test_mcts_refine.py",
    departs="The uniform equilibrium is over all candidates, as in the paper's text; its code gives a weight to the "
    "children of the root only. So the root, with its UCT of 10,000, comes first in nearly every draw. The root is a "
    "first answer of the model, without a dummy answer beside it. A scorer may replace the self-evaluation.",
)
async def mcts_refine(
    search: Search,
    *,
    rollouts: Count = 8,
    width: Count = 2,
    policy: Policy = "importance",
    explore: Annotated[float, Range(low=0)] = 1.0,
    scorer: Scoring | None = None,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Refine answers in a tree: choose one by UCT and the Nash-mixed policy, criticise it, rewrite it, rate the result.

    rollouts: how many answers are written after the first one.
    width: the most refinements of one answer.
    policy: how the answer to refine is chosen.
        `greedy`: the greatest UCT (which is MCTSr). `importance`: by chance, in proportion to UCT. `pairwise`: a pair
        by chance, in proportion to the difference of the two, and the greater one of them.
    explore: c, the constant of exploration of UCT.
    scorer: rates the answers; unless it is given, the judge does, from -100 to 100.
    """
    found = Solutions(search, final)
    sampling = search.at(temperature)

    async def evaluate(attempt: Attempt) -> None:
        """Get one more reward for an answer."""
        if scorer is None:
            value = await rate(search, attempt.node.solution)
        else:
            (value,) = await search.score([attempt.node], scorer)
        attempt.reward(value if not math.isnan(value) else WORST)

    (first,) = await search.extend(search.root, sampling=sampling)
    root = Attempt(first)
    attempts = [root]
    found.add_unscored([first])
    for _ in range(rollouts):
        # 1. Choose one of the answers that are not fully expanded, and rate it once more.
        candidates = [d for d in attempts if not d.spent(width)]
        attempt = candidates[choose([d.uct(explore) for d in candidates], policy, search.rng)]
        await evaluate(attempt)
        # 2. Criticise and rewrite it.
        critique = await criticise(search, attempt.node.solution)
        child = Attempt(await rewrite(search, attempt.node.solution, critique, sampling=sampling), attempt)
        attempt.children.append(child)
        attempts.append(child)
        # 3. Rate the new answer, and tell all above it.
        await evaluate(child)
        child.back_up()
        found.add([d.node for d in attempts], [d.q for d in attempts])
    return found.answer
