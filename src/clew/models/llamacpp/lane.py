"""The one thread on which the models of this process compute, a batch at a time, where there are several.

libgomp keeps a team of threads for every thread that computes. Where the teams of two models together have more threads
than there are cores, it has all of them sleep at every barrier instead of spinning, also when one model is idle, and
decoding takes up to twice as long. On one thread there is one team. (A model that is alone computes on its own thread:
handing batches over costs where other programs want the cores.) Models that want to compute at once take turns such
that each gets the same time; meanwhile the others draw tokens and admit requests on their own threads.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = 0.002
"""Seconds that the lane stays free for a user who has had less time than the one who waits: enough to draw the tokens
of a batch, so that a model with short batches does not wait for a long one of another model after each."""
_HARD = 2
"""`omp_pause_hard`: give up all that can be made again."""
_IDLE = 0.1
"""Seconds after which a user who wanted nothing is not owed the time that the others had meanwhile."""


@dataclass(eq=False, slots=True)
class LaneUser:
    """One who computes on the lane. used: seconds had there. left: when the last batch was done; infinite while one
    waits or is computed."""

    used: float = 0.0
    left: float = 0.0


class _Job:
    """A batch to compute, and what came of it."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Lane:
    """A thread that computes one batch at a time. Begins anew in a process that was forked."""

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[LaneUser, _Job] = {}
        self._users: set[LaneUser] = set()
        # Whether there were ever several users: from then on the lane's thread has the team.
        self._several = False
        # Of the thread that calls: `team`, whether it has computed and has a team of its own.
        self._here = threading.local()
        self._thread: threading.Thread | None = None

    def enter(self) -> LaneUser:
        """A new user."""
        with self._changed:
            user = LaneUser()
            self._users.add(user)
            self._several |= len(self._users) > 1
            if self._several and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="clew-compute", daemon=True)
                self._thread.start()
        return user

    def leave(self, user: LaneUser) -> None:
        """Say that a user computes no more. Idempotent."""
        with self._changed:
            self._users.discard(user)

    def compute(self, user: LaneUser, work: Callable[[], T]) -> T:
        """What `work` gives, computed on the lane when it is this user's turn; raises what it raises."""
        if not self._several:
            self._here.team = True
            return work()
        if getattr(self._here, "team", False):
            self._here.team = False
            _dismiss_team()
        job = _Job(work)
        with self._changed:
            now = time.monotonic()
            if now - user.left > _IDLE:
                active = [u.used for u in self._users if u is not user and now - u.left <= _IDLE]
                user.used = max(user.used, min(active, default=0.0))
            user.left = math.inf
            self._waiting[user] = job
            self._changed.notify()
        job.done.acquire()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def _run(self) -> None:
        while True:
            with self._changed:
                user = self._next()
                job = self._waiting.pop(user)
            begin = time.monotonic()
            try:
                job.result = job.work()
            except BaseException as error:
                job.error = error
            user.left = time.monotonic()
            user.used += user.left - begin
            job.done.release()

    def _next(self) -> LaneUser:
        """Who waits and has had the least time, when it is their turn. Needs the lock."""
        while True:
            if not self._waiting:
                self._changed.wait()
                continue
            user = min(self._waiting, key=lambda u: u.used)
            # Whoever has had less, and was here a moment ago, is drawing tokens and comes back at once.
            now = time.monotonic()
            back = [u.left + _PATIENCE - now for u in self._users if u.used < user.used and u not in self._waiting]
            patience = max(back, default=0.0)
            if patience <= 0:
                return user
            self._changed.wait(patience)


def _dismiss_team() -> None:
    """End the team of the thread that calls, where OpenMP can do that (version 5.0); else both stay."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD).omp_pause_resource_all(_HARD)


LANE = Lane()
"""The process's own."""
