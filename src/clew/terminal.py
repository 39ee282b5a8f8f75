"""What the command line draws: progress, trees, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as RichTree

from clew.problem import Status
from clew.result import Proposal, Result
from clew.runner import Cell
from clew.tree import Finish, Node, Origin

_FINISH_STYLE = {
    Finish.STEP: "",
    Finish.END: "green",
    Finish.STOP: "green",
    Finish.LENGTH: "yellow",
    Finish.CANCELLED: "red",
}


class RunProgress:
    """A progress line for a run: searches done, tokens, what is right so far. Where the line cannot be drawn over (a
    log file), every twentieth part of the run is a line of its own."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress = progress
        self._bar = progress.add_task("", total=total, completed=done, note="")
        self._total = total
        self._done = done
        self._tokens = 0
        self._right = 0.0
        self._graded = 0

    def begun(self, cell: Cell) -> None:
        self._progress.update(self._bar, note=f"{cell.problem.id} · {cell.method}")

    def proposed(self, cell: Cell, proposal: Proposal) -> None:
        self._progress.update(self._bar, note=f"{cell.problem.id} · {cell.method}: {proposal.answer.value}")

    def ended(self, cell: Cell, result: Result) -> None:
        self._tokens += result.usage.total.tokens
        if result.grade is not None:
            self._right += result.grade
            self._graded += 1
        share = f"{self._right / self._graded:.0%} right, " if self._graded else ""
        note = f"{share}{self._tokens:,} tokens"
        self._progress.update(self._bar, advance=1, note=note)
        self._done += 1
        console = self._progress.console
        if not console.is_terminal and self._done * 20 // self._total > (self._done - 1) * 20 // self._total:
            console.print(f"{self._done}/{self._total} searches, {note}", highlight=False)


@contextmanager
def run_progress(console: Console, total: int, done: int = 0) -> Iterator[RunProgress]:
    """A live progress line while a run goes on."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield RunProgress(progress, total, done)


def usage_table(result: Result) -> Table:
    """What one search has spent, by model and purpose."""
    table = Table(box=None, header_style="dim")
    for column in ("model", "purpose"):
        table.add_column(column, no_wrap=True)
    for column in ("generated", "prefilled", "reused", "computed", "calls", "GFLOP"):
        table.add_column(column, justify="right", no_wrap=True)
    for (model, purpose), s in result.usage.parts.items():
        counts = [f"{n:,}" for n in (s.generated, s.prefilled, s.reused, s.computed, s.calls)]
        table.add_row(model, purpose, *counts, f"{s.flops / 1e9:,.0f}")
    return table


def solution_tree(result: Result, *, width: int = 100) -> RichTree:
    """The tree of one search; the path to the answer is marked with a star."""
    best = {n.id for n in result.answer.node.ancestors()} if result.answer.node else set()
    roots = result.tree.roots
    top = RichTree(Text(f"{result.problem.id} · {result.method} · seed {result.seed}", style="bold"))

    def add(branch: RichTree, node: Node) -> None:
        # A chain without choices is one entry: a tree is read by its forks.
        chain = [node]
        while len(chain[-1].children) == 1:
            chain.append(chain[-1].children[0])
        twig = branch.add(_line(chain, best, width))
        for child in chain[-1].children:
            add(twig, child)

    for root in roots:
        add(top, root)
    return top


def _line(chain: list[Node], best: set[int], width: int) -> Text:
    last = chain[-1]
    text = " ".join("".join(n.segment.text for n in chain).split())
    if len(text) > width:
        text = text[: width // 2 - 1] + " … " + text[-(width // 2 - 2) :]
    line = Text()
    if last.id in best:
        line.append("★ ", style="bold yellow")
    line.append(f"{chain[0].id}" if len(chain) == 1 else f"{chain[0].id}–{last.id}", style="dim")
    tokens = sum(len(n.segment) for n in chain)
    line.append(f" {tokens}t ", style="dim")
    if chain[0].origin is Origin.PROMPT:
        line.append(text, style="dim")
    else:
        line.append(text, style="bold" if last.id in best else "")
    if last.finished:
        line.append(f"  {last.finish}", style=_FINISH_STYLE[last.finish])
    for name, value in last.scores.items():
        line.append(f"  {name} {value:.3g}", style="cyan")
    if last.label:
        line.append(f"  ({last.label})", style="dim")
    return line


def results_table(results: list[Result]) -> Table:
    """One line a search. The seed is shown where there are several, the status where it is not `answered`."""
    seeds = len({r.seed for r in results}) > 1
    table = Table(header_style="dim", box=None)
    for column in ("problem", "method", *(("seed",) if seeds else ())):
        table.add_column(column, no_wrap=True)
    table.add_column("answer", overflow="ellipsis", no_wrap=True)
    table.add_column("reference", overflow="ellipsis", no_wrap=True)
    for column in ("tokens", "nodes", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    for r in results:
        table.add_row(
            escape(r.problem.id),
            escape(r.method),
            *((str(r.seed),) if seeds else ()),
            _answer(r),
            escape(_short(r.problem.reference)),
            f"{r.usage.total.tokens:,}",
            str(len(r.tree)),
            f"{r.usage.seconds:.1f}",
        )
    return table


def _answer(result: Result) -> str:
    if result.error:
        return f"[red]failed: {escape(result.error)}[/]"
    mark = "" if result.grade is None else ("[green]✓[/] " if result.grade >= 1 else "[red]✗[/] ")
    status = "" if result.answer.status == Status.ANSWERED else f" [dim]{result.answer.status}[/]"
    return mark + escape(_short(result.answer.value, 28)) + status


def _short(value: str | None, width: int = 40) -> str:
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


def facts_table(rows: Sequence[tuple[str, object]]) -> Table:
    """What was asked, and what was found."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for what, found in rows:
        table.add_row(Text(what), Text(str(found)))
    return table
