"""`best_of_n`: sample solutions, score each, and answer what the best one says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from clew.methods.common.solutions import ScorerSpec, scored_alone
from clew.parameters import Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method, scorers
from clew.search import Search
from clew.tree import Node
from clew.vote import answer_of

SCORER = "self_certainty"


def best(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The answer of the solution with the highest score among those that state an answer; NaN is the lowest score.

    problem: says how an answer is found in a text.
    leaves: the solutions, scored.
    params: all parameters of `best_of_n`.
    """
    name = scorers.spelled(params["scorer"])
    stated = [leaf for leaf in leaves if problem.answer_in(leaf) is not None]
    if not stated:
        return Answer(None)
    scores = [-math.inf if math.isnan(leaf.scores[name]) else leaf.scores[name] for leaf in stated]
    return answer_of(problem, stated[scores.index(max(scores))])


@method(
    "best_of_n",
    family="sample",
    paper="arXiv:2502.18581",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_best_of_n_takes_the_highest_score",
    departs="Any scorer may be used; the paper's self-certainty is the default.",
    aggregate=best,
)
async def best_of_n(
    search: Search, *, n: Samples | None = None, scorer: ScorerSpec = SCORER, temperature: Temperature | None = None
) -> Answer:
    """Sample n solutions and answer what the one with the highest score says.

    Raises UsageError for a scorer that compares solutions with each other.
    """
    scored_alone("best_of_n", scorer)
    return await search.aggregate(
        n, partial(best, search.problem, params={"scorer": scorer}), scorer=scorer, temperature=temperature
    )
