"""One batch: the next token of all that is decoding, and a share of what is not prefilled or scored yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clew.models.llamacpp.binding import BATCH, Decoder
from clew.models.llamacpp.request import Request, RequestState
from clew.tree import Ints

_PREFILL = 512
"""Tokens prefilled or scored in one turn at most: what is decoding waits for no more than these."""
_SCORED_ROWS = 64
"""Rows of logits computed for scoring in one turn at most: each is as large as the vocabulary (float32), and llama.cpp
keeps all of a batch in memory."""


@dataclass(slots=True, eq=False)
class Batch:
    """Rows of logits by who wanted them. They are llama.cpp's, and valid until the next batch.

    rows: uintp[R], their addresses. drawing: who draws from which row. scored: whose tokens' rows begin where, and how
    many there are.
    """

    rows: NDArray[np.uintp] = field(default_factory=lambda: np.zeros(0, np.uintp))
    drawing: list[tuple[Request, int]] = field(default_factory=list)
    scored: list[tuple[Request, int, int]] = field(default_factory=list)


def compute(decoder: Decoder, requests: Sequence[Request]) -> Batch:
    """Compute one batch for running requests, whose sequences lie in slots 0 … n-1 in this order.

    Fills cells of the decoder and raises each request's `computed` by as much; nothing else changes.

    Raises ModelError when llama.cpp fails.
    """
    if any(r.state is not RequestState.DECODING for r in requests):
        return _mixed(decoder, requests)
    # The usual case: one token each, and every one of them with logits.
    count = len(requests)
    decoder.token[:count] = [r.generated[-1] for r in requests]
    decoder.position[:count] = [r.computed for r in requests]
    decoder.sequence[:count] = np.arange(count)
    decoder.wanted[:count] = 1
    rows = _addresses(decoder, decoder.decode(count), count)
    for request in requests:
        request.computed += 1
    return Batch(rows, [(request, i) for i, request in enumerate(requests)])


def _mixed(decoder: Decoder, requests: Sequence[Request]) -> Batch:
    """A batch in which some are prefilling or scoring; what has no share left in it waits for the next one."""
    batch = Batch()
    share = min(_PREFILL, BATCH - len(requests))
    rows_left = _SCORED_ROWS
    at = rows = 0
    for slot, request in enumerate(requests):
        part, wanted = _part(request, share, rows_left)
        count, outputs = len(part), int(wanted.sum())
        if not count:
            continue
        decoder.token[at : at + count] = part
        decoder.position[at : at + count] = np.arange(request.computed, request.computed + count)
        decoder.sequence[at : at + count] = slot
        decoder.wanted[at : at + count] = wanted
        if request.state is not RequestState.DECODING:
            share -= count
        if request.state is RequestState.SCORING:
            batch.scored.append((request, rows, outputs))
            rows_left -= outputs
        elif outputs:
            batch.drawing.append((request, rows))
        rows += outputs
        at += count
        request.computed += count
    batch.rows = _addresses(decoder, decoder.decode(at), rows)
    return batch


def _part(request: Request, share: int, rows_left: int) -> tuple[Ints, NDArray[np.int8]]:
    """The tokens of a request that this batch computes, int32[T], and after which of them logits are wanted, int8[T].

    share: tokens that may be prefilled or scored yet. rows_left: rows of logits that may be computed for scoring yet.
    """
    if request.state is RequestState.DECODING:
        return np.array(request.generated[-1:], np.int32), np.ones(1, np.int8)
    left = len(request.prefill) - request.computed
    if request.state is RequestState.PREFILLING:
        part = request.prefill[request.computed : request.computed + max(min(share, left), 0)]
        wanted = np.zeros(len(part), np.int8)
        # Logits after the last token of the context, once it is reached.
        if len(part) and len(part) == left:
            wanted[-1] = 1
        return part, wanted
    # The first score is read after the last token of the context: what comes before it needs no logits.
    unscored = max(len(request.context) - 1 - request.computed, 0)
    take = min(share, left, unscored + rows_left)
    part = request.prefill[request.computed : request.computed + max(take, 0)]
    wanted = np.zeros(len(part), np.int8)
    wanted[unscored:] = 1
    return part, wanted


def _addresses(decoder: Decoder, base: int, rows: int) -> NDArray[np.uintp]:
    return (base + 4 * decoder.vocab_size * np.arange(rows)).astype(np.uintp)
