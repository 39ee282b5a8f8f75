"""Continuous batching: every continuation of every search that is in flight advances by one token a turn, in one batch.

One worker thread owns the cells and the model. A turn admits what waits, computes one batch (one token of everything
that generates, and a share of the prompts that are not computed yet), draws, and retires what has ended.

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
from clew.models.llamacpp.cells import Cells
from clew.models.llamacpp.job import Call, Job, digest
from clew.models.llamacpp.parking import Claim, Path
from clew.models.llamacpp.sampler import NOT_A_NUMBER, observe, sample
from clew.models.llamacpp.text import Vocabulary
from clew.tree import Finish, Floats, Ints, common

_ROW_BYTES = 32 << 20
_OWED = 1 << 14
_EXPECTED = 512
_GRACE = 0.002


class Scheduler:
    """The worker. All methods but `submit`, `wake` and `close` run on its thread."""

    def __init__(self, cells: Cells, vocabulary: Vocabulary, *, vocab_size: int, live_limit: int) -> None:
        self._cells = cells
        self._vocabulary = vocabulary
        self._vocab_size = vocab_size
        self._live_limit = live_limit
        self._inbox: deque[Call] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._waiting: deque[Job] = deque()
        self._live: list[Job] = []
        # Logits at the end of contexts, so that later continuations of the same one need not compute its end again.
        self._rows: OrderedDict[bytes, Floats] = OrderedDict()
        # Paths whose last token was drawn but not computed yet: computing it is part of generating, not of a prompt.
        self._owed: OrderedDict[bytes, None] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="clew-llamacpp", daemon=True)
        self._thread.start()

    def submit(self, call: Call) -> None:
        """Take a call on; its future is answered on its own loop.

        Raises ModelError when the model was closed.
        """
        with self._changed:
            if self._closing:
                raise ModelError("the model was closed", "Load it again")
            self._inbox.append(call)
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
                while not (self._inbox or self._waiting or self._live or self._closing):
                    self._changed.wait()
                calls = list(self._inbox)
                self._inbox.clear()
                closing = self._closing
            for call in calls:
                self._waiting.extend(call.jobs)
            if closing:
                self._fail(ModelError("the model was closed while it was generating"))
                self._cells.close()
                return
            try:
                ended = self._turn()
            except Exception as error:
                self._fail(error)
            else:
                if ended and self._live and not self._inbox:
                    # Whoever got an answer may continue it at once: better in this batch than one batch later.
                    with self._changed:
                        self._changed.wait(_GRACE)

    def _turn(self) -> bool:
        answered = self._drop_closed()
        answered |= self._admit()
        return (self._compute() if self._live else False) or answered

    def _drop_closed(self) -> bool:
        given_up = [j for j in self._waiting if j.closed]
        if given_up:
            self._waiting = deque(j for j in self._waiting if not j.closed)
        given_up += [j for j in self._live if (j.target is not None or j.call.abandoned) and j.closed]
        answered = [self._finish(job, Finish.CANCELLED) for job in given_up]
        return any(answered)

    def _admit(self) -> bool:
        answered = False
        if self._waiting:
            self._make_room()
        while True:
            seated, ready = self._seat_waiting()
            if ready:
                rows = np.array([self._rows[j.key].ctypes.data for j in ready], np.uintp)
                answered |= self._draw(ready, rows)
            # Seats that came free by drawing a last token go to whoever still waits.
            if not seated or not ready or not self._waiting:
                return answered

    def _make_room(self) -> None:
        jobs = [*self._live, *self._waiting]
        length = max(_expected_length(j, self._cells.length_limit) for j in jobs)
        length = max(length, self._cells.length)
        if self._cells.slots_for(length) < len(self._live):
            length = max(len(j.all_tokens()) + 1 for j in self._live)
        self._cells.reserve(min(len(jobs), self._live_limit), length)

    def _seat_waiting(self) -> tuple[bool, list[Job]]:
        """Give slots to waiting jobs; whether any got one, and those whose next logits are known already."""
        computing = [j for j in self._live if j.target is not None]
        leading = {j.key for j in computing if j.forced is None}
        later: deque[Job] = deque()
        ready: list[Job] = []
        seated = False
        full = False
        while self._waiting:
            job = self._waiting.popleft()
            if full or len(self._live) >= self._live_limit:
                later.append(job)
                continue
            tokens = job.all_tokens()
            if not job.key and job.forced is None:
                job.key = digest(tokens)
            if job.key and job.key in leading:
                later.append(job)
                continue
            held = self._cells.match(tokens)
            known = job.key in self._rows and held == len(tokens)
            last = len(job.context) - 1 if job.forced is not None else len(tokens) - 1
            if not known and self._comes_soon(tokens[:last], held, computing):
                later.append(job)
                continue
            path = self._cells.seat(tokens, len(tokens) if known else last)
            if path is None:
                full = True
                later.append(job)
                continue
            seated = True
            job.path, job.done = path, len(path.tokens)
            self._live.append(job)
            if known:
                self._rows.move_to_end(job.key)
                ready.append(job)
            else:
                job.target = tokens[: len(tokens) - 1] if job.forced is not None else tokens
                computing.append(job)
                if job.key:
                    leading.add(job.key)
        self._waiting = later
        return seated, ready

    @staticmethod
    def _comes_soon(tokens: Ints, held: int, computing: list[Job]) -> bool:
        """Whether a longer prefix of `tokens` than the one held is being computed."""
        return any(common(tokens, j.target) > max(held, j.done) for j in computing if j.target is not None)

    # --- one batch ------------------------------------------------------------------------------------------------

    def _compute(self) -> bool:
        self._fit()
        self._cells.arrange([_path(j) for j in self._live])
        self._live.sort(key=_slot)
        decoder = self._cells.decoder
        assert decoder is not None
        batch = compute(decoder, self._live)
        for job in self._live:
            if job.target is not None:
                self._prefilled(job)
        for job, row in batch.drawing:
            if job.target is not None:
                self._keep_row(job.key, batch.rows[row])
                job.target = None
        answered = [self._score_rows(job, batch.rows[row : row + count]) for job, row, count in batch.scored]
        if batch.drawing:
            answered.append(self._draw([j for j, _ in batch.drawing], batch.rows[[r for _, r in batch.drawing]]))
        return any(answered)

    def _fit(self) -> None:
        """Make the cells long enough for what this turn adds, at the cost of fewer sequences where memory is short."""
        needed = max((j.done + 1 if j.target is None else len(j.target)) for j in self._live)
        if needed <= self._cells.length:
            return
        room = self._cells.slots_for(needed)
        for job in self._live[room:]:
            self._preempt(job)
        del self._live[room:]
        self._cells.reserve(len(self._live), needed)

    def _preempt(self, job: Job) -> None:
        tokens = job.all_tokens()
        self._owe(tokens, job)
        self._cells.leave(_path(job), tokens[: job.done], Claim(len(tokens), job.prompt, job.gauge))
        job.path, job.target, job.key = None, None, b""
        self._waiting.appendleft(job)

    def _prefilled(self, job: Job) -> None:
        """Tell the meter and the prefix tree what was just computed for a job."""
        assert job.target is not None
        path = _path(job)
        fresh = job.done - len(path.tokens)
        if job.done == len(job.target) and job.key in self._owed:
            del self._owed[job.key]
            fresh -= 1
        job.gauge.computed(fresh)
        self._cells.hold(path, job.target[: job.done])

    def _keep_row(self, key: bytes, address: int) -> None:
        size = self._vocab_size * 4
        row = np.empty(self._vocab_size, np.float32)
        ctypes.memmove(row.ctypes.data, int(address), size)
        self._rows[key] = row
        while len(self._rows) > max(8, _ROW_BYTES // size):
            self._rows.popitem(last=False)

    # --- what comes out -------------------------------------------------------------------------------------------

    def _draw(self, jobs: list[Job], rows: NDArray[np.uintp]) -> bool:
        drawn = sample(rows, self._vocab_size, [j.draw for j in jobs if j.draw], [j.generated for j in jobs])
        answered = False
        for i, (job, token) in enumerate(zip(jobs, drawn.ids, strict=True)):
            finish: Finish | None
            if token < 0:
                if token == NOT_A_NUMBER:
                    self._refuse(job.call, ModelError("the model computed NaN instead of probabilities"))
                    answered = True
                    continue
                finish = Finish.LENGTH
            else:
                assert job.draw is not None
                if drawn.top_ids is not None and drawn.top_logprob is not None and job.draw.sampling.top:
                    job.top_ids.append(drawn.top_ids[i, : job.draw.sampling.top])
                    job.top_logprob.append(drawn.top_logprob[i, : job.draw.sampling.top])
                finish = job.accept(token, drawn.stats[i], self._vocabulary)
            if finish is not None:
                answered |= self._finish(job, finish)
        return answered

    def _score_rows(self, job: Job, rows: NDArray[np.uintp]) -> bool:
        assert job.forced is not None and job.target is not None
        first = len(job.stats)
        if len(rows):
            seen = observe(rows, self._vocab_size, job.forced[first : first + len(rows)].tolist(), 0)
            job.stats.extend(seen.stats)
        return self._finish(job, Finish.STEP) if len(job.stats) == len(job.forced) else False

    def _owe(self, tokens: Ints, job: Job) -> None:
        if job.generated and job.done == len(tokens) - 1:
            self._owed[digest(tokens)] = None
            if len(self._owed) > _OWED:
                self._owed.popitem(last=False)

    def _finish(self, job: Job, finish: Finish) -> bool:
        """Retire a job; whether that answered its call."""
        self._release(job, finish)
        if job.forced is not None:
            job.segment = job.close_scored(self._vocabulary)
        else:
            job.segment = job.close(finish, self._vocabulary)
        call = job.call
        call.left -= 1
        if call.left:
            return False
        call.answer()
        return True

    def _release(self, job: Job, finish: Finish | None = None) -> None:
        if job.path is None:
            return
        tokens = job.all_tokens()
        self._owe(tokens, job)
        goes_on = finish is Finish.STEP and job.forced is None
        going = len(tokens) if goes_on else len(job.context)
        self._cells.leave(job.path, tokens[: job.done], Claim(going, job.prompt, job.gauge))
        job.path = None
        self._live.remove(job)

    def _refuse(self, call: Call, error: Exception) -> None:
        for job in call.jobs:
            self._release(job)
        self._waiting = deque(j for j in self._waiting if j.call is not call)
        call.fail(error)

    def _fail(self, error: Exception) -> None:
        """Everything in flight fails; the cells are of unknown content and are given up."""
        if not isinstance(error, ClewError):
            cause = ModelError(f"the embedded engine failed: {type(error).__name__}: {error}")
            cause.__cause__ = error
            error = cause
        with self._changed:
            calls = {id(c): c for c in [*self._inbox, *(j.call for j in [*self._live, *self._waiting])]}
            self._inbox.clear()
        self._live.clear()
        self._waiting.clear()
        self._rows.clear()
        self._owed.clear()
        self._cells.clear()
        for call in calls.values():
            call.fail(error)


def _path(job: Job) -> Path:
    assert job.path is not None
    return job.path


def _slot(job: Job) -> int:
    slot = _path(job).slot
    assert slot is not None
    return slot


def _expected_length(job: Job, limit: int) -> int:
    """Tokens that a job will probably need cells for; a longer one makes its room when it gets there."""
    tokens = len(job.context) + len(job.generated)
    if job.forced is not None:
        return tokens + len(job.forced)
    cap = job.watch.until.cap if job.watch else None
    return min(tokens + min(_EXPECTED, _EXPECTED if cap is None else cap), limit)
