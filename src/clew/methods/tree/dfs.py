"""Depth-first search with pruning and a limit on backtracking."""

from __future__ import annotations

import math
from typing import Annotated

from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, comparable_scores, distinct, path_share
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import STEP
from clew.search import Search
from clew.tree import leave


@method(
    "dfs",
    family="tree",
    paper="arXiv:2305.10601",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_dfs.py",
    departs="The value is any scorer's (`tot_bfs` has the paper's prompts). The limit on backtracks is an addition. "
    "Equal steps of one parent are followed once; in the vote they count as often as they were drawn.",
)
async def dfs(
    search: Search,
    *,
    expand: Count = 4,
    threshold: float = -math.inf,
    backtracks: Annotated[int, Range(low=0)] | None = None,
    good: float | None = None,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Follow the best next step to the end, then go back to the best step not taken.

    Algorithm 2 of the paper.

    expand: k, the steps proposed at each node.
    threshold: v_th, a step is followed only with a higher score (NaN never is).
    backtracks: how often the search may leave a branch for an older one; None is no limit.
    good: a solution with at least this score ends the search; None goes on while there is something to go back to.
    scorer: what a partial solution is worth.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        stack = [search.root]
        gone_back = 0
        while stack and (good is None or found.best < good):
            # 1. Propose steps below the latest promising node, and evaluate them.
            node = stack.pop()
            steps = distinct(await search.extend(node, expand, until=STEP, sampling=search.at(temperature)))
            values = await comparable_scores(search, steps, scorer)
            found.add(steps, values)
            # 2. The promising ones go on the stack, the best on top.
            promising = [(v, s) for v, s in zip(values, steps, strict=True) if v > threshold and not s.finished]
            leave((s for v, s in zip(values, steps, strict=True) if not v > threshold), "below the threshold")
            stack += [s for _, s in sorted(promising, key=lambda pair: pair[0])]
            # 3. A node without any is left for the one before it.
            if not promising:
                gone_back += 1
                if backtracks is not None and gone_back > backtracks:
                    break
    return found.answer
