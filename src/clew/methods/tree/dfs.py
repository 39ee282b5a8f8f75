"""`dfs`: depth-first search, which follows the best next step to the end and then backtracks."""

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
    departs="Any scorer may give the value (`tot_bfs` has the paper's prompts). The limit on backtracks is an "
    "addition, and nothing is pruned by default. Equal steps of one parent are merged: they are extended as one, and "
    "count in the vote as often as they were drawn.",
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

    expand: k of the paper, the steps that are drawn below each node.
    threshold: v_th of the paper; only steps with a higher score are followed (NaN counts as -inf).
    backtracks: how often the search may go back from a branch that has ended; unless it is given, there is no limit.
    good: the score of a solution that ends the search; unless it is given, the search ends when no step is left to
        follow.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        stack = [search.root]
        gone_back = 0
        while stack and (good is None or found.best < good):
            # 1. Draw steps below the node on top of the stack, and evaluate them.
            node = stack.pop()
            steps = distinct(await search.extend(node, expand, until=STEP, sampling=search.at(temperature)))
            values = await comparable_scores(search, steps, scorer)
            found.add(steps, values)
            # 2. Put the promising ones on the stack, the best on top.
            promising = [(v, s) for v, s in zip(values, steps, strict=True) if v > threshold and not s.finished]
            leave((s for v, s in zip(values, steps, strict=True) if not v > threshold), "below the threshold")
            stack += [s for _, s in sorted(promising, key=lambda pair: pair[0])]
            # 3. Where none is promising, the branch has ended: the search goes back to the best step not taken.
            if not promising:
                gone_back += 1
                if backtracks is not None and gone_back > backtracks:
                    break
    return found.answer
