"""`self_consistency`: sample solutions and take the answer that most of them state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from clew.methods.common.solutions import ScorerSpec, scored_alone, vote_weights
from clew.parameters import Range, Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method, scorers
from clew.scorers.base import scale_of
from clew.scorers.likelihood import mean_token_probability
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

Weighting = Literal["plain", "probability", "score", "borda"]
SCORER = "self_certainty"
POWER = 0.5
"""p of the Borda weights; 0 would be a plain vote."""


def consensus(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The vote of the solutions, each weighted as the method's parameters say.

    problem: says how an answer is found in a text.
    leaves: the solutions, scored where the weighting needs it.
    params: all parameters of `self_consistency`.
    """
    return vote(problem, leaves, _weights(problem, leaves, params))


def _weights(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> list[float] | None:
    weighting = params["weighting"]
    if weighting == "plain":
        return None
    if weighting == "probability":
        # arXiv:2203.11171, eq. 1: the length-normalised probability of the path.
        known = [mean_token_probability("self_consistency?weighting=probability", leaf) for leaf in leaves]
        return [0.0 if math.isnan(p) else p for p in known]
    name = scorers.spelled(params["scorer"])
    scores = [leaf.scores[name] for leaf in leaves]
    if weighting == "score":
        return vote_weights(scores, scale_of(params["scorer"]))
    # Borda: a solution of rank r weighs (N - r + 1)^p (arXiv:2502.18581). All N solutions are ranked, as in the code of
    # the authors; those that state no answer keep their rank and have no vote. NaN ranks last.
    ranked = sorted(range(len(leaves)), key=lambda i: math.inf if math.isnan(scores[i]) else -scores[i])
    weights = [0.0] * len(leaves)
    for rank, i in enumerate(ranked):
        weights[i] = float((len(leaves) - rank) ** params["power"])
    return weights


def _scored(params: Mapping[str, Any]) -> bool:
    return params["weighting"] in ("score", "borda")


def _needs(params: Mapping[str, Any]) -> set[str]:
    return {"logprobs"} if params["weighting"] == "probability" else set()


@method(
    "self_consistency",
    family="sample",
    paper="arXiv:2203.11171",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_self_consistency_converges_to_the_most_probable_answer",
    departs="Besides the paper's plain vote and its vote by probability, votes may be weighted by a scorer, or by rank "
    "(Borda, arXiv:2502.18581).",
    aggregate=consensus,
    scores_if=_scored,
    needs_if=_needs,
)
async def self_consistency(
    search: Search,
    *,
    n: Samples | None = None,
    weighting: Weighting = "plain",
    scorer: ScorerSpec = SCORER,
    power: Annotated[float, Range(low=0)] = POWER,
    temperature: Temperature | None = None,
) -> Answer:
    """Sample n solutions and answer what most of them say.

    weighting: what the vote of a solution weighs.
        `plain`: 1. `probability`: the geometric mean of its token probabilities (eq. 1 of the paper). `score`: the
        scorer's score. `borda`: (N - rank + 1)^p, ranked by the scorer's score.
    power: p of the Borda weights; the greater it is, the more the first ranks decide, and 0 is a plain vote.

    Raises UsageError for a scorer that compares solutions with each other.
    """
    params = {"weighting": weighting, "scorer": scorer, "power": power}
    used = scorer if _scored(params) else None
    if used is not None:
        scored_alone(f"self_consistency?weighting={weighting}", used)
    return await search.aggregate(
        n, partial(consensus, search.problem, params=params), scorer=used, temperature=temperature
    )
