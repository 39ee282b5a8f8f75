"""Monte Carlo tree self-refine, with the Nash-mixed selection of MC-NEST: every node is a whole answer."""

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


class Draft:
    """One answer in the tree, and what is known of it.

    q: (min + mean) / 2 of its rewards, then averaged with its best child's at each backup.
    """

    __slots__ = ("children", "node", "parent", "q", "rewards", "visits")

    def __init__(self, node: Node, parent: Draft | None = None) -> None:
        self.node = node
        self.parent = parent
        self.children: list[Draft] = []
        self.rewards: list[float] = []
        self.visits = 0
        self.q = 0.0

    def reward(self, value: float) -> None:
        """One more reward: Q(a) = (min R + mean R) / 2 (arXiv:2406.07394, eq. 1)."""
        self.rewards.append(value)
        self.q = (min(self.rewards) + sum(self.rewards) / len(self.rewards)) / 2
        self.visits += 1

    def back_up(self) -> None:
        """Q'(a) = (Q(a) + max over children Q) / 2 for all that is above (arXiv:2406.07394, eq. 2)."""
        above = self.parent
        while above is not None:
            above.q = (above.q + max(child.q for child in above.children)) / 2
            above.visits += 1
            above = above.parent

    def uct(self, explore: float) -> float:
        """Q + c·√(ln(N(parent) + 1) / (N + ε)) (arXiv:2406.07394, eq. 3); for the root, Q."""
        above = self.parent.visits if self.parent is not None else 0
        return self.q + explore * math.sqrt(math.log(above + 1) / (self.visits + EPSILON))

    def spent(self, width: int) -> bool:
        """Fully expanded: it has `width` children, or one that is better."""
        return len(self.children) >= width or any(child.q > self.q for child in self.children)


def choose(scores: Sequence[float], policy: Policy, rng: np.random.Generator) -> int:
    """Which candidate to refine, from their UCT scores (arXiv:2411.15645, section 3).

    The equilibrium is the uniform strategy π = 1/n over the candidates. greedy: the greatest UCT + π. importance: by
    chance in proportion to UCT·π. pairwise: a pair by chance in proportion to |UCT_i - UCT_j|·π², and the greater of
    the two. Scores below 0 have no weight; where nothing has any, all are alike.
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
    departs="The uniform equilibrium is over the candidates, as in the paper's text (its code gives all but the root's "
    "children nothing). The root is a first answer of the model; there is no dummy answer beside it. A scorer may take "
    "the place of self-evaluation.",
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

    rollouts: answers written after the first. width: the most children of an answer. policy: `greedy` (which with a
    uniform equilibrium is MCTSr), `importance` or `pairwise`. explore: c of UCT. scorer: rates the answers; by default
    the judge does, from -100 to 100.
    """
    found = Solutions(search, final)

    async def evaluate(draft: Draft) -> None:
        if scorer is None:
            value = await rate(search, draft.node.solution)
        else:
            (value,) = await search.score([draft.node], scorer)
        draft.reward(value if not math.isnan(value) else -100.0)

    (first,) = await search.extend(search.root, sampling=search.at(temperature))
    root = Draft(first)
    drafts = [root]
    found.met([first])
    await evaluate(root)
    found.add([first], [root.q])
    for _ in range(rollouts):
        candidates = [d for d in drafts if not d.spent(width)]
        draft = candidates[choose([d.uct(explore) for d in candidates], policy, search.rng)]
        await evaluate(draft)
        critique = await criticise(search, draft.node.solution)
        child = Draft(await rewrite(search, draft.node.solution, critique), draft)
        draft.children.append(child)
        drafts.append(child)
        await evaluate(child)
        child.back_up()
        found.add([d.node for d in drafts], [d.q for d in drafts])
    return found.answer
