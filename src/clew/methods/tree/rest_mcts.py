"""ReST-MCTS*: tree search guided by values, each simulation of which looks some steps ahead."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

from clew.methods.common.arms import uct
from clew.methods.common.monte_carlo import Evaluator, grow_tree
from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, path_share
from clew.parameters import Count, Range, Share, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search

EXPLORE = 0.7 * math.sqrt(2)
"""The authors' constant 0.7, which stands before √(2 ln N / n)."""


@method(
    "rest_mcts",
    family="tree",
    paper="arXiv:2406.03816",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_rest_mcts.py",
    departs="The search of the authors' code, without its training and without critic: any scorer gives the values, "
    "which are scaled to [0, 1] by the least and the greatest met, and the model itself ends a solution. Simulations "
    "run in rounds with virtual loss. A finished solution is not selected again; the first that is good ends the "
    "search.",
)
async def rest_mcts(
    search: Search,
    *,
    simulations: Count | None = 50,
    expand: Count = 3,
    ahead: Count = 3,
    mix: Share = 0.5,
    good: float = 0.9,
    explore: Annotated[float, Range(low=0)] = EXPLORE,
    parallel: Count = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Select by UCT over values, expand, and replace the best new step's value by one that looks some steps ahead.

    V ← (1 - mix)·V + mix·max V over the steps ahead (algorithm 2); a node's value is the mean of those below it.

    simulations: selections in all; None goes on until the budget is spent or nothing new is met.
    expand: the steps sampled from a node that is expanded (the authors' branch).
    ahead: how many steps a simulation looks ahead at most.
    mix: α, the weight of what lies ahead.
    good: the score of a solution that ends the search.
    explore: the constant of UCT.
    parallel: simulations in flight at once, kept apart by virtual loss.
    """
    sampling = search.at(temperature)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        evaluator = Evaluator(search, found, scorer, sampling)
        await grow_tree(
            search,
            partial(evaluator.by_steps_ahead, ahead=ahead, mix=mix),
            sampling,
            rule=uct,
            explore=explore,
            expand=expand,
            parallel=parallel,
            simulations=simulations,
            ended=lambda: found.best >= good,
        )
    return found.answer
