"""`coat` (Chain-of-Associated-Thoughts): Monte Carlo tree search that recalls a fact before each thought."""

from __future__ import annotations

from functools import partial

from clew.methods.common.arms import RULES, WIDEN
from clew.methods.common.monte_carlo import Evaluator, Expand, Parallel, Simulations, grow_tree
from clew.methods.common.solutions import SCORER, Final, Scoring, Solutions, path_share
from clew.parameters import Temperature
from clew.problem import Answer, Message
from clew.registry import method
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.tree import Node

RECALL = (
    "Name the one fact that helps most to continue the solution below and is not in it yet. "
    "Answer with the fact alone, in one short sentence, or with nothing."
)


async def recall(search: Search, node: Node, *, sampling: Sampling) -> str:
    """The fact that the generating model associates with a partial solution, as a step of its own; '' for none."""
    so_far = f"{search.problem.question}\n\nSolution so far:\n{node.solution}"
    turns = (Message("system", RECALL), Message("user", so_far))
    (reply,) = await search.ask(turns, role=GENERATE, sampling=sampling)
    fact = " ".join(reply.solution.split())
    return f"({fact}){search.problem.steps[0] if search.problem.steps else ''}" if fact else ""


@method(
    "coat",
    family="tree",
    paper="arXiv:2502.02390",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_coat.py",
    departs="A fact is recalled once for each thought that is expanded. It is scored as part of the thought that "
    "follows it; the paper's separate term for it could not be verified. The search is that of `mcts`.",
)
async def coat(
    search: Search,
    *,
    simulations: Simulations = None,
    expand: Expand = 4,
    parallel: Parallel = 4,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """`mcts` that recalls a fact before a thought is expanded; it is inserted there and stays on the path."""
    rule, explore = RULES["puct"]
    sampling = search.at(temperature)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        await grow_tree(
            search,
            Evaluator(search, found, scorer, sampling).by_score,
            sampling,
            rule=rule,
            explore=explore,
            widen=WIDEN,
            expand=expand,
            parallel=parallel,
            simulations=simulations,
            associate=partial(recall, sampling=sampling),
        )
    return found.answer
