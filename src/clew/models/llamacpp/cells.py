"""The KV cache: sequences in llama.cpp's cells, paths parked outside them, and the prefix tree over both.

A path that is being extended sits in a *slot* (a llama.cpp sequence with cells of its own). A path that nobody extends
stays in its slot until the slot is needed; then as much of it as is worth keeping is parked: its cells are copied to
ordinary memory, from where they come back in a fraction of the time of computing one token. Parked paths are evicted
when the memory for them is full, least recently used first. So forking is a copy, rewinding a trim, and only what was
evicted, or the end of a text that had ended, is ever computed twice.

Cells are made as they are needed: few and short first, then more or longer ones, up to the memory allowed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clew.models.llamacpp.binding import MAX_SEQUENCES, Decoder, Snapshot, Weights, buffer_of
from clew.models.llamacpp.parking import Claim, Parking, Path
from clew.models.llamacpp.prefix_tree import PrefixTree
from clew.tree import Ints

_GRAIN = 1 << 21
_SHORTEST = 512
_FEWEST = 4


class Cells:
    """All held paths of one model.

    length_limit: the most tokens of one sequence. memory: bytes for cells, a part of them for parked paths.
    """

    def __init__(self, weights: Weights, *, memory: int, length_limit: int, slot_limit: int, threads: int) -> None:
        self._weights = weights
        self._threads = threads
        self._kv_bytes = weights.kv_bytes
        self._seating = memory - memory // 4
        self.length_limit = length_limit
        self._slot_limit = min(slot_limit, MAX_SEQUENCES)
        self.decoder: Decoder | None = None
        self._seats: list[Path | None] = []
        self._tree: PrefixTree[Path] = PrefixTree()
        self._numbers = itertools.count()
        self._parking = Parking(memory // 4, self._tree)
        # The cells copied last, and the path they hold: the next fork of it need not copy them out again.
        self._scratch: NDArray[np.uint8] = buffer_of(_GRAIN)
        self._copied: tuple[Ints, Snapshot] | None = None

    def slots_for(self, length: int) -> int:
        """How many sequences of `length` tokens the memory holds at once."""
        return max(1, min(self._slot_limit, self._seating // (self._rounded(length) * self._kv_bytes)))

    def match(self, tokens: Ints) -> int:
        """How many leading tokens of this path are held."""
        return self._tree.find(tokens)[0]

    def reserve(self, slots: int, length: int) -> None:
        """Make room for `slots` live sequences of `length` tokens, or as many as the memory holds.

        Raises ModelError when the memory cannot be had.
        """
        length = self._rounded(length)
        now = self.decoder
        if now is not None:
            length = max(length, now.length)
        most = self.slots_for(length)
        wanted = min(most, max(_FEWEST, 1 << (slots - 1).bit_length()))
        if now is not None:
            if length == now.length and wanted <= now.slots:
                return
            wanted = min(most, max(wanted, now.slots))
        self._rebuild(wanted, length)

    @property
    def length(self) -> int:
        """The most tokens that a sequence may have until `reserve` makes room for longer ones."""
        return self.decoder.length if self.decoder else 0

    def seat(self, tokens: Ints, limit: int) -> Path | None:
        """A live path in a slot that holds the longest held prefix of `tokens`, at most `limit` tokens of it.

        None when every slot is taken by a live path.
        """
        held, holder = self._tree.find(tokens[:limit])
        if holder is not None and holder in self._parking and holder.slot is not None and self._spent(holder, held):
            return self._cut(holder, held)
        slot = next((s for s, p in enumerate(self._seats) if p is None), None)
        if slot is None:
            victim = self._victim(tokens[:held], holder)
            if victim is None:
                return None
            if victim.ended and self._begins(victim, tokens[:held]):
                return self._cut(victim, held)
            slot = _slot_of(victim)
        assert self.decoder is not None
        here = holder is not None and holder.slot == slot
        self._vacate(slot, keep=holder)
        if holder is not None and not here:
            self._fork(holder, held, slot)
        else:
            self.decoder.trim(slot, held)
        path = Path(next(self._numbers), tokens[:held], slot)
        if holder is not None and holder in self._parking:
            self._parking.touch(holder)
        self._seats[slot] = path
        self._tree.put(path.number, path, path.tokens)
        return path

    def hold(self, path: Path, tokens: Ints) -> None:
        """Say that a live path's cells now hold `tokens`, so that others can share them."""
        path.tokens = tokens
        self._tree.put(path.number, path, tokens)

    def leave(self, path: Path, tokens: Ints, claim: Claim) -> None:
        """The path is no longer extended; its cells hold `tokens` and stay until the room is needed.

        claim: what is likely to be asked for again: all of a step, but no more than the beginning of an extension that
        ended the text. What is beyond that goes first, and is not copied out.
        """
        self.hold(path, tokens)
        path.claim(claim)
        self._parking.add(path)

    def arrange(self, live: Iterable[Path]) -> None:
        """Move live paths so that their slots are 0 … n-1: llama.cpp computes only consecutive ones in one pass."""
        paths = sorted(live, key=_slot_of)
        count = len(paths)
        taken = {p.slot for p in paths}
        holes = [s for s in range(count) if s not in taken]
        for hole, path in zip(holes, reversed(paths), strict=False):
            self._vacate(hole)
            old = _slot_of(path)
            self._move(path, hole)
            self._seats[hole], self._seats[old] = path, None
            path.slot = hole

    def clear(self) -> None:
        """Forget everything (after a failure: nothing is known of what the cells hold)."""
        for path in [*self._parking, *filter(None, self._seats)]:
            self._parking.drop(path)
        self.close()

    def close(self) -> None:
        if self.decoder is not None:
            self.decoder.close()
            self.decoder = None
        self._seats = []
        self._copied = None

    # --- underneath -----------------------------------------------------------------------------------------------

    def _rounded(self, length: int) -> int:
        size = _SHORTEST
        while size < length:
            size *= 2
        return min(size, -(-self.length_limit // 256) * 256)

    def _spent(self, path: Path, kept: int) -> bool:
        """Whether cutting an idle path to `kept` tokens loses nothing."""
        lost = path.worth if path.over else len(path.tokens)
        return lost <= kept or self._tree.covered(path.number)

    def _cut(self, path: Path, kept: int) -> Path:
        """Wake an idle path at its first `kept` tokens."""
        self._trim(path, kept)
        self._parking.wake(path)
        return path

    def _trim(self, path: Path, kept: int) -> None:
        assert self.decoder is not None
        self.decoder.trim(_slot_of(path), kept)
        self.hold(path, path.tokens[:kept])

    def _victim(self, shared: Ints, source: Path | None) -> Path | None:
        """Whose slot to take for a path that begins with `shared`: of the texts that have ended, the oldest that begins
        so too and need only be cut, or the oldest; else the oldest of all, the one to be copied last."""
        idle = list(self._parking.seated())
        ended = [p for p in idle if p.ended]
        alike = next((p for p in ended if self._begins(p, shared)), None)
        others = [p for p in (ended or idle) if p is not source]
        return alike or next(iter(others or idle), None)

    @staticmethod
    def _begins(path: Path, shared: Ints) -> bool:
        """Whether a path can be cut to `shared` without losing what it is worth."""
        size = len(shared)
        return path.worth <= size <= len(path.tokens) and np.array_equal(path.tokens[:size], shared)

    def _vacate(self, slot: int, keep: Path | None = None) -> None:
        """Park what idles in a slot, or forget it where others hold the same. `keep` is not evicted for it."""
        path = self._seats[slot]
        if path is None:
            return
        assert not path.live and self.decoder is not None
        if path.ended:
            self._trim(path, path.worth)
        if self._tree.covered(path.number) or not self._parking.park(path, self.decoder, keep):
            self._parking.drop(path)
        self._seats[slot] = None
        path.slot = None

    def _fork(self, holder: Path, held: int, slot: int) -> None:
        """Copy the first `held` tokens of a path into a slot."""
        assert self.decoder is not None
        if holder.snapshot is not None:
            self.decoder.restore(slot, holder.snapshot)
        else:
            tokens = holder.tokens[:held]
            if self._copied is None or not np.array_equal(self._copied[0][:held], tokens):
                self._copied = (holder.tokens, self._copied_out(holder))
            self.decoder.restore(slot, self._copied[1])
        self.decoder.trim(slot, held)

    def _move(self, path: Path, slot: int) -> None:
        """Copy all of a live path, which holds more than its `tokens` say, into another slot."""
        assert self.decoder is not None
        self._copied = None
        self.decoder.restore(slot, self._copied_out(path))

    def _copied_out(self, path: Path) -> Snapshot:
        assert self.decoder is not None
        size = self.decoder.snapshot_size(_slot_of(path))
        if size > len(self._scratch):
            self._scratch = buffer_of(-(-2 * size // _GRAIN) * _GRAIN)
        return self.decoder.save(_slot_of(path), self._scratch)

    def _rebuild(self, slots: int, length: int) -> None:
        moved: list[tuple[Path, Snapshot]] = []
        old = self.decoder
        if old is not None:
            for path in filter(None, list(self._seats)):
                if path.live:
                    buffer = buffer_of(-(-old.snapshot_size(_slot_of(path)) // _GRAIN) * _GRAIN)
                    moved.append((path, old.save(_slot_of(path), buffer)))
                else:
                    self._vacate(_slot_of(path))
            # The old cells go first: the two together may not fit.
            self.close()
        self.decoder = Decoder(self._weights, slots, length, self._threads)
        self._seats = [None] * slots
        for slot, (path, snapshot) in enumerate(moved):
            self.decoder.restore(slot, snapshot)
            path.slot = slot
            self._seats[slot] = path


def _slot_of(path: Path) -> int:
    assert path.slot is not None
    return path.slot
