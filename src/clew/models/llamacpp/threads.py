"""With how many threads to compute: as many as there are cores, and fewer while other programs want the cores too.

llama.cpp cuts each of some thousand operations of a step into equal parts, one for each thread, and all wait for the
slowest. Where another program holds one of the cores, the slowest has only a part of that core, and one thread fewer
may be faster. What others do cannot be foreseen, so both are tried for a moment, and the faster is kept until the next
trial.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_WAITING = {"GOMP_SPINCOUNT": "5000"}
"""How often a thread looks whether the others are done before the system puts it to sleep: some 50 microseconds,
longer than the parts of an operation differ on a quiet machine. Unasked, libgomp looks for milliseconds, which keeps
the core from the very thread that is waited for."""
_ASKED = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""Where a user has set one of these, that stands."""

_WINDOW = 0.1
"""Seconds that a number of threads is observed before it is judged: several of the system's time slices."""
_ALONE = 0.9
"""Share of the time in which the leading thread runs when nobody else wants its core; it sleeps where it waits long for
another thread, so that it tells of all cores."""
_GAIN = 1.05
"""How many times as fast another number of threads must be to be taken."""
_SOONEST, _LATEST, _RARELY = 0.5, 4.0, 8.0
"""Seconds of computing between two trials: doubled when what was tried was clearly slower, else the first. With all
cores computing the trials become rare, and a drop in speed causes one at once."""
_DROP = 0.75
"""Share of the speed until now below which something must have changed."""
_CLEARLY = 0.85
"""Share of the speed below which a number of threads is clearly slower."""
_STALE = 6.0
"""Seconds of computing after which an older observation says nothing any more."""
_ALIKE = 1.25
"""Batches whose numbers of tokens differ by more than this factor say nothing of each other's speed."""


@contextmanager
def short_waits() -> Iterator[None]:
    """Have libgomp, where it is loaded meanwhile, wait by `_WAITING`, unless the user has set how it is to wait.

    The environment is as it was afterwards: programs that this one starts do not inherit the setting.
    """
    if any(name in os.environ for name in _ASKED):
        yield
        return
    os.environ.update(_WAITING)
    try:
        yield
    finally:
        for name in _WAITING:
            os.environ.pop(name, None)


def threads_choice() -> int:
    """Physical cores that this process may use."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(((topology / "physical_package_id").read_text(), (topology / "core_id").read_text()))
        except OSError:
            return len(allowed)
    return min(len(cores), _quota() or len(cores))


def _quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))


@dataclass(slots=True)
class _Window:
    """Consecutive batches of about the same size, computed with the same number of threads."""

    size: int = 0
    tokens: int = 0
    wall: float = 0.0
    ran: float = 0.0


@dataclass(frozen=True, slots=True)
class _Speed:
    """Tokens a second of batches of about `size` tokens, as of `clock` seconds of computing."""

    rate: float
    size: int
    clock: float


class ThreadControl:
    """Chooses the number of threads of the next batch from how long the last ones took.

    count: the number to use now. most: threads on a quiet machine. fixed: whether it is always `most`.

    It is *settled* on a number and now and then *tries* another one for a window. On `most` with the cores to ourselves
    there is nothing to gain, and nothing is tried.
    """

    def __init__(self, most: int, *, fixed: bool = False) -> None:
        self.count = most
        self._most = most
        # What is tried, in turn: one core left to the others, half of them, all but one.
        self._levels = [most] if fixed else sorted({1, max(1, most // 2), max(1, most - 1), most}, reverse=True)
        self._settled = most
        self._window = _Window()
        self._speeds: dict[int, _Speed] = {}
        self._interval = _SOONEST
        self._clock = self._tried_at = 0.0
        self._trials = 0

    def observe(self, tokens: int, wall: float, ran: float) -> None:
        """Take note of a batch: its tokens, the seconds that it took, and those that the leading thread ran."""
        if len(self._levels) == 1:
            return
        self._clock += wall
        window = self._window
        if window.size and not _alike(window.size, tokens):
            # Another kind of batch: nothing can be compared, so a trial is broken off and made again soon.
            self.count = self._settled
            self._window = window = _Window()
        window.size = window.size or tokens
        window.tokens += tokens
        window.wall += wall
        window.ran += ran
        if window.wall >= _WINDOW:
            self._window = _Window()
            self._judge(window)

    def _judge(self, window: _Window) -> None:
        """A window is full: learn from it, settle on the fastest number, and begin a trial where it is time."""
        # 1. Where it was slower than is known, the mean: a single window may have been unlucky in its neighbours.
        known, rate = self._known(self.count, window.size), window.tokens / window.wall
        expected = max(rate, (known.rate + rate) / 2) if known else rate
        self._speeds[self.count] = _Speed(expected, window.size, self._clock)
        # 2. The fastest of those that can be compared.
        speeds = {n: found.rate for n in self._levels if (found := self._known(n, window.size))}
        fastest = max(speeds, key=lambda n: speeds[n])
        here = speeds.get(self._settled, 0.0)
        if self.count != self._settled:
            clearly = speeds[self.count] < _CLEARLY * here
            latest = _RARELY if self._settled == self._most else _LATEST
            self._interval = min(2 * self._interval, latest) if clearly else _SOONEST
            self._tried_at = self._clock
        elif known and rate < _DROP * known.rate:
            self._interval = _SOONEST
        if speeds[fastest] > _GAIN * here:
            self._settled, self._interval = fastest, _SOONEST
        self.count = self._settled
        # 3. All cores, and nobody else on them: as it should be. Else others want the cores, or did.
        alone = self._settled == self._most and window.ran >= _ALONE * window.wall
        if alone or self._clock - self._tried_at < self._interval:
            return
        # 4. Time to try the next number.
        others = [count for count in self._levels if count != self._settled]
        self.count = others[self._trials % len(others)]
        self._trials += 1

    def _known(self, count: int, size: int) -> _Speed | None:
        """What is known of a number of threads at batches of this size."""
        found = self._speeds.get(count)
        return found if found and _alike(found.size, size) and self._clock - found.clock < _STALE else None


def _alike(size: int, other: int) -> bool:
    return size / _ALIKE <= other <= size * _ALIKE
