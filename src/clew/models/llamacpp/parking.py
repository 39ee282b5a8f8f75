"""Paths that nobody extends: in which order they are given up, and the copies of those that have no slot.

Copying a path out costs far more when it needs memory that the process has not touched yet. So buffers are reused, and
what is unlikely to be asked for again is not copied at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.budget import Gauge
from clew.models.llamacpp.binding import Decoder, Snapshot, buffer_of
from clew.models.llamacpp.prefix_tree import PrefixTree
from clew.tree import Ints

_GRAIN = 1 << 21
_LOOSEST = 2
"""How many times too large a buffer may be for what is copied into it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a search may ask for again of a path that it has extended.

    going: leading tokens, as long as the search goes on. prompt: how many of them are its prompt's, which the next
    search may begin with. gauge: of the search.
    """

    going: int
    prompt: int
    gauge: Gauge

    @property
    def tokens(self) -> int:
        return min(self.going, self.prompt) if self.gauge.over else self.going


class Path:
    """A token path whose cells are held.

    tokens: int32[T], those that are computed. slot: where it sits, or None when it is parked. live: being extended.
    """

    __slots__ = ("_claim", "live", "number", "slot", "snapshot", "tokens")

    def __init__(self, number: int, tokens: Ints, slot: int | None) -> None:
        self.number = number
        self.tokens = tokens
        self.slot = slot
        self.live = True
        self.snapshot: Snapshot | None = None
        self._claim: Claim | None = None

    def claim(self, claim: Claim) -> None:
        """Nobody extends the path now; that is what is likely to be asked for again."""
        self._claim = claim

    @property
    def worth(self) -> int:
        """How many leading tokens are likely to be asked for again."""
        return len(self.tokens) if self._claim is None else min(self._claim.tokens, len(self.tokens))

    @property
    def over(self) -> bool:
        """Whether the search that extended it is over."""
        return self._claim is not None and self._claim.gauge.over

    @property
    def parked(self) -> bool:
        return self.snapshot is not None

    @property
    def ended(self) -> bool:
        """Whether its last tokens are unlikely to be asked for again."""
        return self.worth < len(self.tokens)


class Parking:
    """The paths that nobody extends, least recently used first.

    memory: bytes of copies at most, buffers kept for reuse included. tree: who holds what; who is dropped here is
    dropped there.
    """

    def __init__(self, memory: int, tree: PrefixTree[Path]) -> None:
        self._memory = memory
        self._tree = tree
        self._idle: OrderedDict[int, Path] = OrderedDict()
        self._spare: list[NDArray[np.uint8]] = []
        self._bytes = 0

    def __contains__(self, path: Path) -> bool:
        return path.number in self._idle

    def __iter__(self) -> Iterator[Path]:
        return iter(list(self._idle.values()))

    def add(self, path: Path) -> None:
        """A path is no longer extended."""
        path.live = False
        self._idle[path.number] = path

    def touch(self, path: Path) -> None:
        """A path was used just now."""
        self._idle.move_to_end(path.number)

    def wake(self, path: Path) -> None:
        """A path is extended again."""
        del self._idle[path.number]
        path.live = True

    def seated(self) -> Iterator[Path]:
        """The idle paths that still sit in slots."""
        return (p for p in self._idle.values() if p.slot is not None)

    def park(self, path: Path, decoder: Decoder, keep: Path | None) -> bool:
        """Copy a path's cells out; False where the memory does not allow it. `keep` is not evicted for it."""
        assert path.slot is not None
        buffer = self._buffer(decoder.snapshot_size(path.slot), keep)
        if buffer is None:
            return False
        path.snapshot = decoder.save(path.slot, buffer)
        return True

    def drop(self, path: Path) -> None:
        """Forget a path, idle or not; its buffer can be reused."""
        self._tree.drop(path.number)
        self._idle.pop(path.number, None)
        if path.snapshot is not None:
            self._spare.append(path.snapshot.buffer)
            path.snapshot = None

    def _buffer(self, size: int, keep: Path | None) -> NDArray[np.uint8] | None:
        room = -(-size // _GRAIN) * _GRAIN
        while True:
            fitting = [i for i, b in enumerate(self._spare) if room <= len(b) <= _LOOSEST * room]
            if fitting:
                return self._spare.pop(min(fitting, key=lambda i: len(self._spare[i])))
            if self._bytes + room <= self._memory:
                self._bytes += room
                return buffer_of(room)
            if self._spare:
                self._bytes -= len(self._spare.pop())
                continue
            parked = [p for p in self._idle.values() if p.parked and p is not keep]
            if not parked:
                return None
            self.drop(next((p for p in parked if self._tree.covered(p.number)), parked[0]))
