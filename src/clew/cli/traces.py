"""The commands that read, measure and change traces. Every command is a few lines around `clew.analysis`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clew.cli.options import RUN, Examples, plugin_option
from clew.cli.output import echo, print_json, to_stderr, to_stdout
from clew.errors import UsageError
from clew.problem import is_right

if TYPE_CHECKING:
    from rich.table import Table

    from clew.analysis.editing import Action
    from clew.lab.trace_stats import Measured

FILE = click.Path(path_type=Path)


@click.command(
    cls=Examples,
    examples=(
        "clew stats runs/demo.db",
        "clew stats a.db b.db --to csv",
        "clew stats a.db --measure failed_step_fraction --measure tokens",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=RUN, metavar="RUN…")
@click.option("--to", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@click.option("--measure", "only", multiple=True, help="Only this measure; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="The same as --to json.")
@plugin_option
def stats(runs: Sequence[Path], form: str, only: Sequence[str], as_json: bool) -> None:
    """Measure every trace of some runs: means over problems with 95 % intervals, for each method."""
    from clew.lab.trace_stats import measured, rendered

    rows = measured(list(runs))
    known = {row.measure for row in rows}
    for name in only:
        if name not in known:
            raise UsageError(f"there is no measure {name!r}", f"Choose among {', '.join(sorted(known))}")
    rows = [row for row in rows if not only or row.measure in only]
    if as_json or form != "table":
        echo(rendered(rows, "json" if as_json else form))
        return
    for run in dict.fromkeys(row.run for row in rows):
        to_stdout().print(_table([row for row in rows if row.run == run]))


def _table(rows: Sequence[Measured]) -> Table:
    """The measures of one run: a row each, a column for each method."""
    methods = list(dict.fromkeys(row.method for row in rows))
    from rich.table import Table

    table = Table(title=f"{rows[0].run}: means over problems, 95 % intervals")
    table.add_column("measure", no_wrap=True)
    for method in methods:
        table.add_column(method, justify="right")
    for measure in dict.fromkeys(row.measure for row in rows):
        cells = {row.method: _cell(row) for row in rows if row.measure == measure}
        if any(cells.values()):
            table.add_row(measure, *(cells.get(method, "") for method in methods))
    return table


def _cell(row: Measured) -> str:
    if row.mean != row.mean:
        return ""
    return f"{row.mean:.3g}" + (f" [{row.low:.3g}, {row.high:.3g}]" if row.low == row.low else "")


@click.command(
    "import",
    cls=Examples,
    examples=(
        "clew import traces.jsonl -o runs/traces.db --kind math",
        "clew import traces.jsonl --field trace=output --field reference=gold",
        "clew import logs/2026-11-21_task.eval",
    ),
)
@click.argument("file", type=FILE)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="The run file (default: the file's name with .db).",
)
@click.option("--kind", default="auto", show_default=True, help="How answers are read: auto, math, number, …")
@click.option("--field", multiple=True, help="JSONL: question=NAME, trace=NAME, answer=, reference=, …; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_(file: Path, out: Path | None, kind: str, field: Sequence[str], as_json: bool) -> None:
    """Make a run file of traces from elsewhere: JSONL (prompt, trace, answer), thinking tags, Inspect logs."""
    from clew.analysis.io.reading import read_traces
    from clew.analysis.io.run_file import import_run

    pairs = [pair.partition("=") for pair in field]
    if any(not name or not told for name, _, told in pairs):
        raise UsageError("a field is given as part=NAME", "As in --field trace=output")
    traces = read_traces(file, fields={a: b for a, _, b in pairs})
    path = out or file.with_suffix(".db")
    count = import_run(traces, path, kind=kind)
    if as_json:
        print_json({"run": str(path), "traces": count})
    else:
        echo(f"{path}: {count} {'trace' if count == 1 else 'traces'}")


@click.command(
    cls=Examples,
    examples=(
        "clew edit runs/word.db word@1:0:3",
        'clew edit runs/word.db word@1:0:3 --step 1 --text "7 * 8 = 54"',
        "clew edit runs/word.db word@1:0:3 --step 2 --action delete -n 8",
    ),
)
@click.argument("run", type=RUN)
@click.argument("problem")
@click.option("--step", type=int, default=None, help="The step to change (without it, the steps are listed).")
@click.option("--action", type=click.Choice(["replace", "delete", "insert", "shuffle"]), default="replace")
@click.option("--text", default="", help="What the step is to say.")
@click.option("-n", "count", type=click.IntRange(1), default=4, show_default=True, help="Continuations.")
@click.option("-m", "--model", default=None, help="Who goes on (default: the run's model).")
@click.option("--method", default=None, help="The trace of this method (default: the first).")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Keep both searches in this run file, for `clew view`.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def edit(
    run: Path,
    problem: str,
    step: int | None,
    action: Action,
    text: str,
    count: int,
    model: str | None,
    method: str | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Change a step of a trace and let the model go on from there."""
    from clew.lab import edit_run
    from clew.lab.stored_trace import stored_trace

    stored = stored_trace(run, problem, method)
    if step is None:
        rows = [{"step": i, "text": said} for i, said in enumerate(stored.trace.step_texts)]
        if as_json:
            print_json(rows)
        else:
            echo("\n".join(f"{row['step']}: {row['text']}" for row in rows))
        return
    if out is not None and out.exists():
        raise UsageError(f"{out} exists", "Name another file by --out")
    result, after = edit_run.edited(stored, step, action, text, model=model, n=count, seed=seed)
    if out is not None:
        edit_run.keep(stored, result, model, out)
    found = edit_run.told(stored, result, after, step, action) | ({"run": str(out)} if out else {})
    if as_json:
        print_json(found)
        return
    echo(f"before: {found['before']['answer']} ({graded(found['before']['grade'])})")
    for told in found["after"]:
        echo(f"\n--- {told['answer']} ({graded(told['grade'])})\n{told['text'].strip()}")
    if out is not None:
        echo(f"\nrun: {out}")


@click.command(
    cls=Examples,
    examples=("clew anchors runs/word.db word@1:0:3", "clew anchors runs/word.db word@1:0:3 --rollouts 50 --json"),
)
@click.argument("run", type=RUN)
@click.argument("problem")
@click.option("--method", default=None, help="The trace of this method (default: the first).")
@click.option("-n", "--rollouts", type=click.IntRange(1), default=50, show_default=True, help="From each sentence.")
@click.option("-m", "--model", default=None, help="Who draws them (default: the run's model).")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def anchors(
    run: Path, problem: str, method: str | None, rollouts: int, model: str | None, seed: int, as_json: bool
) -> None:
    """Find the sentences of a trace that decide its answer, by resampling each, and keep that in the run."""
    from clew.cli.tables import anchors_table, counted
    from clew.lab.anchor_run import anchored
    from clew.lab.stored_trace import stored_trace

    stored = stored_trace(run, problem, method)
    with counted(to_stderr(), "rollouts") as progress:
        found = anchored(run, stored, rollouts=rollouts, model=model, seed=seed, progress=progress)
    if as_json:
        print_json(found)
        return
    to_stdout().print(anchors_table(found))
    echo(f"kept in {run}: `clew view {run}` colours the text by it")


def graded(grade: float | None) -> str:
    """A grade in words."""
    if grade is None:
        return "not graded"
    return "right" if is_right(grade) else "wrong" if grade == 0 else f"grade {grade:.2f}"


def export_run(run: Path, form: str, folder: Path) -> dict[str, int]:
    """Write a run in one of all formats; path → rows or searches."""
    from clew.analysis.io.writing import FORMATS, export_traces
    from clew.store.export import export_run as export_tables

    if form not in FORMATS:
        return export_tables(run, form, folder)

    from clew.store import Reader, stored_problems

    with Reader.open(run) as store:
        return export_traces(store, stored_problems(store), form, folder)
