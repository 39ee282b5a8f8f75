"""`deepconf`: only the solutions that the model was most confident of vote, each weighted by its confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from clew.methods.common.solutions import ScorerSpec, scored_alone, vote_weights
from clew.parameters import Range, Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method, scorers
from clew.scorers.base import scale_of
from clew.scorers.confidence import most_confident
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

SCORER = "group_confidence?kind=tail"
KEEP = 0.1
"""The lesser of the paper's two shares."""


def confident_vote(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The vote of the most confident share of the solutions that state an answer (arXiv:2508.15260, section 3.2).

    problem: says how an answer is found in a text.
    leaves: the solutions, scored.
    params: all parameters of `deepconf`.
    """
    name = scorers.spelled(params["scorer"])
    stated = [leaf for leaf in leaves if problem.answer_in(leaf) is not None]
    confidences = [leaf.scores[name] for leaf in stated]
    kept = most_confident(confidences, params["keep"])
    weights = vote_weights([c for c, k in zip(confidences, kept, strict=True) if k], scale_of(params["scorer"]))
    return vote(problem, [leaf for leaf, k in zip(stated, kept, strict=True) if k], weights)


@method(
    "deepconf",
    family="sample",
    paper="arXiv:2508.15260",
    needs={"text", "logprobs"},
    proof="tests/methods/sample/test_deepconf.py",
    departs="Only the offline mode: no solution is stopped early because of its confidence. The windows of the default "
    "scorer, `group_confidence`, have 64 tokens, not 2048.",
    aggregate=confident_vote,
)
async def deepconf(
    search: Search,
    *,
    n: Samples | None = None,
    keep: Annotated[float, Range(above=0, high=1)] = KEEP,
    scorer: ScorerSpec = SCORER,
    temperature: Temperature | None = None,
) -> Answer:
    """Sample n solutions, keep those that the model was most confident of, and let these vote by confidence.

    keep: η, the share of the solutions that is kept; the paper has 0.1 and 0.9.
    scorer: the scorer that gives the confidence of a solution.

    Raises UsageError for a scorer that compares solutions with each other.
    """
    scored_alone("deepconf", scorer)
    params = {"keep": keep, "scorer": scorer}
    return await search.aggregate(
        n, partial(confident_vote, search.problem, params=params), scorer=scorer, temperature=temperature
    )
