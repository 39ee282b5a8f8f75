"""Best of n by comparison: the solutions meet in a tournament, and the winner's answer is the answer."""

from __future__ import annotations

from clew.methods.common.solutions import ScorerSpec, comparable_scores
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import Node

SCORER = "pairwise"


@method(
    "tournament",
    family="sample",
    paper="LLM-as-a-Verifier (Stanford, UC Berkeley and NVIDIA, 2026)",
    needs={"text"},
    proof="tests/methods/sample/test_tournament.py",
    departs="Solutions that state no answer do not take part. The answer before the tournament is the majority's.",
)
async def tournament(
    search: Search, *, n: Count = 16, scorer: ScorerSpec = SCORER, temperature: Temperature | None = None
) -> Answer:
    """Sample n solutions, let a scorer compare them all at once, and answer what the best one says.

    n: how many solutions. While they are drawn, and where the budget ends before all are compared, the answer is that
    of the majority.
    scorer: one that compares solutions (`pairwise`); any other one judges each alone, and all in one batch.
    """
    stated: list[Node] = []
    async for leaf in search.rollouts(n=n, sampling=search.at(temperature)):
        if search.problem.answer_in(leaf) is not None:
            stated.append(leaf)
            search.propose(search.pick(stated))
    if not stated:
        return Answer(None)
    scores = await comparable_scores(search, stated, scorer)
    return search.answer(stated[scores.index(max(scores))])
