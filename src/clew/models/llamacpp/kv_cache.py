"""The KV cache: sequences in llama.cpp's cells, idle ones swapped out to host memory, and the prefix tree over both.

A sequence that a request extends has a *slot* (a llama.cpp sequence number with cells of its own; a *cell* holds the
keys and values of one token). After its release it stays there until the slot is needed; then as much of it as is worth
keeping is swapped out (`swap_pool.py`). Copies are evicted when the memory for them is full, least recently used first.
So forking is a copy, rewinding a trim, and only what was evicted, or the end of a text that had ended, is ever computed
twice.

Slots are made as they are needed: few and short first, then more or longer ones, up to the memory allowed.

Every slot is in one of three states:

    free   --acquire-->   live   --release-->   idle   --acquire of another request-->   free, or live again
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clew.models.llamacpp.binding import MAX_SEQUENCES, Decoder, Snapshot, Weights, buffer_of
from clew.models.llamacpp.memory import FEW, MemoryPlan
from clew.models.llamacpp.prefix_tree import PrefixTree
from clew.models.llamacpp.swap_pool import GRAIN, CachedSequence, Retention, SwapPool
from clew.models.llamacpp.threads import ThreadControl
from clew.tree import Ints

_SHORTEST = 256
"""Tokens. The shortest slots that are made: llama.cpp makes none that are shorter."""
_FEWEST = 4
"""The fewest slots that are made where the memory allows: a search rarely extends fewer nodes for long."""


class KVCache:
    """All sequences of one model whose keys and values are held. Only the scheduler's thread may use it.

    weights: the loaded model. memory: bytes for cells and host copies. length_limit: tokens of one sequence at most.
    slot_limit: sequences in cells at most. threads: how many the decoder computes with.
    """

    def __init__(
        self, weights: Weights, *, memory: MemoryPlan, length_limit: int, slot_limit: int, threads: ThreadControl
    ) -> None:
        self._weights = weights
        self._threads = threads
        self._kv_bytes = weights.kv_bytes
        self._memory = memory
        self.length_limit = length_limit
        self._slot_limit = min(slot_limit, MAX_SEQUENCES)
        self.decoder: Decoder | None = None
        # What each slot of the decoder holds; None where it is free.
        self._slots: list[CachedSequence | None] = []
        self._tree: PrefixTree[CachedSequence] = PrefixTree()
        self._numbers = itertools.count()
        self._pool = SwapPool(memory.copies, self._tree)
        # The cells copied last, and the tokens they hold: the next fork of them need not copy them out again.
        self._scratch: NDArray[np.uint8] = buffer_of(GRAIN)
        self._copied: tuple[Ints, Snapshot] | None = None

    # --- what may be asked at any time; nothing changes -------------------------------------------------------------

    @property
    def length(self) -> int:
        """The most tokens that a sequence may have until `reserve` makes room for longer ones."""
        return self.decoder.length if self.decoder else 0

    def slots_for(self, length: int) -> int:
        """How many sequences of `length` tokens may be held in cells at once, at least one."""
        size = self._rounded(length) * self._kv_bytes
        room = max(min(FEW, self._memory.cells // size), self._memory.modest // size)
        return max(1, min(self._slot_limit, room))

    def match_prefix(self, tokens: Ints) -> int:
        """How many leading tokens of `tokens` are held, in a slot or as a copy, so that they can be gone on from."""
        return self._longest(tokens)[0]

    def taken(self) -> dict[str, int]:
        """Bytes that are taken now: `cells`, and host `copies`. From any thread."""
        decoder = self.decoder
        cells = decoder.slots * decoder.length * self._kv_bytes if decoder else 0
        return {"cells": cells, "copies": self._pool.taken}

    # --- the life of a sequence -------------------------------------------------------------------------------------

    def reserve(self, slots: int, length: int) -> None:
        """Make room for `slots` live sequences of `length` tokens, or as many as the memory holds.

        May rebuild the decoder: then live sequences get other slots, and idle ones are swapped out or evicted. No more
        sequences may be live than fit at `length`.

        Raises ModelError when the memory cannot be had.
        """
        length = self._rounded(length)
        now = self.decoder
        if now is not None:
            length = max(length, now.length)
        most = self.slots_for(length)
        # Powers of two, so that a search that grows rebuilds rarely.
        wanted = min(most, max(_FEWEST, 1 << (slots - 1).bit_length()))
        if now is not None:
            if length == now.length and wanted <= now.slots:
                return
            wanted = min(most, max(wanted, now.slots))
        self._rebuild(wanted, length)

    def acquire(self, tokens: Ints, limit: int) -> CachedSequence | None:
        """A live sequence whose slot holds the longest held prefix of `tokens`, at most `limit` tokens of it.

        The caller computes the rest, says so by `insert`, and gives the sequence back by `release`. None, with nothing
        changed, when every slot is live. `reserve` must have been called. May swap out or evict an idle sequence.
        """
        held, holder = self._longest(tokens[:limit])
        if holder is not None and not self._can_copy(holder, held):
            self._trim(holder, held)
        # 1. The holder itself is idle in a slot, and nothing is lost by trimming it: it goes on in place.
        if holder is not None and holder in self._pool and holder.slot is not None and self._expendable(holder, held):
            return self._reuse(holder, held)
        # 2. A free slot, or else the slot of a victim.
        slot = next((s for s, owner in enumerate(self._slots) if owner is None), None)
        if slot is None:
            victim = self._victim(tokens[:held], holder)
            if victim is None:
                return None
            # 2a. The victim begins with the same tokens: it is trimmed in place, nothing is copied.
            if victim.finished and self._trimmable(victim, tokens[:held]) and self._can_trim(victim, held):
                return self._reuse(victim, held)
            slot = _slot_of(victim)
        assert self.decoder is not None
        # 2b. The prefix is copied into the slot, unless its holder was the victim: then it is there already.
        here = holder is not None and holder.slot == slot
        self._vacate(slot, keep=holder)
        if holder is not None and not here:
            self._fork(holder, held, slot)
        else:
            self.decoder.trim(slot, held)
        sequence = CachedSequence(next(self._numbers), tokens[:held], slot)
        if holder is not None and holder in self._pool:
            self._pool.touch(holder)
        self._slots[slot] = sequence
        self._tree.insert(sequence.number, sequence, sequence.tokens)
        return sequence

    def insert(self, sequence: CachedSequence, tokens: Ints) -> None:
        """Say that a live sequence's cells now hold `tokens`, int32[T], so that others can share them.

        Changes the prefix tree; the cells must have been computed.
        """
        sequence.tokens = tokens
        self._tree.insert(sequence.number, sequence, tokens)

    def release(self, sequence: CachedSequence, tokens: Ints, retention: Retention) -> None:
        """Give a live sequence back: its cells hold `tokens` and stay until the room is needed.

        retention: how much is likely to be asked for again: all of a step, but no more than the beginning of an
        extension that ended the text. What is beyond that goes first, and is never swapped out.
        """
        self.insert(sequence, tokens)
        sequence.retain(retention)
        self._pool.add(sequence)

    def compact(self, live: Iterable[CachedSequence]) -> None:
        """Move live sequences so that their slots are 0 … n-1: llama.cpp computes only consecutive ones in one pass.

        live: all n live sequences. Idle ones that are in the way are swapped out or evicted.
        """
        sequences = sorted(live, key=_slot_of)
        count = len(sequences)
        taken = {s.slot for s in sequences}
        holes = [s for s in range(count) if s not in taken]
        # As many sequences lie behind slot n-1 as there are holes before it; the last ones move.
        for hole, sequence in zip(holes, reversed(sequences), strict=False):
            self._vacate(hole)
            old = _slot_of(sequence)
            self._move(sequence, hole)
            self._slots[hole], self._slots[old] = sequence, None
            sequence.slot = hole

    def clear(self) -> None:
        """Forget everything (after a failure: nothing is known of what the cells hold). No sequence stays usable."""
        for sequence in [*self._pool, *filter(None, self._slots)]:
            self._pool.evict(sequence)
        self.close()

    def close(self) -> None:
        """Free the cells. Idempotent; `reserve` makes new ones."""
        if self.decoder is not None:
            self.decoder.close()
            self.decoder = None
        self._slots = []
        self._copied = None

    def rest(self) -> None:
        """Give the cells back: what idle sequences are worth is swapped out as far as there is memory for copies.

        No sequence may be live. `reserve` makes new cells.
        """
        for slot in range(len(self._slots)):
            self._vacate(slot)
        self._scratch = buffer_of(GRAIN)
        self._pool.drop_spare()
        self.close()

    def check_integrity(self) -> None:
        """Raise AssertionError where slots, pool, prefix tree and llama.cpp's cells disagree; for tests."""
        self._pool.check_integrity()
        in_slots = [s for s in self._slots if s is not None]
        known = {s.number: s for s in [*in_slots, *self._pool]}
        assert self._tree.sequences() == {number: s.tokens.tolist() for number, s in known.items()}
        for slot, sequence in enumerate(self._slots):
            if sequence is not None:
                assert sequence.slot == slot and not sequence.swapped_out
                assert sequence.live == (sequence not in self._pool), "a sequence is live or in the pool"
                assert self.decoder is not None
                cells = self.decoder.cells(slot)
                assert cells == len(sequence.tokens) or (sequence.live and cells > len(sequence.tokens))
        for sequence in self._pool:
            assert sequence.slot is None or self._slots[sequence.slot] is sequence

    # --- underneath -------------------------------------------------------------------------------------------------

    def _rounded(self, length: int) -> int:
        """`length` in tokens, rounded up to what slots are made for: doublings, so that rebuilds stay few."""
        size = _SHORTEST
        while size < length:
            size *= 2
        # llama.cpp rounds a sequence's cells up to 256.
        return min(size, -(-self.length_limit // 256) * 256)

    def _longest(self, tokens: Ints) -> tuple[int, CachedSequence | None]:
        """The longest prefix of `tokens` that is held and can be gone on from, and one that holds it; 0 and None where
        there is none. Changes nothing."""
        held, holder = self._tree.match_prefix(tokens)
        if holder is None or self._can_copy(holder, held):
            return held, holder
        # It can, if it loses what is beyond: only where that is not likely to be asked for.
        cut = holder.slot is not None and not holder.live and holder.worth <= held and self._can_trim(holder, held)
        return (held, holder) if cut else (0, None)

    def _can_trim(self, sequence: CachedSequence, kept: int) -> bool:
        """Whether a sequence in a slot can be gone on from after its first `kept` tokens: layers with a sliding window
        must hold all that the next token sees. Without such layers it always can."""
        assert self.decoder is not None
        return self.decoder.first(_slot_of(sequence)) <= max(0, kept - self.decoder.window)

    def _can_copy(self, sequence: CachedSequence, kept: int) -> bool:
        """Whether a copy of a sequence can be gone on from after its first `kept` tokens, as `_can_trim` says."""
        if sequence.snapshot is not None:
            first = sequence.snapshot.first
        else:
            assert self.decoder is not None
            first = self.decoder.first_saved(_slot_of(sequence))
        return first == 0 or (self.decoder is not None and first <= kept - self.decoder.window)

    def _expendable(self, sequence: CachedSequence, kept: int) -> bool:
        """Whether trimming an idle sequence to `kept` tokens loses nothing.

        While its search goes on, its finished texts count in full here: trimming one would lose what a rewind may ask
        for, as long as slots are free. Once the search is over only what is worth keeping counts.
        """
        needed = sequence.worth if sequence.over else len(sequence.tokens)
        return needed <= kept or self._tree.covered(sequence.number)

    def _reuse(self, sequence: CachedSequence, kept: int) -> CachedSequence:
        """Make an idle sequence in a slot live again at its first `kept` tokens; what was beyond is lost."""
        self._trim(sequence, kept)
        self._pool.take(sequence)
        return sequence

    def _trim(self, sequence: CachedSequence, kept: int) -> None:
        """Drop the cells of a sequence in a slot beyond the first `kept`."""
        assert self.decoder is not None
        self.decoder.trim(_slot_of(sequence), kept)
        self.insert(sequence, sequence.tokens[:kept])

    def _victim(self, shared: Ints, source: CachedSequence | None) -> CachedSequence | None:
        """The idle sequence that gives up its slot to one that begins with `shared`; None where all are live.

        Eviction order: 1. the oldest finished one with prefix `shared`, which is trimmed in place; 2. the oldest
        finished one; 3. where none is finished, the oldest idle one. In 2 and 3 `source`, which `shared` will be copied
        from, is passed over; where that leaves none, the oldest idle one goes, be it `source`.
        """
        idle = list(self._pool.in_slots())
        finished = [s for s in idle if s.finished]
        alike = next((s for s in finished if self._trimmable(s, shared)), None)
        others = [s for s in (finished or idle) if s is not source]
        return alike or next(iter(others or idle), None)

    @staticmethod
    def _trimmable(sequence: CachedSequence, shared: Ints) -> bool:
        """Whether a sequence begins with `shared`, and is worth no more than that."""
        size = len(shared)
        return sequence.worth <= size <= len(sequence.tokens) and np.array_equal(sequence.tokens[:size], shared)

    def _vacate(self, slot: int, keep: CachedSequence | None = None) -> None:
        """Free a slot that is not live. `keep` is not evicted for it."""
        sequence = self._slots[slot]
        # 1. It is free: nothing to do.
        if sequence is None:
            return
        assert not sequence.live and self.decoder is not None
        # 2. Of a finished sequence only the part worth keeping is copied.
        if sequence.finished:
            self._trim(sequence, sequence.worth)
        # 3. Evicted where another sequence holds the same tokens, or where there is no memory for a copy; else swapped
        # out.
        if self._tree.covered(sequence.number) or not self._pool.swap_out(sequence, self.decoder, keep):
            self._pool.evict(sequence)
        self._slots[slot] = None
        sequence.slot = None

    def _fork(self, holder: CachedSequence, held: int, slot: int) -> None:
        """Copy the first `held` tokens of a sequence into a free slot. The holder keeps what it has."""
        assert self.decoder is not None
        # 1. The holder is swapped out: its copy is swapped in here, and stays in the pool for the next fork.
        if holder.snapshot is not None:
            self.decoder.restore(slot, holder.snapshot)
        # 2. It is in a slot: by way of the scratch buffer, which may hold these tokens already, from the fork before.
        else:
            tokens = holder.tokens[:held]
            known = self._copied is not None and self._copied[1].first <= max(0, held - self.decoder.window)
            if self._copied is None or not known or not np.array_equal(self._copied[0][:held], tokens):
                self._copied = (holder.tokens, self._copied_out(holder))
            self.decoder.restore(slot, self._copied[1])
        self.decoder.trim(slot, held)

    def _move(self, sequence: CachedSequence, slot: int) -> None:
        """Copy all of a live sequence, which holds more than its `tokens` say, into another slot."""
        assert self.decoder is not None
        self._copied = None
        self.decoder.restore(slot, self._copied_out(sequence))

    def _copied_out(self, sequence: CachedSequence) -> Snapshot:
        """A sequence's cells in the scratch buffer, valid until the next call."""
        assert self.decoder is not None
        size = self.decoder.snapshot_size(_slot_of(sequence))
        if size > len(self._scratch):
            # Twice as large as asked, so that a sequence that grows does not need a new buffer each time.
            self._scratch = buffer_of(-(-2 * size // GRAIN) * GRAIN)
        return self.decoder.save(_slot_of(sequence), self._scratch)

    def _rebuild(self, slots: int, length: int) -> None:
        """Replace the decoder by one of `slots` slots of `length` tokens; live sequences move over."""
        moved: list[tuple[CachedSequence, Snapshot]] = []
        old = self.decoder
        if old is not None:
            for sequence in filter(None, list(self._slots)):
                if sequence.live:
                    buffer = buffer_of(-(-old.snapshot_size(_slot_of(sequence)) // GRAIN) * GRAIN)
                    moved.append((sequence, old.save(_slot_of(sequence), buffer)))
                else:
                    self._vacate(_slot_of(sequence))
            # The old cells go first: the two together may not fit.
            self.close()
        self.decoder = Decoder(self._weights, slots, length, self._threads)
        self._slots = [None] * slots
        for slot, (sequence, snapshot) in enumerate(moved):
            self.decoder.restore(slot, snapshot)
            sequence.slot = slot
            self._slots[slot] = sequence


def _slot_of(sequence: CachedSequence) -> int:
    assert sequence.slot is not None
    return sequence.slot
