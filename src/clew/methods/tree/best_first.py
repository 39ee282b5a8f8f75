"""`best_first` and `a_star`: always extend the partial solution that looks best, wherever it is in the tree."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Annotated

from clew.methods.common.solutions import (
    BARREN,
    SCORER,
    Final,
    Scoring,
    Solutions,
    comparable_scores,
    distinct,
    path_share,
)
from clew.parameters import Count, Meaning, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import STEP
from clew.search import Search
from clew.tree import Node, leave


class Frontier:
    """A priority queue of partial solutions: the one with the least cost comes first.

    Among equal costs the deeper one comes first, and then the older one. A cost is one number or several, of which the
    first that differs decides.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[float, ...], int, int, Node]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, node: Node, *cost: float) -> None:
        """Add a node with its cost."""
        heapq.heappush(self._heap, (cost, -node.depth, self._pushed, node))
        self._pushed += 1

    def pop(self) -> Node:
        """Remove the node that comes first, and return it."""
        return heapq.heappop(self._heap)[3]

    @property
    def first(self) -> Node:
        """The node that comes first, which `pop` would remove."""
        return self._heap[0][3]


EXPANSIONS = 1000
"""The default of the most expansions in one search."""

Expand = Annotated[Count, Meaning("Steps drawn below a partial solution each time that it is extended.")]
Parallel = Annotated[Count, Meaning("How many partial solutions, the best ones, are extended at once.")]
Expansions = Annotated[Count, Meaning("The most expansions in one search; they end it where no answer is ever stated.")]
Threshold = Annotated[
    float | None,
    Meaning("Only steps with a higher score are followed (NaN never is); all of them unless it is given."),
]
Good = Annotated[
    float | None,
    Meaning(
        "Only a solution with at least this score ends the search; unless it is given, a finished solution that comes "
        "first in the frontier."
    ),
]

Cost = Callable[[Node, float], float]
"""From a node and its score to its cost in the frontier."""


@method(
    "best_first",
    family="tree",
    paper="arXiv:2407.01476",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_best_first.py",
    departs="Any scorer may give the value. Without `good` (the paper's θ) the search ends when the best of the "
    "frontier is a finished solution. Where nothing is left to extend, further steps are drawn below what was extended "
    "before. Equal steps of one parent are merged: they are extended as one, and count in the vote as often as they "
    "were drawn.",
)
async def best_first(
    search: Search,
    *,
    expand: Expand = 4,
    parallel: Parallel = 1,
    expansions: Expansions = EXPANSIONS,
    threshold: Threshold = None,
    good: Good = None,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Always extend the partial solution with the highest score, until the highest is a finished one.

    With a scorer that never underestimates the best solution below a partial one, the answer is the best of all
    solutions that the drawn steps make. `expansions` is the paper's budget c, and `good` its θ.
    """

    def cost(node: Node, score: float) -> float:
        return -score

    return await _explore(search, cost, expand, parallel, expansions, threshold, good, scorer, final, temperature)


@method(
    "a_star",
    family="tree",
    paper="arXiv:2505.13672",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_best_first.py",
    departs="Only the paper's abstract and reports of it could be consulted. The heuristic 1 - score is as reported; "
    "the cost of a step is the least one that makes it consistent. Where nothing is left to extend, further steps are "
    "drawn below what was extended before. Equal steps of one parent are merged, as in `best_first`.",
)
async def a_star(
    search: Search,
    *,
    expand: Expand = 4,
    parallel: Parallel = 1,
    expansions: Expansions = EXPANSIONS,
    threshold: Threshold = None,
    good: Good = None,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """A*: always extend the partial solution with the least path cost g plus heuristic h = 1 - score.

    A step from s to t costs max(0, h(s) - h(t)). So f = g + h is h of the first step at depth 1; from there on every
    loss of score adds to it, and no gain of score makes up for that.
    """
    # f and h of each node. Nothing is known of the root's h.
    known: dict[Node | None, tuple[float, float]] = {search.root: (0.0, math.inf)}

    def cost(node: Node, score: float) -> float:
        f, h = known[node.parent]
        here = 1.0 - score
        # f(t) = g(s) + max(0, h(s) - h(t)) + h(t) = f(s) + max(0, h(t) - h(s))
        total = here if node.parent is search.root else f if here <= h else f + (here - h)
        known[node] = (total, here)
        return total

    return await _explore(search, cost, expand, parallel, expansions, threshold, good, scorer, final, temperature)


async def _explore(
    search: Search,
    cost: Cost,
    expand: int,
    parallel: int,
    expansions: int,
    threshold: float | None,
    good: float | None,
    scorer: Scoring,
    final: Final,
    temperature: float | None,
) -> Answer:
    """The loop of `best_first` and `a_star`, which differ in `cost`; the other parameters are theirs.

    It keeps two priority queues: `frontier`, the nodes that were not extended yet, and `extended`, those that were and
    below which further steps can be drawn.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        frontier, extended = Frontier(), Frontier()
        costs, draws = {search.root: -math.inf}, {search.root: 0}
        barren = 0
        batch = [search.root]
        left = expansions
        while batch and barren < BARREN:
            # 1. Draw `expand` steps below each partial solution of the batch. A step that its parent has already, from
            #    an earlier draw, is merged into it. After BARREN batches in a row without a new step the search ends.
            left -= len(batch)
            steps = await search.extend_each(
                [n for n in batch for _ in range(expand)], until=STEP, sampling=search.at(temperature)
            )
            grown = distinct(steps, known=[c for n in batch for c in n.children if c in costs])
            barren = 0 if grown else barren + 1
            # 2. Score the new steps, and put each where it belongs.
            scores = await comparable_scores(search, grown, scorer)
            found.add(grown, scores)
            for node, score in zip(grown, scores, strict=True):
                costs[node] = cost(node, score)
                if node.finished:
                    # Case a: a finished solution. One with an answer waits in the frontier, and ends the search once it
                    # comes first there. With `good`, its score alone ends the search, so it stays out of the frontier,
                    # where it would hide the nodes behind it.
                    if good is None and found.has_answer(node):
                        frontier.push(node, costs[node])
                elif threshold is None or score > threshold:  # Case b: a partial solution to extend.
                    frontier.push(node, costs[node])
                else:  # Case c: a partial solution that is not followed.
                    leave([node], "below the threshold")
            for node in batch:
                draws[node] = draws.get(node, 0) + 1
                extended.push(node, draws[node], costs[node])
            if good is not None and found.best >= good:
                break
            # 3. Choose what is extended next.
            batch = []
            wanted = min(parallel, left)
            #    a. The first nodes of the frontier, up to the first finished solution: those behind it cost more than
            #       a solution that is there already.
            while len(frontier) and len(batch) < wanted and not frontier.first.finished:
                batch.append(frontier.pop())
            #    b. A finished solution comes first: the batch stays empty, and the search ends.
            #    c. The frontier is empty, and no solution is good enough: draw further steps below nodes that were
            #       extended before, those that were extended least often first, and of these those that cost least.
            if not batch and not len(frontier):
                batch = [extended.pop() for _ in range(min(wanted, len(extended)))]
    return found.answer
