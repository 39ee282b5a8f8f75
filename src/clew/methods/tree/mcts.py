"""`mcts`: Monte Carlo tree search over reasoning steps."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from clew.methods.common.arms import RULES, WIDEN, Backup
from clew.methods.common.monte_carlo import Evaluate, Evaluator, Expand, Parallel, Simulations, grow_tree
from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, path_share
from clew.parameters import Count, Range, Share, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search


@method(
    "mcts",
    family="tree",
    paper="arXiv:2405.03553",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_mcts.py",
    departs="All new steps are evaluated at once, and the best one's value is backed up. Values are scaled to [0, 1] "
    "by the least and the greatest so far (arXiv:1911.08265, eq. 5), so that any scorer can be used; therefore PUCT's "
    "constant is half of the paper's 1.5, whose values are in [-1, 1]. A node that was visited often gets further "
    "steps (progressive widening). Simulations run in rounds with virtual loss. Where everything that was drawn leads "
    "to finished solutions, further steps are drawn.",
)
async def mcts(
    search: Search,
    *,
    simulations: Simulations = None,
    expand: Expand = 4,
    parallel: Parallel = 4,
    policy: Literal["puct", "uct"] = "puct",
    explore: Annotated[float, Range(low=0)] | None = None,
    widen: Annotated[float, Range(low=0, below=1)] = WIDEN,
    evaluate: Literal["scorer", "rollouts", "mixed"] = "scorer",
    rollouts: Count = 1,
    mix: Share = 0.5,
    backup: Backup = "mean",
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Monte Carlo tree search: select by UCT or PUCT down the whole tree, expand by `expand` steps, evaluate, back up.

    Finished solutions are not selected again, nor nodes below which everything is finished: so every simulation extends
    a partial solution.

    policy: the rule of selection.
        `puct` has the probability that the model gives a step, the geometric mean over its tokens, as its prior; `uct`
        has no prior.
    explore: the rule's constant of exploration; 0.75 for puct and √2 for uct unless it is given.
    widen: the exponent of progressive widening: a node with N visits gets `expand` steps ⌊N^widen⌋ times in all; 0 is
        the paper's fixed width.
    evaluate: how a new step gets its value.
        `scorer`: its score. `rollouts`: the mean score of solutions continued from it. `mixed`: the sum of the two,
        weighted by `mix` (as AlphaGo did).
    rollouts: how many solutions are continued from a step to evaluate it.
    mix: the weight of the rollouts in `mixed`; the score has the rest.
    backup: whether the value of a node is the mean, or the greatest, of the values below it.
    """
    rule, usual = RULES[policy]
    sampling = search.at(temperature)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        evaluator = Evaluator(search, found, scorer, sampling)
        rolled = partial(evaluator.by_rollouts, rollouts=rollouts, mix=mix if evaluate == "mixed" else 1.0)
        how: Evaluate = evaluator.by_score if evaluate == "scorer" else rolled
        await grow_tree(
            search,
            how,
            sampling,
            rule=rule,
            explore=usual if explore is None else explore,
            backup=backup,
            widen=widen,
            expand=expand,
            parallel=parallel,
            simulations=simulations,
        )
    return found.answer
