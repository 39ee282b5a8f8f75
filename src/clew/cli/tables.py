"""What the command line draws: progress and tables (trees: `tree`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from clew.lab.palette import on_scale
from clew.lab.papers import Paper
from clew.problem import Status, is_right
from clew.result import Proposal, Result
from clew.runner import Trial


class RunProgress:
    """A progress line for a run: searches done, how often each method was right so far, tokens, an estimate of the time
    that is left, and what is tried now. Where the line cannot be drawn over (a log file), every twentieth part of the
    run is a line of its own."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress = progress
        self._bar = progress.add_task("", total=total, completed=done, note="", now="")
        self._total = total
        self._done = self._begun_with = done
        self._start = time.monotonic()
        self._tokens = 0
        self._grades: dict[str, list[float]] = {}

    def begun(self, trial: Trial) -> None:
        self._progress.update(self._bar, now=f"{trial.problem.id} · {trial.method}")

    def proposed(self, trial: Trial, proposal: Proposal) -> None:
        self._progress.update(self._bar, now=f"{trial.problem.id} · {trial.method}: {proposal.answer.value}")

    def ended(self, trial: Trial, result: Result) -> None:
        self._tokens += result.usage.total.tokens
        if result.grade is not None:
            self._grades.setdefault(trial.method, []).append(result.grade)
        self._done += 1
        note = self._note()
        self._progress.update(self._bar, advance=1, note=note)
        console = self._progress.console
        if not console.is_terminal and self._done * 20 // self._total > (self._done - 1) * 20 // self._total:
            console.print(f"{self._done}/{self._total} searches · {note}", highlight=False, soft_wrap=True)

    def _note(self) -> str:
        right = [f"{method} {sum(grades) / len(grades):.0%}" for method, grades in self._grades.items()]
        told = [", ".join(right) + " right"] if right else []
        told.append(f"{self._tokens:,} tokens")
        if self._done < self._total:
            each = (time.monotonic() - self._start) / (self._done - self._begun_with)
            told.append(f"about {_duration(each * (self._total - self._done))} left")
        return " · ".join(told)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def run_progress(console: Console, total: int, done: int = 0) -> Iterator[RunProgress]:
    """A live progress line while a run goes on."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        TextColumn("{task.fields[now]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield RunProgress(progress, total, done)


def usage_table(result: Result) -> Table:
    """What one search has spent, by model and role, with the share of each in the tokens that are charged."""
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for column in ("model", "role"):
        table.add_column(column, no_wrap=True)
    # With a cache, which most models have, what is charged is what is distinct.
    uncached = any(s.distinct != s.prefilled for s in result.usage.parts.values())
    counts = ["generated", "prefilled", *(["distinct"] if uncached else []), "reused", "computed", "calls"]
    for column in (*counts, "GFLOP", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    total = result.usage.total.tokens
    for (model, role), s in result.usage.parts.items():
        share = f"{s.tokens / total:.0%}" if total else ""
        table.add_row(model, role, *(f"{getattr(s, c):,}" for c in counts), f"{s.flops / 1e9:,.0f}", share)
    return table


def votes_table(result: Result) -> Table:
    """The vote: each answer with its weight and its share of all votes, the heaviest first."""
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("answer")
    for column in ("votes", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    votes = result.answer.votes
    total = sum(votes.values()) or 1.0
    for value, weight in sorted(votes.items(), key=lambda pair: -pair[1]):
        table.add_row(Text(short(value, 60)), f"{weight:g}", f"{weight / total:.0%}")
    return table


def anchors_table(found: dict[str, Any]) -> Table:
    """The sentences of a trace with what each does to its answer; the decisive one is bold."""
    values = [s["counterfactual"] for s in found["sentences"] if s["counterfactual"] is not None]
    table = Table(
        header_style="dim",
        box=None,
        title=Text(f"{found['problem']} · {found['method']} · answer {short(found['answer'])}"),
        caption=Text(
            f"{found['rollouts']} rollouts from each place, {found['tokens']:,} tokens; – says too few differ"
        ),
    )
    for column in ("", "importance", "p", "advantage", "differ"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("sentence")
    for i, s in enumerate(found["sentences"]):
        value = s["counterfactual"]
        style = "" if value is None else on_scale(value, 0.0, max(values))
        table.add_row(
            str(i),
            Text(_number(value, "{:.2f}"), style),
            _number(s["p"], "{:.3f}"),
            _number(s["advantage"], "{:+.2f}"),
            f"{s['different']}/{found['rollouts']}",
            Text(s["sentence"], "bold" if i == found["decisive"] else ""),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


@contextmanager
def counted(console: Console, what: str) -> Iterator[Callable[[int, int, int], None]]:
    """A live line that counts: it is told how many are done, how many there are, and the tokens spent."""
    columns = (SpinnerColumn(), BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn(what), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console, transient=True) as progress:
        bar = progress.add_task("", total=None, note="")
        yield lambda done, total, tokens: progress.update(bar, completed=done, total=total, note=f"{tokens:,} tokens")


def results_table(results: Iterable[Result], *, several_seeds: bool) -> Table:
    """One line a search. The seed is shown where there are several, the status where it is not `answered`."""
    table = Table(header_style="dim", box=None)
    for column in ("problem", "method", *(("seed",) if several_seeds else ())):
        table.add_column(column, no_wrap=True)
    table.add_column("answer", overflow="ellipsis", no_wrap=True)
    table.add_column("reference", overflow="ellipsis", no_wrap=True)
    for column in ("tokens", "nodes", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    for r in results:
        table.add_row(
            r.problem.id,
            r.method,
            *((str(r.seed),) if several_seeds else ()),
            _answer(r),
            short(r.problem.reference),
            f"{r.usage.total.tokens:,}",
            str(len(r.tree)),
            f"{r.usage.seconds:.1f}",
        )
    return table


def listed(result: Result) -> dict[str, Any]:
    """A search as the parts of a line for pipes: nothing is cut."""
    r = result
    return {
        "problem": r.problem.id,
        "method": r.method,
        "seed": r.seed,
        "answer": f"failed: {r.error}" if r.error else "" if r.answer.value is None else r.answer.value,
        "grade": "" if r.grade is None else f"{r.grade:g}",
        "reference": r.problem.reference or "",
        "status": r.answer.status,
        "tokens": r.usage.total.tokens,
        "nodes": len(r.tree),
        "seconds": f"{r.usage.seconds:.1f}",
    }


def _answer(result: Result) -> Text:
    if result.error:
        return Text(f"failed: {result.error}", "red")
    told = Text()
    if result.grade is not None:
        told.append("✓ " if is_right(result.grade) else "✗ ", "green" if is_right(result.grade) else "red")
    told.append(short(result.answer.value, 28))
    if result.answer.status != Status.ANSWERED:
        told.append(f" {result.answer.status}", "dim")
    return told


def short(value: str | None, width: int = 40) -> str:
    """A text on one line, cut to a width; a dash for None."""
    if value is None:
        return "–"
    flat = " ".join(value.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def entries_table(rows: list[dict[str, Any]]) -> Table:
    """Registered things: the name, and beside it the summary with what else is known of it below."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for row in rows:
        said = Text(row["summary"])
        details = [
            f"{key}: {', '.join(row[key]) if isinstance(row[key], list) else row[key]}"
            for key in row
            if row[key] and key not in ("name", "summary")
        ]
        if details:
            said.append("\n" + " · ".join(details), style="dim")
        table.add_row(Text(row["name"]), said)
    return table


def papers_table(papers: Iterable[Paper]) -> Table:
    """One line a paper: how much of it is here, its title, and where it is, or what is missing."""
    table = Table(box=None, header_style="dim", expand=True)
    table.add_column("status", no_wrap=True, width=6)
    table.add_column("paper", no_wrap=True, overflow="ellipsis", ratio=3)
    table.add_column("where in clew, or what is missing", no_wrap=True, overflow="ellipsis", ratio=2)
    colours = {"works": "green", "partly": "yellow", "absent": "dim"}
    for paper in papers:
        place = Text(", ".join(paper.where)) if paper.where else Text(paper.missing, "dim")
        table.add_row(Text(paper.status, colours[paper.status]), Text(paper.title), place)
    return table


def tabbed(row: Mapping[str, Any]) -> str:
    """The parts of a row on one line, with tabs between them: for pipes."""
    cells = (", ".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell) for cell in row.values())
    return "\t".join(" ".join(cell.split()) for cell in cells)


def parameters_table(rows: list[dict[str, Any]]) -> Table:
    """The parameters of a registered thing: name, what it takes, default, meaning."""
    table = Table(header_style="dim", box=None, padding=(0, 2, 0, 0))
    for column in ("parameter", "takes", "default", "meaning"):
        table.add_column(column, no_wrap=column in ("parameter", "default"))
    for row in rows:
        table.add_row(*(Text(str(row[column])) for column in ("parameter", "takes", "default", "meaning")))
    return table


def facts_table(rows: Sequence[tuple[str, object]]) -> Table:
    """What was asked, and what was found."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")  # a command that is too long for its line stays whole, so that it can be copied
    for what, found in rows:
        table.add_row(Text(what), Text(str(found)))
    return table


def maker_table(maker: Mapping[str, Any]) -> Table:
    """What made the searches of a run (an entry of `Reader.made_by`)."""
    rows = [("made by", f"clew {maker['clew']}")]
    for role, facts in maker["roles"].items():
        rows.append((role, " · ".join(f"{what}: {fact}" for what, fact in facts.items())))
    return facts_table(rows)
