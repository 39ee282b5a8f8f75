"""The comparison of a run, made once and kept until the run has more to compare."""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clew.budget import AXES
from clew.errors import ClewError
from clew.lab.experiment import compared
from clew.lab.notes import notes, reach
from clew.store import Reader
from clew.viewer.search_pages import finite


class Report:
    """The comparison of one run. Thread-safe; it reads the file by a connection of its own, a search at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: tuple[int, dict[str, Any]] | None = None
        self._closed = False

    def close(self) -> None:
        """Give up what is being made."""
        self._closed = True

    def answer(self, results: int) -> dict[str, Any]:
        """The comparison as `clew compare --json` has it, with its `notes` in words, the `units` of the axes and the
        `reach` of differences; or `error` and `cure`.

        results: how many searches there are; the comparison is made anew when that has changed.
        """
        with self._lock:
            if self._kept is None or self._kept[0] != results:
                self._kept = (results, self._made())
            return self._kept[1]

    def _made(self) -> dict[str, Any]:
        try:
            with Reader.open(self._path) as reader:
                comparison = compared(reader, self._go_on)
            words = {"notes": asdict(notes(comparison)), "units": {name: axis.unit for name, axis in AXES.items()}}
            return dict(finite(comparison.as_dict())) | words | {"reach": reach(comparison)}
        except ClewError as error:
            return {"error": error.cause, "cure": error.cure}

    def _go_on(self) -> None:
        if self._closed:
            raise ClewError("the run was closed", "Open it again")
