"""`constrained`: grammar-constrained sampling, with the weights that make it sample the right distribution."""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping
from typing import Any

import numpy as np

from clew.errors import UsageError
from clew.methods.common.particles import EVIDENCE, Particles, log_ratio
from clew.methods.common.resampling import Ess
from clew.parameters import Count, Temperature
from clew.problem import Answer, Status
from clew.registry import method
from clew.sampling import Grammar, tokens
from clew.search import Search
from clew.tree import Finish

CHUNK = 8
"""Tokens by which each solution is extended between two resamplings."""


@method(
    "constrained",
    family="token",
    paper="arXiv:2504.13139",
    needs={"text", "continue", "logprobs", "grammar"},
    proof="tests/methods/token/test_constrained.py",
    departs="With n=1, the default, it is plain constrained decoding, which is biased: the weight is recorded, but "
    "there is nothing to resample.",
)
async def constrained(
    search: Search,
    *,
    json: str | Mapping[str, Any] | None = None,
    regex: str | None = None,
    lark: str | None = None,
    n: Count = 1,
    ess: Ess = 0.5,
    temperature: Temperature = 1.0,
) -> Answer:
    """Write n solutions of a grammar by masking tokens, weighted so that they sample the model given the grammar.

    Masking alone prefers beginnings that the model would rarely complete within the grammar. So each solution is a
    particle, whose weight is the product, over its tokens, of the probability that the masks left (sequential Monte
    Carlo, as in the paper); the particles are resampled, and vote by weight. A truncated solution does not belong to
    the grammar, and has the weight 0. The estimate of log P(a solution of the model belongs to the grammar) is recorded
    as the score `log_evidence` of the root. One grammar is given, or that of the search's sampling is used.

    json: a JSON schema for the whole solution.
    regex: a regular expression for the whole solution.
    lark: a context-free grammar for the whole solution, in Lark's syntax.
    n: the number of particles; 1 is plain constrained decoding.

    Raises UsageError for no grammar and for more than one.
    """
    given = {"json": json if json is None or isinstance(json, str) else jsons.dumps(json), "regex": regex, "lark": lark}
    grammars = [Grammar(kind, text) for kind, text in given.items() if text is not None]  # type: ignore[arg-type]
    grammars = grammars or [g for g in (search.sampling.grammar,) if g is not None]
    if len(grammars) != 1:
        raise UsageError(
            f"constrained follows one grammar, and {len(grammars) or 'none'} is given",
            "Give one of json, regex and lark",
        )
    sampling = search.at(temperature).but(grammar=grammars[0])
    particles = Particles(search.root, n)
    while growing := sorted(particles.growing):
        # 1. Extend every particle by some tokens, drawn from what the grammar allows.
        grown = await search.extend_each([particles.nodes[i] for i in growing], until=tokens(CHUNK), sampling=sampling)
        # 2. Reweight it by what the model gives these tokens over what they were drawn with: the probability that the
        #    masks left. A particle that was truncated, or that no token may follow, is not of the grammar.
        factors = np.zeros(n)
        for i, node in zip(growing, grown, strict=True):
            particles.nodes[i] = node
            factors[i] = -np.inf if node.finish is Finish.LENGTH else log_ratio(node.segment)
        particles.reweight(factors)
        if particles.extinct:
            search.root.scores[EVIDENCE] = particles.log_evidence
            return Answer(None, status=Status.ABSTAINED)
        # 3. Where a few particles hold most of the weight, draw n new ones by weight.
        particles.propose(search)
        if particles.growing:
            particles.resample_if_uneven(ess, search.rng)
    return particles.conclude(search)
