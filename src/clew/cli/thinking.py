"""What `clew solve` says while it works: the best answer so far, its share of the votes, tokens, time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.status import Status

from clew.cli.output import to_stdout
from clew.result import Proposal

FIRST = 5.0
"""Seconds until the first line where it cannot be drawn over (a log, a pipe); from then on they get fewer and fewer."""
SILENT = 10.0
"""Seconds without a token after which a line says so."""


class Thinking:
    """Shows a search in progress on `console`, and remembers the best answer so far. limit: its budget in tokens."""

    def __init__(self, console: Console, limit: int) -> None:
        self._console = console
        self._limit = limit
        self._status: Status | None = None
        self._due = FIRST
        self._best: Proposal | None = None
        self._tokens, self._moved = 0, 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While the search runs: one line that is drawn over on a terminal, a line now and then elsewhere."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status("thinking …") as self._status:
            yield

    def __call__(self, proposal: Proposal) -> None:
        """Take what `clew.solve` tells of its progress."""
        self._best = proposal
        now, tokens = proposal.usage.seconds, proposal.usage.total.generated
        if tokens != self._tokens:
            self._tokens, self._moved = tokens, now
        line = progress_line(proposal, self._limit)
        if now - self._moved >= SILENT:
            line += f" · no token for {now - self._moved:.0f} s"
        if self._status is not None:
            self._status.update(line)
        elif now >= self._due:
            self._due = now * 1.5
            self._console.print(line, style="dim", highlight=False, soft_wrap=True)

    def give_up(self, why: str, path: Path | None) -> None:
        """The search ended early: its best answer goes to standard output, and where its trace is to standard error."""
        best = self._best
        kept = f" · trace: clew show {path}" if path is not None and path.exists() else ""
        if best is None or best.answer.value is None:
            self._console.print(f"{why}; no answer yet{kept}", highlight=False, soft_wrap=True)
            return
        to_stdout().print(best.answer.value, style="bold", soft_wrap=True)
        line = f"{why}; the best answer so far: {progress_line(best, self._limit)}{kept}"
        self._console.print(line, highlight=False, soft_wrap=True)


def progress_line(proposal: Proposal, limit: int) -> str:
    """The best answer so far with its share of the votes, and what is spent."""
    answer, total = proposal.answer, proposal.usage.total
    said = "no answer yet" if answer.value is None else " ".join(answer.value.split())[:60]
    if answer.value is not None and answer.votes and answer.confidence is not None:
        said += f" ({answer.confidence:.0%} of the votes)"
    return f"{said} · {total.tokens:,} of {limit:,} tokens · {total.seconds:.0f} s"
