"""Scorers by likelihood: how probable the model itself finds a solution, and how certain it was of its tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from clew.registry import scorer
from clew.scorers.base import PerNode, per_token
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Scorer, Search

PROOF = "tests/scorers/test_likelihood.py"


@scorer("logprob", family="likelihood", needs={"logprobs"}, proof=PROOF, scale="log_probability")
def logprob() -> Scorer:
    """The log-probability of the whole solution, in nats: the sum over its tokens. Shorter solutions have more."""

    def score(search: Search, node: Node) -> float:
        return float(per_token("logprob", node, "logprob").sum())

    return PerNode("logprob", score)


@scorer("perplexity", family="likelihood", needs={"logprobs"}, proof=PROOF, scale="log_probability")
def perplexity() -> Scorer:
    """The mean log-probability per token, in nats: minus the logarithm of the perplexity."""
    return _mean("perplexity", "logprob", 1.0)


@scorer("entropy", family="likelihood", needs={"logprobs"}, proof=PROOF)
def entropy() -> Scorer:
    """Minus the mean entropy of the next-token distributions, in nats; 0 is the most certain."""
    return _mean("entropy", "entropy", -1.0)


@scorer("self_certainty", family="likelihood", paper="arXiv:2502.18581", needs={"logprobs"}, proof=PROOF)
def self_certainty() -> Scorer:
    """The mean of KL(uniform‖p) over the next-token distributions p, in nats (eq. 8)."""
    return _mean("self_certainty", "certainty", 1.0)


def mean_token_probability(asker: str, node: Node) -> float:
    """The geometric mean of the probabilities that the model gave the tokens of a solution, in (0, 1].

    It is the exponential of the mean log-probability, over the tokens whose log-probability is known; NaN for a
    solution without tokens.

    asker: the method that wants to know, for the error.
    node: the solution.

    Raises UsageError where the model tells no log-probabilities.
    """
    known = per_token(asker, node, "logprob")
    return math.exp(float(known.mean())) if known.size else math.nan


def _mean(name: str, statistic: str, sign: float) -> Scorer:
    """The scorer `name`: the mean of a per-token statistic of `Segment`, times `sign`."""

    def score(search: Search, node: Node) -> float:
        values = per_token(name, node, statistic)
        return sign * float(values.mean()) if values.size else math.nan

    return PerNode(name, score)
