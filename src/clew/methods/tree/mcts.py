"""Monte Carlo tree search over reasoning steps."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from clew.methods.common.arms import RULES, WIDEN, Backup
from clew.methods.common.monte_carlo import Evaluate, Evaluator, grow_tree
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
    departs="Every new step is evaluated at once, and the best one's value is backed up. Values are scaled to [0, 1] "
    "by the least and the greatest met (arXiv:1911.08265, eq. 5), so that any scorer will do; so PUCT's constant is "
    "half of the paper's 1.5, whose values are in [-1, 1]. What was selected often gets further steps. Simulations run "
    "in rounds with virtual loss. Where every step that is there leads to its end, further ones are drawn.",
)
async def mcts(
    search: Search,
    *,
    simulations: Count | None = None,
    expand: Count = 4,
    parallel: Count = 4,
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

    Finished solutions are not selected again, nor what leads to nothing else: every simulation extends a partial one.

    simulations: selections in all; None goes on until the budget is spent or nothing new is met.
    expand: the steps sampled from a node that is expanded.
    parallel: simulations in flight at once, kept apart by virtual loss.
    policy: the rule of selection.
        `puct` takes the step's own probability, the geometric mean over its tokens, as its prior; `uct` takes none.
    explore: the rule's constant; 0.75 for puct and √2 for uct unless it is given.
    widen: a step that was visited N times gets `expand` steps ⌊N^widen⌋ times in all; 0 is the paper's fixed width.
    evaluate: what a step is worth.
        `scorer`: its score. `rollouts`: the mean score of so many solutions continued from it. `mixed`: `mix` of the
        rollouts and 1 - mix of the score (as AlphaGo did).
    rollouts: solutions continued from a step to evaluate it.
    mix: the weight of the rollouts in `mixed`.
    backup: a node's value is the mean, or the greatest, of the values below it.
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
