"""Comparisons: of the methods of one run, and of two runs; each made once and kept until there is more to compare."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clew.budget import AXES
from clew.errors import ClewError
from clew.lab import across, notes
from clew.lab.experiment import compared
from clew.store import Reader
from clew.viewer.search_pages import finite

Make = Callable[[Sequence[Reader], Callable[[], None]], dict[str, Any]]
"""The runs, and what to call after each search → the comparison."""


class Comparisons:
    """The comparisons that pages of some runs show, each made once. Thread-safe; pages that show a part share them.

    paths: the run files.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, ...], _Kept] = {}
        self._closed = False

    def close(self) -> None:
        """Give up the comparisons that are being made."""
        self._closed = True

    def of(self, *runs: int) -> dict[str, Any]:
        """The comparison of the methods of one run, or of two runs, by their numbers; or `error` and `cure`."""
        with self._lock:
            make = report if len(runs) == 1 else two_runs
            kept = self._kept.setdefault(runs, _Kept(make, [self._paths[i] for i in runs], self._go_on))
        return kept.answer()

    def _go_on(self) -> None:
        if self._closed:
            raise ClewError("the run was closed", "Open it again")


class _Kept:
    """One comparison, made anew when its runs have more searches. It opens the files itself, and reads them a search at
    a time."""

    def __init__(self, make: Make, paths: Sequence[Path], on_search: Callable[[], None]) -> None:
        self._make = make
        self._paths = paths
        self._on_search = on_search
        self._lock = threading.Lock()
        self._made: tuple[int, dict[str, Any]] | None = None

    def answer(self) -> dict[str, Any]:
        with self._lock:
            try:
                with ExitStack() as stack:
                    readers = [stack.enter_context(Reader.open(path)) for path in self._paths]
                    searches = sum(1 for reader in readers for _ in reader.select("results", ("id",)))
                    if self._made is None or self._made[0] != searches:
                        self._made = (searches, dict(finite(self._make(readers, self._on_search))))
                    return self._made[1]
            except ClewError as error:
                return {"error": error.cause, "cure": error.cure}


def report(runs: Sequence[Reader], on_search: Callable[[], None]) -> dict[str, Any]:
    """The comparison of a run's methods as `clew compare --json` has it, with its `notes` in words, the `units` of the
    axes and the `reach` of differences."""
    (run,) = runs
    comparison = compared(run, on_search)
    words = {"notes": asdict(notes.notes(comparison)), "units": _units(), "reach": notes.reach(comparison)}
    return comparison.as_dict() | words


def two_runs(runs: Sequence[Reader], on_search: Callable[[], None]) -> dict[str, Any]:
    """What each method gained or lost from the first run to the second, with `notes`, `units` and `reach` likewise."""
    first, second = runs
    found = across.across(first, second, on_search)
    return found.as_dict() | {"notes": asdict(across.notes(found)), "units": _units(), "reach": found.reach}


def _units() -> dict[str, str]:
    return {name: axis.unit for name, axis in AXES.items()}
