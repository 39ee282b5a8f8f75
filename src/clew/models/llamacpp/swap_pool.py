"""Pool of idle KV sequences in least-recently-used order, with host copies of those swapped out.

A copy goes to ordinary memory and comes back in a fraction of the time of computing one token. Making one costs far
more when it needs memory that the process has not touched yet. So buffers are reused, and what is unlikely to be asked
for again is not copied at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.ledger import Gauge
from clew.models.llamacpp.binding import Decoder, Snapshot, buffer_of
from clew.models.llamacpp.prefix_tree import PrefixTree
from clew.tree import Ints

GRAIN = 1 << 21
"""Bytes. Buffers are a multiple of this, the size of a huge page: fewer page faults, and fewer sizes, so that a buffer
fits the next copy more often."""
_LOOSEST = 2
"""A buffer is reused for a copy when it is at most this many times too large: more would waste the pool's memory."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many leading tokens of a released sequence are worth keeping.

    going: tokens, while the search goes on. prompt: tokens, once it is over: its prompt, which the next search of the
    same problem begins with. gauge: meter of the search, which tells when it is over.
    """

    going: int
    prompt: int
    gauge: Gauge

    @property
    def tokens(self) -> int:
        """The count as of now; it falls when the search ends."""
        return min(self.going, self.prompt) if self.gauge.over else self.going


class CachedSequence:
    """Tokens whose keys and values are held: in a slot, or as a copy in the swap pool.

    number: its name in the prefix tree. tokens: int32[T], those that are computed and that others may share.
    slot: llama.cpp's sequence number, or None when it is swapped out. live: whether a request extends it now.
    snapshot: the host copy of one that is swapped out. A sequence has a slot or a snapshot, never both; a live one has
    a slot. One that was evicted has neither, and nobody refers to it.
    """

    __slots__ = ("_retention", "live", "number", "slot", "snapshot", "tokens")

    def __init__(self, number: int, tokens: Ints, slot: int | None) -> None:
        self.number = number
        self.tokens = tokens
        self.slot = slot
        self.live = True
        self.snapshot: Snapshot | None = None
        self._retention: Retention | None = None

    def retain(self, retention: Retention) -> None:
        """Say how much is worth keeping from now on. Changes `worth`, `over` and `finished`, no cell."""
        self._retention = retention

    @property
    def worth(self) -> int:
        """How many leading tokens are likely to be asked for again."""
        return len(self.tokens) if self._retention is None else min(self._retention.tokens, len(self.tokens))

    @property
    def over(self) -> bool:
        """Whether the search that extended it is closed or out of budget."""
        return self._retention is not None and self._retention.gauge.over

    @property
    def swapped_out(self) -> bool:
        """Whether only a host copy is left of it."""
        return self.snapshot is not None

    @property
    def finished(self) -> bool:
        """Whether its last tokens are unlikely to be asked for again: its text has ended, or its search is over."""
        return self.worth < len(self.tokens)


class SwapPool:
    """The idle sequences, in slots or swapped out, in the order in which they were last used.

    memory: bytes of host copies at most, spare buffers included. tree: which sequence holds which tokens; what is
    evicted here is removed there.
    """

    def __init__(self, memory: int, tree: PrefixTree[CachedSequence]) -> None:
        self._memory = memory
        self._tree = tree
        # By number, least recently used first.
        self._idle: OrderedDict[int, CachedSequence] = OrderedDict()
        # Buffers of evicted copies, for the next ones.
        self._spare: list[NDArray[np.uint8]] = []
        # Of all buffers, in use or spare.
        self._bytes = 0

    def __contains__(self, sequence: CachedSequence) -> bool:
        return sequence.number in self._idle

    def __iter__(self) -> Iterator[CachedSequence]:
        return iter(list(self._idle.values()))

    @property
    def taken(self) -> int:
        """Bytes of all buffers."""
        return self._bytes

    def in_slots(self) -> Iterator[CachedSequence]:
        """The idle sequences that still have slots, least recently used first."""
        return (s for s in self._idle.values() if s.slot is not None)

    def add(self, sequence: CachedSequence) -> None:
        """Take in a live sequence, which becomes the most recently used idle one."""
        sequence.live = False
        self._idle[sequence.number] = sequence

    def touch(self, sequence: CachedSequence) -> None:
        """Make an idle sequence the most recently used one."""
        self._idle.move_to_end(sequence.number)

    def take(self, sequence: CachedSequence) -> None:
        """Give an idle sequence that has a slot back to a request: it is live again."""
        del self._idle[sequence.number]
        sequence.live = True

    def swap_out(self, sequence: CachedSequence, decoder: Decoder, keep: CachedSequence | None) -> bool:
        """Copy an idle sequence's cells to host memory; False, with nothing copied, where the memory does not allow it.

        Makes its `snapshot`; the caller takes the slot away. May evict other swapped out sequences, never `keep`.
        """
        assert sequence.slot is not None
        buffer = self._buffer(decoder.snapshot_size(sequence.slot), keep)
        if buffer is None:
            return False
        sequence.snapshot = decoder.save(sequence.slot, buffer)
        return True

    def evict(self, sequence: CachedSequence) -> None:
        """Forget a sequence, idle or not: it leaves the pool and the prefix tree, and its buffer can be reused.

        The caller frees its slot, where it has one.
        """
        self._tree.remove(sequence.number)
        self._idle.pop(sequence.number, None)
        if sequence.snapshot is not None:
            self._spare.append(sequence.snapshot.buffer)
            sequence.snapshot = None

    def _buffer(self, size: int, keep: CachedSequence | None) -> NDArray[np.uint8] | None:
        """A buffer of at least `size` bytes, or None. The cheapest source first."""
        room = -(-size // GRAIN) * GRAIN
        while True:
            # 1. A spare buffer, the tightest that fits.
            fitting = [i for i, b in enumerate(self._spare) if room <= len(b) <= _LOOSEST * room]
            if fitting:
                return self._spare.pop(min(fitting, key=lambda i: len(self._spare[i])))
            # 2. New memory, while there is some left.
            if self._bytes + room <= self._memory:
                self._bytes += room
                return buffer_of(room)
            # 3. The memory of spare buffers that do not fit.
            if self._spare:
                self._bytes -= len(self._spare.pop())
                continue
            # 4. The buffer of an evicted copy: the oldest whose tokens others hold too, else the oldest.
            swapped = [s for s in self._idle.values() if s.swapped_out and s is not keep]
            if not swapped:
                return None
            self.evict(next((s for s in swapped if self._tree.covered(s.number)), swapped[0]))

    def drop_spare(self) -> None:
        """Give the memory of buffers back that hold no copy."""
        self._bytes -= sum(map(len, self._spare))
        self._spare.clear()

    def check_integrity(self) -> None:
        """Raise AssertionError where the bookkeeping contradicts itself; for tests."""
        for number, sequence in self._idle.items():
            assert sequence.number == number and not sequence.live
            assert (sequence.slot is None) == sequence.swapped_out, "an idle sequence has a slot or a copy"
        copies = [s.snapshot.buffer for s in self._idle.values() if s.snapshot is not None]
        assert self._bytes == sum(map(len, [*copies, *self._spare])) <= self._memory
