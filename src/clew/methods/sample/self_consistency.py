"""Self-consistency: sample, and let the answers vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from clew.errors import UsageError
from clew.problem import Answer, Problem
from clew.registry import method, scorers
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

Weighting = Literal["plain", "probability", "score", "borda"]
SCORER = "self_certainty"
POWER = 0.5


def consensus(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The vote of the leaves under the method's weighting."""
    return vote(problem, leaves, _weights(problem, leaves, params))


def _weights(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> list[float] | None:
    weighting = params.get("weighting", "plain")
    if weighting == "plain":
        return None
    if weighting == "probability":
        # arXiv:2203.11171, eq. 1: the length-normalised probability of the path.
        return [float(np.exp(leaf.stat("logprob").mean())) if leaf.tokens else 0.0 for leaf in leaves]
    name = scorers.build(params.get("scorer", SCORER)).name
    scores = [leaf.scores[name] for leaf in leaves]
    if weighting == "score":
        return [max(s, 0.0) for s in scores]
    # arXiv:2502.18581: v(r) = (N - r + 1)^p over the solutions that state an answer.
    valid = [i for i, leaf in enumerate(leaves) if problem.extract(leaf.solution) is not None]
    weights = [0.0] * len(leaves)
    for rank, i in enumerate(sorted(valid, key=lambda i: -scores[i])):
        weights[i] = float((len(valid) - rank) ** params.get("power", POWER))
    return weights


@method(
    "self_consistency",
    family="sample",
    paper="arXiv:2203.11171",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_self_consistency_converges_to_the_most_probable_answer",
    departs="Votes may also be weighted by path probability, by a scorer, or by rank (Borda, arXiv:2502.18581).",
    aggregate=consensus,
)
async def self_consistency(
    search: Search,
    *,
    n: int | None = None,
    weighting: Weighting = "plain",
    scorer: str = SCORER,
    power: float = POWER,
    temperature: float | None = None,
) -> Answer:
    """Sample n solutions and answer what most of them say (plain, weighted, or Borda by rank)."""
    if weighting not in ("plain", "probability", "score", "borda"):
        raise UsageError(f"weighting={weighting!r} is not known", "Choose plain, probability, score or borda")
    params = {"weighting": weighting, "scorer": scorer, "power": power}
    judged = scorer if weighting in ("score", "borda") else None
    return await search.aggregate(
        n, partial(consensus, search.problem, params=params), scorer=judged, temperature=temperature
    )
