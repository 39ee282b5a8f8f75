"""Drawing one token for every row of a batch: the compiled kernel, or the NumPy reference where no compiler was there.

Both draw as `clew.models.draw` says. What the kernel cannot do in its one pass (repetition penalty, biases, bans)
changes a copy of the row first.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.models.draw import NO_BANS, draw, log_softmax, statistics, top
from clew.models.grammar import Constraint
from clew.models.llamacpp.compiled import compiled
from clew.sampling import Sampling, Stream
from clew.tree import Floats, Ints

_BLOCK = 64
NOT_A_NUMBER = -2
"""The id that stands for a row of logits with a NaN in it."""


@functools.cache
def kernel() -> ctypes.CDLL | None:
    """The compiled kernel, or None where it was not built."""
    library = compiled("_kernel")
    if library is not None:
        library.clew_sample.restype = ctypes.c_int
    return library


class Draw:
    """The drawing state of one continuation: its settings, its random stream, how many tokens it has drawn, and where
    it is in its grammar."""

    __slots__ = ("_uniforms", "constraint", "count", "history", "plain", "sampling", "stream")

    def __init__(self, sampling: Sampling, stream: Stream, history: Ints, constraint: Constraint | None = None) -> None:
        self.sampling = sampling
        self.stream = stream
        self.history = history
        self.count = 0
        self.constraint = constraint
        altering = sampling.logit_bias or sampling.bans or constraint is not None
        self.plain = not altering and sampling.repetition_penalty == 1
        self._uniforms: list[float] = []

    def uniform(self) -> float:
        """The random number of the next token."""
        at = self.count % _BLOCK
        if at == 0:
            self._uniforms = self.stream.uniforms(self.count, _BLOCK).tolist()
        return self._uniforms[at]

    def advance(self, token: int) -> None:
        """Go on after a drawn token."""
        self.count += 1
        if self.constraint is not None:
            self.constraint.advance(token)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One token for each of B rows.

    ids: B; -1 in a dead end, NOT_A_NUMBER where the model failed. stats: float32[B, 4], logprob, entropy, certainty,
    proposal logprob. top_ids, top_logprob: [B, K] or None.
    """

    ids: list[int]
    stats: Floats
    top_ids: Ints | None
    top_logprob: Floats | None


def sample(
    rows: NDArray[np.uintp],
    vocab: int,
    draws: Sequence[Draw],
    generated: Sequence[Sequence[int]],
    *,
    compiled: bool = True,
) -> Drawn:
    """Draw one token for each row.

    rows: uintp[B], the addresses of rows of float32[vocab] logits. generated: B, what each continuation has drawn.
    compiled: whether the kernel may be used.
    """
    altered: dict[int, Floats] = {}
    for i, state in enumerate(draws):
        if not state.plain:
            row = _row(rows[i], vocab)
            changed = _altered(row, state, generated[i])
            if changed is not None:
                altered[i] = changed
    settings = [d.sampling for d in draws]
    uniforms = [d.uniform() for d in draws]
    library = kernel() if compiled else None
    if library is None:
        return _reference(rows, vocab, draws, generated, uniforms)
    return _call(library, rows, vocab, settings, uniforms, altered, None)


def observe(rows: NDArray[np.uintp], vocab: int, tokens: Sequence[int], top: int, *, compiled: bool = True) -> Drawn:
    """The statistics of given tokens (teacher forcing); the proposal logprob is 0."""
    library = kernel() if compiled else None
    if library is not None:
        settings = [Sampling(top=top)] * len(tokens)
        return _call(library, rows, vocab, settings, [0.0] * len(tokens), {}, tokens)
    return _reference_observe(rows, vocab, tokens, top)


def _call(
    library: ctypes.CDLL,
    rows: NDArray[np.uintp],
    vocab: int,
    settings: Sequence[Sampling],
    uniforms: Sequence[float],
    altered: dict[int, Floats],
    forced: Sequence[int] | None,
) -> Drawn:
    count = len(settings)
    drawn = rows.copy()
    for i, row in altered.items():
        drawn[i] = row.ctypes.data
    temperature = np.array([s.temperature for s in settings], np.float32)
    top_k = np.array([s.top_k for s in settings], np.int32)
    top_p = np.array([s.top_p for s in settings], np.float32)
    min_p = np.array([s.min_p for s in settings], np.float32)
    tops = np.array([min(s.top, vocab) for s in settings], np.int32)
    uniform = np.array(uniforms, np.float64)
    force = np.full(count, -1, np.int32) if forced is None else np.array(forced, np.int32)
    ids = np.zeros(count, np.int32)
    stats = np.zeros((count, 4), np.float32)
    widest = int(tops.max(initial=0))
    top_ids = np.full((count, widest), -1, np.int32)
    top_logprob = np.full((count, widest), np.nan, np.float32)
    failed = library.clew_sample(
        count,
        vocab,
        *(_at(a) for a in (rows, drawn, temperature, top_k, top_p, min_p, uniform, force, ids, stats, tops)),
        widest,
        _at(top_ids),
        _at(top_logprob),
    )
    if failed:
        raise MemoryError("no memory to sample")
    return Drawn(ids.tolist(), stats, top_ids if widest else None, top_logprob if widest else None)


def _at(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _row(address: int, vocab: int) -> Floats:
    return np.ctypeslib.as_array(ctypes.cast(int(address), ctypes.POINTER(ctypes.c_float)), (vocab,))


def _altered(row: Floats, state: Draw, generated: Sequence[int]) -> Floats | None:
    """The row after repetition penalty, biases and bans; None where nothing of it applies here."""
    sampling = state.sampling
    banned = sampling.bans.get(state.count, NO_BANS)
    if not banned and not sampling.logit_bias and sampling.repetition_penalty == 1 and state.constraint is None:
        return None
    row = row.copy()
    if sampling.repetition_penalty != 1:
        seen = np.unique(np.concatenate([state.history, np.asarray(generated, np.int32)]))
        seen = seen[(seen >= 0) & (seen < len(row))]
        penalty = np.float32(sampling.repetition_penalty)
        row[seen] = np.where(row[seen] > 0, row[seen] / penalty, row[seen] * penalty)
    for token, bias in sampling.logit_bias.items():
        row[token] += bias
    if banned:
        row[list(banned)] = -np.inf
    if state.constraint is not None:
        row[~state.constraint.allowed()] = -np.inf
    return row


def _reference(
    rows: NDArray[np.uintp],
    vocab: int,
    draws: Sequence[Draw],
    generated: Sequence[Sequence[int]],
    uniforms: Sequence[float],
) -> Drawn:
    logits = np.stack([_row(r, vocab) for r in rows])
    done = draw(
        logits,
        [d.sampling for d in draws],
        uniforms,
        offsets=[d.count for d in draws],
        histories=[np.concatenate([d.history, np.asarray(g, np.int32)]) for d, g in zip(draws, generated, strict=True)],
        allowed=[None if d.constraint is None else d.constraint.allowed() for d in draws],
    )
    ids = done.ids.copy()
    ids[np.isnan(logits).any(axis=1)] = NOT_A_NUMBER
    stats = np.stack([done.logprob, done.entropy, done.certainty, done.proposal_logprob], axis=1).astype(np.float32)
    return Drawn(ids.tolist(), stats, *_tops(done.top_ids, done.top_logprob))


def _reference_observe(rows: NDArray[np.uintp], vocab: int, tokens: Sequence[int], count: int) -> Drawn:
    logits = np.stack([_row(r, vocab) for r in rows])
    logp = log_softmax(logits)
    entropy, certainty = statistics(logp)
    chosen = logp[np.arange(len(tokens)), tokens]
    stats = np.stack([chosen, entropy, certainty, np.zeros_like(chosen)], axis=1).astype(np.float32)
    ids = np.where(np.isnan(logits).any(axis=1), NOT_A_NUMBER, tokens).tolist()
    best = [top(row, count) for row in logp]
    return Drawn(ids, stats, *_tops(best, [row[b] for row, b in zip(logp, best, strict=True)]))


def _tops(ids: Sequence[Ints], logprobs: Sequence[NDArray[np.float64]]) -> tuple[Ints | None, Floats | None]:
    widest = max((len(i) for i in ids), default=0)
    if not widest:
        return None, None
    top_ids = np.full((len(ids), widest), -1, np.int32)
    top_logprob = np.full((len(ids), widest), np.nan, np.float32)
    for i, (a, b) in enumerate(zip(ids, logprobs, strict=True)):
        top_ids[i, : len(a)], top_logprob[i, : len(b)] = a, b
    return top_ids, top_logprob
