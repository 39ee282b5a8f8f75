"""Grammar-constrained sampling, with the weights that make it exact."""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping
from typing import Any

import numpy as np

from clew.errors import UsageError
from clew.methods.common.particles import EVIDENCE, Particles, log_ratio
from clew.methods.common.resampling import effective_sample_size, resample
from clew.parameters import Count, Share, Temperature
from clew.problem import Answer, Status
from clew.registry import method
from clew.sampling import Grammar, tokens
from clew.search import Search
from clew.tree import Finish

STRETCH = 8
"""Tokens between two weighings."""


@method(
    "constrained",
    family="token",
    paper="arXiv:2504.13139",
    needs={"text", "continue", "logprobs", "grammar"},
    proof="tests/methods/token/test_constrained.py",
    departs="With n=1 it is plain constrained decoding, which is biased: the weight is recorded, but chooses nothing.",
)
async def constrained(
    search: Search,
    *,
    json: str | Mapping[str, Any] | None = None,
    regex: str | None = None,
    lark: str | None = None,
    n: Count = 1,
    ess: Share = 0.5,
    temperature: Temperature = 1.0,
) -> Answer:
    """Write n solutions of a grammar by masking tokens, weighted so that they sample the model given the grammar.

    Masking alone prefers beginnings that the model would rarely complete within the grammar. The weight of a particle
    is the product of the probability mass that the masks left at each token (sequential Monte Carlo as in the paper);
    they are resampled when the effective sample size falls below ess·n, and vote by weight. A solution that is
    truncated is not of the grammar. The estimate of log P(the model keeps the grammar) is the score `log_evidence` of
    the root.

    json: a JSON schema; regex: of the whole solution; lark: a context-free grammar. One of them; without any, the
    grammar of the search's sampling.

    n: particles; 1 is plain constrained decoding.
    ess: resample when the effective sample size is below this share of n.
    """
    given = {"json": json if json is None or isinstance(json, str) else jsons.dumps(json), "regex": regex, "lark": lark}
    grammars = [Grammar(kind, text) for kind, text in given.items() if text is not None]  # type: ignore[arg-type]
    grammars = grammars or [g for g in (search.sampling.grammar,) if g is not None]
    if len(grammars) != 1:
        raise UsageError("constrained follows one grammar", "Give one of json, regex and lark")
    sampling = search.at(temperature).but(grammar=grammars[0])
    particles = Particles(search.root, n)
    while growing := sorted(particles.growing):
        grown = await search.extend_each(
            [particles.nodes[i] for i in growing], until=tokens(STRETCH), sampling=sampling
        )
        factors = np.zeros(n)
        for i, node in zip(growing, grown, strict=True):
            particles.nodes[i] = node
            factors[i] = -np.inf if node.finish is Finish.LENGTH else log_ratio(node.segment)
        particles.weigh(factors)
        if particles.extinct:
            search.root.scores[EVIDENCE] = particles.log_evidence
            return Answer(None, status=Status.ABSTAINED)
        particles.propose(search)
        weights = particles.weights
        if particles.growing and effective_sample_size(weights) < ess * n:
            particles.resample(weights, resample(weights, n, search.rng))
    return particles.conclude(search)
