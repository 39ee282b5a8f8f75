"""What one turn computes: the next token of all that generates, and a share of what is not computed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clew.models.llamacpp.binding import BATCH, Decoder
from clew.models.llamacpp.job import Job
from clew.tree import Ints

_PREFILL = 512
"""Prompt tokens computed in one turn at most: what is generating waits for no more than these."""
_SCORED_ROWS = 64


@dataclass(slots=True, eq=False)
class Batch:
    """Rows of logits by who wanted them.

    rows: uintp[R], their addresses. drawing: who draws from which row. scored: whose tokens' rows begin where, and how
    many there are.
    """

    rows: NDArray[np.uintp] = field(default_factory=lambda: np.zeros(0, np.uintp))
    drawing: list[tuple[Job, int]] = field(default_factory=list)
    scored: list[tuple[Job, int, int]] = field(default_factory=list)


def compute(decoder: Decoder, jobs: Sequence[Job]) -> Batch:
    """Compute one batch for live jobs, which lie in slots 0 … n-1 in this order.

    Raises ModelError when llama.cpp fails.
    """
    if any(j.target is not None for j in jobs):
        return _mixed(decoder, jobs)
    count = len(jobs)
    decoder.token[:count] = [j.generated[-1] for j in jobs]
    decoder.position[:count] = [j.done for j in jobs]
    decoder.sequence[:count] = np.arange(count)
    decoder.wanted[:count] = 1
    rows = _addresses(decoder, decoder.decode(count), count)
    for job in jobs:
        job.done += 1
    return Batch(rows, [(job, i) for i, job in enumerate(jobs)])


def _mixed(decoder: Decoder, jobs: Sequence[Job]) -> Batch:
    batch = Batch()
    share = min(_PREFILL, BATCH - len(jobs))
    rows_left = _SCORED_ROWS
    at = rows = 0
    for slot, job in enumerate(jobs):
        part, wanted = _part(job, share, rows_left)
        count, outputs = len(part), int(wanted.sum())
        if not count:
            continue
        decoder.token[at : at + count] = part
        decoder.position[at : at + count] = np.arange(job.done, job.done + count)
        decoder.sequence[at : at + count] = slot
        decoder.wanted[at : at + count] = wanted
        if job.target is not None:
            share -= count
        if job.forced is not None:
            batch.scored.append((job, rows, outputs))
            rows_left -= outputs
        elif outputs:
            batch.drawing.append((job, rows))
        rows += outputs
        at += count
        job.done += count
    batch.rows = _addresses(decoder, decoder.decode(at), rows)
    return batch


def _part(job: Job, share: int, rows_left: int) -> tuple[Ints, NDArray[np.int8]]:
    """The tokens of a job that this batch computes, and after which of them logits are wanted."""
    if job.target is None:
        return np.array(job.generated[-1:], np.int32), np.ones(1, np.int8)
    take = min(share, len(job.target) - job.done)
    unscored = max(len(job.context) - 1 - job.done, 0)
    if job.forced is not None:
        take = min(take, unscored + rows_left)
    part = job.target[job.done : job.done + max(take, 0)]
    wanted = np.zeros(len(part), np.int8)
    if job.forced is not None:
        wanted[unscored:] = 1
    elif len(part) and job.done + take == len(job.target):
        wanted[-1] = 1
    return part, wanted


def _addresses(decoder: Decoder, base: int, rows: int) -> NDArray[np.uintp]:
    return (base + 4 * decoder.vocab_size * np.arange(rows)).astype(np.uintp)
