"""`tournament`: best-of-N by comparison; the solutions are compared in a tournament, and the winner answers."""

from __future__ import annotations

from clew.methods.common.solutions import ScorerSpec, comparable_scores
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search

SCORER = "pairwise"


@method(
    "tournament",
    family="sample",
    paper="LLM-as-a-Verifier (Stanford, UC Berkeley and NVIDIA, 2026)",
    needs={"text"},
    proof="tests/methods/sample/test_tournament.py",
    departs="Solutions that state no answer do not take part. Until the tournament has ended, the answer is the "
    "majority's.",
)
async def tournament(
    search: Search, *, n: Count = 16, scorer: ScorerSpec = SCORER, temperature: Temperature | None = None
) -> Answer:
    """Sample n solutions, let a scorer compare them all at once, and answer what the best one says.

    While they are drawn, and where the budget ends before all are compared, the answer is that of the majority.

    n: the number of solutions.
    scorer: a scorer that compares solutions, such as `pairwise`; any other scorer scores each of them on its own.
    """
    await search.aggregate(n, search.pick, temperature=temperature)
    stated = [leaf for leaf in search.samples if search.problem.answer_in(leaf) is not None]
    if not stated:
        return Answer(None)
    scores = await comparable_scores(search, stated, scorer)
    return search.answer(stated[scores.index(max(scores))])
