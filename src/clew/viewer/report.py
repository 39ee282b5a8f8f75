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


class Kept:
    """A comparison of some runs. Thread-safe; it opens the files itself and reads them a search at a time.

    make: computes the comparison. paths: the run files.
    """

    def __init__(self, make: Make, *paths: Path) -> None:
        self._make = make
        self._paths = paths
        self._lock = threading.Lock()
        self._kept: tuple[int, dict[str, Any]] | None = None
        self._closed = False

    def close(self) -> None:
        """Give up the comparison that is being made."""
        self._closed = True

    def answer(self, results: int) -> dict[str, Any]:
        """The comparison, or `error` and `cure`.

        results: how many searches there are; the comparison is made anew when that has changed.
        """
        with self._lock:
            if self._kept is None or self._kept[0] != results:
                self._kept = (results, self._made())
            return self._kept[1]

    def _made(self) -> dict[str, Any]:
        try:
            with ExitStack() as stack:
                readers = [stack.enter_context(Reader.open(path)) for path in self._paths]
                return dict(finite(self._make(readers, self._go_on)))
        except ClewError as error:
            return {"error": error.cause, "cure": error.cure}

    def _go_on(self) -> None:
        if self._closed:
            raise ClewError("the run was closed", "Open it again")


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
