"""Best-first search and A* over partial solutions."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

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
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import STEP
from clew.search import Search
from clew.tree import Node, leave


class Frontier:
    """Partial solutions, the least cost first; among equals the deeper one, then the older one.

    A cost is one number or several, of which the first that differs decides.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[float, ...], int, int, Node]] = []
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, node: Node, *cost: float) -> None:
        heapq.heappush(self._heap, (cost, -node.depth, self._pushed, node))
        self._pushed += 1

    def pop(self) -> Node:
        return heapq.heappop(self._heap)[3]

    @property
    def first(self) -> Node:
        """The node that `pop` would give."""
        return self._heap[0][3]


EXPANSIONS = 1000
"""The default for how often a search extends a partial solution at most."""

Cost = Callable[[Node, float], float]
"""What it costs to be at a node with this worth."""


@method(
    "best_first",
    family="tree",
    paper="arXiv:2407.01476",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_best_first.py",
    departs="The value is any scorer's. Without `good` (the paper's θ) the search ends when the best of the frontier "
    "is a finished solution. Where nothing is left to extend, it draws further steps of what it has extended. Equal "
    "steps of one parent are followed once; in the vote they count as often as they were drawn.",
)
async def best_first(
    search: Search,
    *,
    expand: Count = 4,
    parallel: Count = 1,
    expansions: Count = EXPANSIONS,
    threshold: float | None = None,
    good: float | None = None,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Always extend the partial solution with the highest score, until the highest is a finished one.

    With a scorer that never underrates what a partial solution can become, the answer is the optimum of what was
    sampled.

    expand: how many steps are drawn below a partial solution when it is extended.
    parallel: how many of the best are extended at once.
    expansions: how often anything is extended at most (the paper's budget c): what ends the search of a model that
        never states an answer.
    threshold: a step is followed only with a higher score (NaN never is); None follows all.
    good: only a solution with at least this score ends the search; None: the first finished one that leads.
    scorer: what a partial solution is worth.
    """

    def cost(node: Node, worth: float) -> float:
        return -worth

    return await _explore(search, cost, expand, parallel, expansions, threshold, good, scorer, final, temperature)


@method(
    "a_star",
    family="tree",
    paper="arXiv:2505.13672",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_best_first.py",
    departs="Only the paper's abstract and reports of it could be consulted. The heuristic 1 - score is as reported; "
    "the cost of a step is the least with which it is consistent. Where nothing is left to extend, it draws further "
    "steps of what it has extended. Equal steps of one parent are followed once; in the vote they count as often as "
    "they were drawn.",
)
async def a_star(
    search: Search,
    *,
    expand: Count = 4,
    parallel: Count = 1,
    expansions: Count = EXPANSIONS,
    threshold: float | None = None,
    good: float | None = None,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """A*: always extend the partial solution with the least path cost g plus heuristic h = 1 - score.

    A step from s to t costs max(0, h(s) - h(t)). So g + h begins as h of the first step and from there on grows by
    every loss of score, and by no gain.

    expand: how many steps are drawn below a partial solution when it is extended.
    parallel: how many of those with the least cost are extended at once.
    expansions: how often anything is extended at most.
    threshold: a step is followed only with a higher score (NaN never is); None follows all.
    good: only a solution with at least this score ends the search; None: the first finished one that leads.
    scorer: gives the score of the heuristic.
    """
    known: dict[Node | None, tuple[float, float]] = {search.root: (0.0, math.inf)}

    def cost(node: Node, worth: float) -> float:
        f, h = known[node.parent]
        here = 1.0 - worth
        # f(t) = g(s) + max(0, h(s) - h(t)) + h(t) = f(s) + max(0, h(t) - h(s)); nothing is known of the root's h.
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

    frontier: what can be extended and was not yet. extended: what was, from which further steps may be drawn.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        frontier, extended = Frontier(), Frontier()
        costs, draws = {search.root: -math.inf}, {search.root: 0}
        barren = 0
        batch = [search.root]
        left = expansions
        while batch and barren < BARREN:
            # 1. Draw `expand` steps below each partial solution of the batch. Steps that their parent had before, from
            #    an earlier draw, only count there; after BARREN batches in a row without a new one, all are there.
            left -= len(batch)
            steps = await search.extend_each(
                [n for n in batch for _ in range(expand)], until=STEP, sampling=search.at(temperature)
            )
            grown = distinct(steps, known=[c for n in batch for c in n.children if c in costs])
            barren = 0 if grown else barren + 1
            # 2. Score the new ones, and put each where it belongs.
            values = await comparable_scores(search, grown, scorer)
            found.add(grown, values)
            for node, worth in zip(grown, values, strict=True):
                costs[node] = cost(node, worth)
                if node.finished:
                    # A finished solution with an answer waits in the frontier: once it leads, the search ends. With
                    # `good`, only its worth ends the search, and it must not stand in the way of what can go on.
                    if good is None and found.has_answer(node):
                        frontier.push(node, costs[node])
                elif threshold is None or worth > threshold:
                    frontier.push(node, costs[node])
                else:
                    leave([node], "below the threshold")
            for node in batch:
                draws[node] = draws.get(node, 0) + 1
                extended.push(node, draws[node], costs[node])
            if good is not None and found.best >= good:
                break
            # 3. Choose what is extended next.
            batch = []
            wanted = min(parallel, left)
            #    a. The best of the frontier, up to the first finished solution: what is behind it costs more.
            while len(frontier) and len(batch) < wanted and not frontier.first.finished:
                batch.append(frontier.pop())
            #    b. A finished solution leads: the batch stays empty, and the search ends with it.
            #    c. The frontier is empty, and no solution is good enough: further steps of what was extended, the least
            #       often drawn from first, of those the one that costs least.
            if not batch and not len(frontier):
                batch = [extended.pop() for _ in range(min(wanted, len(extended)))]
    return found.answer
