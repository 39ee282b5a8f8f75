"""How much memory a model may take, and for what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clew.errors import UsageError
from clew.models.llamacpp.binding import UBATCH, Weights

_LIMIT = 4 << 30
"""Bytes for keys and values at most where the user sets no limit."""
_FREE_SHARE = 3
"""One part in so many of what is free, at most, where the user sets no limit."""
_MODEST, _MODEST_SHARE = 576 << 20, 1.5
"""Bytes for keys and values, or how many times the weights if that is more, above which no more sequences than `FEW`
are computed at once, where the user sets no limit."""
_SMALLEST = 64 << 20
"""Bytes for keys and values at least."""
_COPIES_SHARE = 4
"""One part in so many of the memory for keys and values is for host copies, the rest for cells."""
FEW = 16
"""Sequences that are computed at once although they take more than is modest: long solutions should not be computed one
after the other."""
_SCORED_ROWS = 64
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Bytes that a model takes at most, by what for.

    weights: the model file, which the system maps. buffers: intermediate results and logits, an estimate. cells: keys
    and values of sequences in slots. copies: those swapped out. modest: of `cells`, what is taken for more than `FEW`
    sequences at once.
    """

    weights: int
    buffers: int
    cells: int
    copies: int
    modest: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.buffers + self.cells + self.copies


def plan(weights: Weights, live: int, limit: int | None) -> MemoryPlan:
    """What a model may take.

    live: sequences computed at once at most. limit: bytes that the user allows for everything; None for what clew
    thinks right.

    Raises UsageError for a limit that does not hold the weights and a few sequences.
    """
    # Logits: as computed, and as llama.cpp keeps them for whoever asked; hidden states: a dozen at a time.
    rows = 2 * 4 * weights.vocab_size * (live + _SCORED_ROWS)
    buffers = rows + UBATCH * 12 * 4 * weights.width
    if limit is None:
        cache = max(_SMALLEST, min(_LIMIT, _free() // _FREE_SHARE))
        modest = int(max(_MODEST, _MODEST_SHARE * weights.size))
    else:
        cache = modest = limit - weights.size - buffers
        if cache < _SMALLEST:
            least = -(-(weights.size + buffers + _SMALLEST) // _UNITS["M"])
            raise UsageError(f"{limit} bytes do not hold this model and its cache", f"Allow {least}M or more")
    copies = cache // _COPIES_SHARE
    cells = cache - copies
    return MemoryPlan(weights.size, buffers, cells, copies, min(cells, modest - modest // _COPIES_SHARE))


def bytes_of(amount: int | str) -> int:
    """An amount of memory in bytes: a number, or a text like `900M` or `1.5GB` (units of 1,024).

    Raises UsageError for anything else.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?)i?B?\s*", str(amount), re.IGNORECASE)
    if found is None:
        raise UsageError(f"{amount!r} is not an amount of memory", "Write 900M or 1.5G")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _free() -> int:
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return _FREE_SHARE * _LIMIT
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("MemAvailable"))
