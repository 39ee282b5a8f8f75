"""The command that grades a run anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clew.cli.options import Examples
from clew.cli.output import echo, print_json, to_stdout

if TYPE_CHECKING:
    from rich.table import Table

    from clew.lab.rescore import Rescored


@click.command(
    cls=Examples,
    examples=(
        "clew rescore runs/demo.db",
        "clew rescore runs/quiz.db --kind math --out runs/quiz-math.db",
        "clew rescore runs/quiz.db --task quiz-corrected.jsonl --json",
    ),
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--kind", default=None, help="Another kind of answers: math, number, choice, exact, text, auto.")
@click.option("--task", default=None, help="A task or data file with the same problems that grades otherwise.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="Keep a copy with the new grades.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def rescore(run: Path, kind: str | None, task: str | None, out: Path | None, as_json: bool) -> None:
    """Read and grade the answers of a run anew, and show what changes. No model is asked.

    The gold answers and the kind of answers are those that the run file holds, unless --kind or --task says otherwise.
    The run file stays as it is; --out keeps a copy with the new answers and grades, of which `clew resume` makes the
    table and the report."""
    from clew.lab.rescore import rescore as graded_anew

    found = graded_anew(run, kind=kind, task=task, out=out)
    if as_json:
        print_json(found.as_dict() | ({"out": str(out)} if out is not None else {}))
        return
    console = to_stdout()
    console.print(_methods_table(found))
    if found.changes:
        console.print(_changes_table(found))
    else:
        echo("no grade changes")
    if out is not None:
        echo(f"copy: {out}")


def _methods_table(found: Rescored) -> Table:
    """A line a method: accuracy before and after, and how many searches that is about."""
    from rich.table import Table
    from rich.text import Text

    table = Table(header_style="dim", box=None, title=f"{found.run}: accuracy in percent, failed searches left out")
    table.add_column("method", overflow="fold")
    for column in ("searches", "before", "after", "became right", "became wrong", "read otherwise"):
        table.add_column(column, justify="right", no_wrap=True)
    for method, tally in found.methods.items():
        shares = ("–" if share is None else f"{100 * share:.1f}" for share in tally.accuracy)
        counts = (str(count) for count in (tally.gained, tally.lost, tally.reread))
        table.add_row(Text(method), str(tally.searches), *shares, *counts)
    return table


def _changes_table(found: Rescored) -> Table:
    """A line a search whose grade changes: answer and verdict, before and after."""
    from rich.table import Table
    from rich.text import Text

    from clew.cli.tables import short
    from clew.cli.traces import graded

    seeds = len({change.seed for change in found.changes}) > 1
    table = Table(header_style="dim", box=None)
    for column in ("problem", "method", *(("seed",) if seeds else ()), "answer", "gold", "verdict"):
        table.add_column(column, overflow="fold")
    for change in found.changes:
        (was, old), (now, new) = change.before, change.after
        answer = short(was) if was == now else f"{short(was)} → {short(now)}"
        verdict = f"{graded(old)} → {graded(new)}"
        number = (str(change.seed),) if seeds else ()
        cells = (change.problem, change.method, *number, answer, short(change.gold), verdict)
        table.add_row(*(Text(cell) for cell in cells))
    return table
