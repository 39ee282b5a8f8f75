"""Continuous batching: every continuation of every search that is in flight advances by one token a turn, in one batch.

One worker thread owns the KV cache and the model. A turn admits what waits, computes one batch (one token of everything
that is decoding, and a share of what is not prefilled yet), draws, and retires what has ended.

A context that several continuations start from is computed once, also when they come in different calls: the first one
leads, the others wait for it; and a context that begins like one being computed waits until that part is done.
"""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict, deque

import numpy as np
from numpy.typing import NDArray

from clew.errors import ClewError, ModelError
from clew.models.llamacpp.batch import compute
from clew.models.llamacpp.kv_cache import KVCache
from clew.models.llamacpp.request import Request, RequestGroup, RequestState, digest
from clew.models.llamacpp.sampler import NOT_A_NUMBER, observe, sample
from clew.models.llamacpp.swap_pool import CachedSequence, Retention
from clew.models.llamacpp.text import Vocabulary
from clew.tree import Finish, Floats, Ints, common

_ROW_BYTES = 32 << 20
"""Bytes for kept rows of logits: about 170 at a vocabulary of 49,000, more than the nodes that a search returns to."""
_FEWEST_ROWS = 8
"""Rows of logits that are kept however large the vocabulary is."""
_OWED = 1 << 14
"""Entries of `_owed` at most, 16 bytes each: far more sequences than the cache holds."""
_REST = 5.0
"""Seconds without any request after which the cells are given back: making them again takes a tenth of a second."""
_GRACE = 0.002
"""Seconds that a turn waits for who was just answered to ask again: enough for an event loop, little beside a batch."""


class Scheduler:
    """The worker. All methods but `submit`, `wake` and `close` run on its thread.

    A request is in `_waiting` or in `_running`, never in both; one in `_running` has a live sequence in the KV cache.
    """

    def __init__(self, cache: KVCache, vocabulary: Vocabulary, *, vocab_size: int, live_limit: int) -> None:
        self._cache = cache
        self._vocabulary = vocabulary
        self._vocab_size = vocab_size
        self._live_limit = live_limit
        # The only state that other threads touch, under the lock of `_changed`.
        self._inbox: deque[RequestGroup] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._waiting: deque[Request] = deque()
        self._running: list[Request] = []
        # Logits at the end of contexts, so that later continuations of the same one need not compute its end again.
        self._rows: OrderedDict[bytes, Floats] = OrderedDict()
        # Digests of sequences whose last token was drawn but not computed: to compute it is generating, not prefilling.
        self._owed: OrderedDict[bytes, None] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="clew-llamacpp", daemon=True)
        self._thread.start()

    def submit(self, group: RequestGroup) -> None:
        """Take requests on; their group's future is answered on its own loop.

        Raises ModelError when the model was closed.
        """
        with self._changed:
            if self._closing:
                raise ModelError("the model was closed", "Load it again")
            self._inbox.append(group)
            self._changed.notify()

    def wake(self) -> None:
        """Look again at what was given up."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """End the worker; what is in flight fails. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # --- the turn -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                holding = self._cache.decoder is not None
                wanted = self._changed.wait_for(self._has_work, _REST if holding else None)
                groups = list(self._inbox)
                self._inbox.clear()
                closing = self._closing
            if not wanted:
                self._cache.rest()
                continue
            for group in groups:
                self._waiting.extend(group.requests)
            if closing:
                self._fail(ModelError("the model was closed while it was generating"))
                self._cache.close()
                return
            try:
                answered = self._turn()
            except Exception as error:
                self._fail(error)
            else:
                if answered and self._running and not self._inbox:
                    # Whoever got an answer may continue it at once: better in this batch than one batch later.
                    with self._changed:
                        self._changed.wait(_GRACE)

    def _has_work(self) -> bool:
        return bool(self._inbox or self._waiting or self._running or self._closing)

    def _turn(self) -> bool:
        """One turn; whether it answered a group."""
        answered = self._drop_closed()
        answered |= self._admit()
        return (self._compute() if self._running else False) or answered

    def _drop_closed(self) -> bool:
        """Retire what nobody wants any more."""
        # 1. What waits has nothing to lose.
        given_up = [r for r in self._waiting if r.closed]
        if given_up:
            self._waiting = deque(r for r in self._waiting if not r.closed)
        # 2. What is decoding ends by itself, at the token that its gauge refuses, so that this token is kept; unless
        # nobody waits for the answer. What is prefilling or scoring asks its gauge nothing and is stopped here.
        given_up += [
            r for r in self._running if (r.state is not RequestState.DECODING or r.group.abandoned) and r.closed
        ]
        answered = [self._finish(request, Finish.CANCELLED) for request in given_up]
        return any(answered)

    def _admit(self) -> bool:
        """Start what waits, as far as there are slots; whether drawing a first token answered a group."""
        answered = False
        if self._waiting:
            self._make_room()
        while True:
            started, ready = self._start_waiting()
            if ready:
                rows = np.array([self._rows[r.key].ctypes.data for r in ready], np.uintp)
                answered |= self._draw(ready, rows)
            # Slots that came free by drawing a last token go to whoever still waits.
            if not started or not ready or not self._waiting:
                return answered

    def _make_room(self) -> None:
        """Have slots made for all that runs and waits, or as many as the memory holds. Needs a request."""
        requests = [*self._running, *self._waiting]
        length = max(r.expected_length(self._cache.length_limit) for r in requests)
        length = max(length, self._cache.length)
        # Where slots of that length would be too few for what runs, what runs goes on as it is: `_fit` decides later.
        if self._cache.slots_for(length) < len(self._running):
            length = max(len(r.all_tokens()) + 1 for r in self._running)
        self._cache.reserve(min(len(requests), self._live_limit), length)

    def _start_waiting(self) -> tuple[bool, list[Request]]:
        """Acquire sequences for waiting requests, in their order; whether any got one, and those ready to draw.

        Moves them from `_waiting` to `_running` and sets their state. A request that is ready starts DECODING; the
        caller draws its first token from the row of logits kept under its key.
        """
        computing = [r for r in self._running if r.state is not RequestState.DECODING]
        leading = {r.key for r in computing if r.state is RequestState.PREFILLING}
        later: deque[Request] = deque()
        ready: list[Request] = []
        started = False
        full = False
        while self._waiting:
            request = self._waiting.popleft()
            # 1. No slot is left: everyone else keeps their place in the queue.
            if full or len(self._running) >= self._live_limit:
                later.append(request)
                continue
            tokens = request.all_tokens()
            if not request.key and request.forced is None:
                request.key = digest(tokens)
            # 2. The same context is being prefilled for another one, whose row of logits will do for this one too.
            if request.key and request.key in leading:
                later.append(request)
                continue
            held = self._cache.match_prefix(tokens)
            known = request.key in self._rows and held == len(tokens)
            # What may come from the cache: not the last token before the first logits that are wanted, which must be
            # computed to have them.
            last = len(request.context) - 1 if request.forced is not None else len(tokens) - 1
            # 3. Some of the context is being computed for another one, more than the cache holds by now: copying it
            # when it is done is cheaper than computing it twice.
            if not known and self._comes_soon(tokens[:last], held, computing):
                later.append(request)
                continue
            sequence = self._cache.acquire(tokens, len(tokens) if known else last)
            # 4. Every slot is live.
            if sequence is None:
                full = True
                later.append(request)
                continue
            started = True
            self._running.append(request)
            # 5. All is computed, and the logits after it were kept: the first token can be drawn at once.
            if known:
                request.begin(sequence, RequestState.DECODING)
                self._rows.move_to_end(request.key)
                ready.append(request)
            # 6. To score: the last token of the continuation predicts nothing and is not computed.
            elif request.forced is not None:
                request.begin(sequence, RequestState.SCORING, tokens[: len(tokens) - 1])
                computing.append(request)
            # 7. To generate: whoever has the same context waits for this one, by case 2.
            else:
                request.begin(sequence, RequestState.PREFILLING, tokens)
                computing.append(request)
                leading.add(request.key)
        self._waiting = later
        return started, ready

    @staticmethod
    def _comes_soon(tokens: Ints, held: int, computing: list[Request]) -> bool:
        """Whether a longer prefix of `tokens` than the one held is being computed."""
        return any(common(tokens, r.prefill) > max(held, r.computed) for r in computing)

    # --- one batch ------------------------------------------------------------------------------------------------

    def _compute(self) -> bool:
        """Compute one batch, and draw and score from its logits; whether that answered a group. Something must run."""
        self._fit()
        self._cache.compact([_sequence(r) for r in self._running])
        self._running.sort(key=_slot)
        decoder = self._cache.decoder
        assert decoder is not None
        batch = compute(decoder, self._running)
        for request in self._running:
            if request.state is not RequestState.DECODING:
                self._prefilled(request)
        for request, row in batch.drawing:
            if request.state is RequestState.PREFILLING:
                self._keep_row(request.key, batch.rows[row])
                request.decode()
        answered = [self._score_rows(r, batch.rows[row : row + count]) for r, row, count in batch.scored]
        if batch.drawing:
            answered.append(self._draw([r for r, _ in batch.drawing], batch.rows[[row for _, row in batch.drawing]]))
        return any(answered)

    def _fit(self) -> None:
        """Make slots long enough for what this turn adds, at the cost of fewer sequences where memory is short.

        What no longer has a slot is preempted: it waits again, before all others, and goes on where it was.
        """
        needed = max(r.computed + 1 if r.state is RequestState.DECODING else len(r.prefill) for r in self._running)
        # 1. All slots are long enough.
        if needed <= self._cache.length:
            return
        # 2. They are not: longer ones, and as many of those that run as have room in them, the lowest slots first.
        room = self._cache.slots_for(needed)
        for request in self._running[room:]:
            self._preempt(request)
        del self._running[room:]
        self._cache.reserve(len(self._running), needed)

    def _preempt(self, request: Request) -> None:
        """Back to the head of the queue; the caller takes it out of `_running`."""
        tokens = request.all_tokens()
        self._owe(tokens, request)
        retention = Retention(len(tokens), request.prompt, request.gauge)
        self._cache.release(_sequence(request), tokens[: request.computed], retention)
        request.suspend()
        self._waiting.appendleft(request)

    def _prefilled(self, request: Request) -> None:
        """Tell the meter and the prefix tree what was just computed for a request that is prefilling or scoring."""
        sequence = _sequence(request)
        fresh = request.computed - len(sequence.tokens)
        if request.computed == len(request.prefill) and request.key in self._owed:
            del self._owed[request.key]
            fresh -= 1
        request.gauge.computed(fresh)
        self._cache.insert(sequence, request.prefill[: request.computed])

    def _keep_row(self, key: bytes, address: int) -> None:
        """Keep a copy of a row of logits, float32[V], under the digest of the tokens before it; the oldest go."""
        size = self._vocab_size * 4
        row = np.empty(self._vocab_size, np.float32)
        ctypes.memmove(row.ctypes.data, int(address), size)
        self._rows[key] = row
        while len(self._rows) > max(_FEWEST_ROWS, _ROW_BYTES // size):
            self._rows.popitem(last=False)

    # --- what comes out -------------------------------------------------------------------------------------------

    def _draw(self, requests: list[Request], rows: NDArray[np.uintp]) -> bool:
        """Draw one token for each of these, which are DECODING, and retire what ends with it; whether that answered a
        group. rows: uintp[B], addresses of their logits."""
        drawn = sample(rows, self._vocab_size, [r.draw for r in requests if r.draw], [r.generated for r in requests])
        answered = False
        for i, (request, token) in enumerate(zip(requests, drawn.ids, strict=True)):
            finish: Finish | None
            if token < 0:
                if token == NOT_A_NUMBER:
                    self._refuse(request.group, ModelError("the model computed NaN instead of probabilities"))
                    answered = True
                    continue
                # A dead end: nothing may be drawn here.
                finish = Finish.LENGTH
            else:
                assert request.draw is not None
                if drawn.top_ids is not None and drawn.top_logprob is not None and request.draw.sampling.top:
                    request.top_ids.append(drawn.top_ids[i, : request.draw.sampling.top])
                    request.top_logprob.append(drawn.top_logprob[i, : request.draw.sampling.top])
                finish = request.accept(token, drawn.stats[i], self._vocabulary)
            if finish is not None:
                answered |= self._finish(request, finish)
        return answered

    def _score_rows(self, request: Request, rows: NDArray[np.uintp]) -> bool:
        """Take the statistics of a SCORING request's next tokens, one for each row, and retire it after the last."""
        assert request.forced is not None
        first = len(request.stats)
        if len(rows):
            seen = observe(rows, self._vocab_size, request.forced[first : first + len(rows)].tolist(), 0)
            request.stats.extend(seen.stats)
        return self._finish(request, Finish.STEP) if len(request.stats) == len(request.forced) else False

    def _owe(self, tokens: Ints, request: Request) -> None:
        """Note that the last of a request's tokens was drawn but not computed, where that is so."""
        if request.generated and request.computed == len(tokens) - 1:
            self._owed[digest(tokens)] = None
            if len(self._owed) > _OWED:
                self._owed.popitem(last=False)

    def _finish(self, request: Request, finish: Finish) -> bool:
        """Retire a request that waits no more; whether that answered its group."""
        self._release(request, finish)
        request.close(finish, self._vocabulary)
        group = request.group
        group.left -= 1
        if group.left:
            return False
        group.answer()
        return True

    def _release(self, request: Request, finish: Finish | None = None) -> None:
        """Give the sequence of a running request back, and take it out of `_running`; nothing where it has none."""
        if request.sequence is None:
            return
        tokens = request.all_tokens()
        self._owe(tokens, request)
        # After a step its last token is asked for next; of a text that ended, or was scored, only the context is.
        goes_on = finish is Finish.STEP and request.forced is None
        going = len(tokens) if goes_on else len(request.context)
        retention = Retention(going, request.prompt, request.gauge)
        self._cache.release(request.sequence, tokens[: request.computed], retention)
        request.sequence = None
        self._running.remove(request)

    def _refuse(self, group: RequestGroup, error: Exception) -> None:
        """All requests of a group fail."""
        for request in group.requests:
            self._release(request)
        self._waiting = deque(r for r in self._waiting if r.group is not group)
        group.fail(error)

    def _fail(self, error: Exception) -> None:
        """Everything in flight fails; the cells are of unknown content and are given up."""
        if not isinstance(error, ClewError):
            cause = ModelError(f"the embedded engine failed: {type(error).__name__}: {error}")
            cause.__cause__ = error
            error = cause
        with self._changed:
            groups = {id(g): g for g in [*self._inbox, *(r.group for r in [*self._running, *self._waiting])]}
            self._inbox.clear()
        self._running.clear()
        self._waiting.clear()
        self._rows.clear()
        self._owed.clear()
        self._cache.clear()
        for group in groups.values():
            group.fail(error)


def _sequence(request: Request) -> CachedSequence:
    assert request.sequence is not None
    return request.sequence


def _slot(request: Request) -> int:
    slot = _sequence(request).slot
    assert slot is not None
    return slot
