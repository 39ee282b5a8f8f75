"""`rest_mcts` (ReST-MCTS*): value-guided Monte Carlo tree search whose simulations look some steps ahead."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

from clew.methods.common.arms import uct
from clew.methods.common.monte_carlo import Evaluator, Expand, Parallel, Simulations, grow_tree
from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, path_share
from clew.parameters import Count, Range, Share, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search

EXPLORE = 0.7 * math.sqrt(2)
"""The authors' constant 0.7 before √(2 ln N / n), as the constant of `uct`, which has no 2 under the root."""


@method(
    "rest_mcts",
    family="tree",
    paper="arXiv:2406.03816",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_rest_mcts.py",
    departs="This is the search of the authors' code, without its training and its critic: any scorer gives the "
    "values, which are scaled to [0, 1] by the least and the greatest so far, and the model itself ends a solution. "
    "The value that a step had when it was new stays in the mean of its values, which the authors' code replaces by "
    "that of its children. Simulations run in rounds with virtual loss. A finished solution is not selected again; the "
    "first good one ends the search.",
)
async def rest_mcts(
    search: Search,
    *,
    simulations: Simulations = 50,
    expand: Expand = 3,
    ahead: Count = 3,
    mix: Share = 0.5,
    good: float = 0.9,
    explore: Annotated[float, Range(low=0)] = EXPLORE,
    parallel: Parallel = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Select by UCT over values, expand, and replace the best new step's value by one that looks some steps ahead.

    V ← (1 - α)·V + α·max V over the steps ahead (algorithm 2 of the paper); the value of a node is the mean of the
    values below it.

    ahead: the most steps that a simulation looks ahead.
    mix: α of the paper, the weight of the steps ahead.
    good: the score of a solution that ends the search.
    explore: the constant of exploration of UCT.
    """
    sampling = search.at(temperature)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        evaluator = Evaluator(search, found, scorer, sampling)
        await grow_tree(
            search,
            evaluator.by_score,
            sampling,
            simulate=partial(evaluator.by_steps_ahead, ahead=ahead, mix=mix),
            rule=uct,
            explore=explore,
            expand=expand,
            parallel=parallel,
            simulations=simulations,
            ended=lambda: found.best >= good,
        )
    return found.answer
