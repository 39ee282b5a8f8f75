"""The reference sampler: from logits to drawn tokens and their statistics, in NumPy and float64.

Every model of clew draws as this module does. The embedded engine has a faster kernel that is tested against it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clew.sampling import Sampling
from clew.tree import Ints

Reals = NDArray[np.float64]

NO_BANS: frozenset[int] = frozenset()
FLOOR = -100.0
"""Nats. It lies below every log-probability that a softmax in float32 gives to a token of non-zero probability."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """One drawn token for each of B rows. All logarithms are natural, all statistics those of `Segment`.

    ids: int32[B]; -1 where filters and bans leave no token (a dead end: see `draw`).
    logprob: float64[B], nats; -inf in a dead end.
    entropy, certainty: float64[B], nats.
    proposal_logprob: float64[B], nats; -inf in a dead end.
    top_ids: [B] arrays, the `Sampling.top` most probable tokens of each row, most probable first.
    top_logprob: [B] arrays, their log-probabilities in nats.
    """

    ids: Ints
    logprob: Reals
    entropy: Reals
    certainty: Reals
    proposal_logprob: Reals
    top_ids: list[Ints]
    top_logprob: list[Reals]


def draw(
    logits: ArrayLike,
    samplings: Sequence[Sampling],
    uniforms: Sequence[float],
    *,
    offsets: Sequence[int] | None = None,
    histories: Sequence[Ints] | None = None,
    allowed: Sequence[NDArray[np.bool_] | None] | None = None,
) -> Draws:
    """Draw one token for each row by inverting the cumulative distribution, in the order of token ids.

    logits: [B, V], unnormalised; -inf is probability 0.
    samplings: [B], the settings of each row.
    uniforms: [B], numbers in [0, 1).
    offsets: [B], the position of each token in its extension, which `Sampling.bans` refer to; 0 by default.
    histories: [B] arrays, the tokens that the repetition penalty applies to: prompt and solution so far.
    allowed: [B] masks bool[V] of a grammar; None allows all tokens.

    Where bans, biases and masks leave no token, the row is a dead end (`ids` is -1): nothing is charged, and the model
    ends the segment there as incomplete (finish `length`).
    """
    raw = np.asarray(logits, np.float64)
    logp = log_softmax(raw)
    entropies, certainties = statistics(logp)
    rows = len(logp)
    ids = np.full(rows, -1, np.int32)
    logprob, chosen = np.full(rows, -np.inf), np.full(rows, -np.inf)
    top_ids: list[Ints] = []
    top_logprob: list[Reals] = []
    for i, sampling in enumerate(samplings):
        banned = sampling.bans.get(0 if offsets is None else offsets[i], NO_BANS)
        history = np.zeros(0, np.int32) if histories is None else histories[i]
        mask = None if allowed is None else allowed[i]
        logq = proposal(raw[i], sampling, banned=banned, history=history, allowed=mask)
        ids[i] = invert(np.cumsum(np.exp(logq)), uniforms[i])
        if ids[i] >= 0:
            logprob[i], chosen[i] = logp[i, ids[i]], logq[ids[i]]
        best = top(logp[i], sampling.top)
        top_ids.append(best)
        top_logprob.append(logp[i, best])
    return Draws(ids, logprob, entropies, certainties, chosen, top_ids, top_logprob)


def log_softmax(logits: ArrayLike) -> Reals:
    """Normalised log-probabilities over the last axis, float64."""
    x = np.asarray(logits, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


def statistics(logp: Reals) -> tuple[Reals, Reals]:
    """Entropy and certainty in nats of each row of log-probabilities [..., V].

    Certainty is KL(uniform‖p) = -log V - mean(log p) (arXiv:2502.18581, eq. 8). It stays finite, because log p is
    taken to be at least `FLOOR`.
    """
    floored = np.maximum(logp, FLOOR)
    entropy = -(np.exp(logp) * floored).sum(axis=-1)
    certainty = -np.log(logp.shape[-1]) - floored.mean(axis=-1)
    return entropy, certainty


def top(logp: Reals, count: int) -> Ints:
    """The ids of the `count` most probable tokens of one row [V], most probable first; ties to the lower id."""
    return np.argsort(-logp, kind="stable")[:count].astype(np.int32)


def proposal(
    logits: Reals,
    sampling: Sampling,
    *,
    banned: Collection[int] = NO_BANS,
    history: ArrayLike = (),
    allowed: NDArray[np.bool_] | None = None,
) -> Reals:
    """The log-probabilities of the distribution that a token is drawn from, float64[V]; all -inf in a dead end.

    logits: [V].
    sampling: the settings.
    banned: tokens that may not be drawn here.
    history: the tokens that the repetition penalty (arXiv:1909.05858, section 4.1) applies to, each once. As is usual
        since that paper, it multiplies negative logits and divides positive ones.
    allowed: bool[V], the mask of a grammar; None allows all tokens.

    The filters apply in the order that `Sampling` states. Top-p (arXiv:1904.09751, section 3.1) keeps the smallest set
    of most probable tokens whose probabilities reach `top_p`; min-p (arXiv:2407.01082) keeps tokens with at least
    `min_p` times the greatest probability. Ties go to the lower id.
    """
    x = np.array(logits, np.float64)
    seen = np.unique(np.asarray(history, np.int64))
    if sampling.repetition_penalty != 1 and seen.size:
        seen = seen[(seen >= 0) & (seen < len(x))]
        penalty = sampling.repetition_penalty
        x[seen] = np.where(x[seen] > 0, x[seen] / penalty, x[seen] * penalty)
    for token, bias in sampling.logit_bias.items():
        x[token] += bias
    if banned:
        x[list(banned)] = -np.inf
    if allowed is not None:
        x[~allowed] = -np.inf
    if x.max() == -np.inf:
        return x
    if sampling.temperature == 0:
        greedy = np.full(len(x), -np.inf)
        greedy[int(np.argmax(x))] = 0.0
        return greedy
    x = (x - x.max()) / sampling.temperature
    if 0 < sampling.top_k < len(x):
        x[np.argsort(-x, kind="stable")[sampling.top_k :]] = -np.inf
    if sampling.top_p < 1:
        p = np.exp(log_softmax(x))
        order = np.argsort(-p, kind="stable")
        mass_before = np.cumsum(p[order]) - p[order]
        x[order[mass_before >= sampling.top_p]] = -np.inf
    if sampling.min_p > 0:
        x[x < np.log(sampling.min_p)] = -np.inf
    return log_softmax(x)


def invert(cumulative: Reals, uniform: float) -> int:
    """The token whose interval of the cumulative distribution [V] holds `uniform`; -1 in a dead end."""
    total = cumulative[-1]
    if not total > 0:
        return -1
    token = int(np.searchsorted(cumulative, uniform * total, side="right"))
    # Rounding may push uniform·total up to the total itself.
    return token if token < len(cumulative) else int(np.searchsorted(cumulative, total, side="left"))
