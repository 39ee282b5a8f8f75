"""The commands that compare and look at what was run. Every command is a few lines around `clew.lab`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.budget import AXES
from clew.cli.options import (
    RUN,
    Examples,
    engine_given,
    key_option,
    numbers,
    pairs,
    plugin_option,
    prompt_options,
    prompting_given,
    role_option,
    roles_given,
    sampling_given,
    sampling_options,
)
from clew.cli.output import echo, print_json, to_stderr, to_stdout
from clew.cli.results import result_data, say_unasked
from clew.errors import UsageError, how_to_install

if TYPE_CHECKING:
    from clew.lab.experiment import Experiment, Outcome
    from clew.store import Store


@click.command(
    cls=Examples,
    examples=(
        "clew compare word --methods greedy,self_consistency,best_of_n --budgets 500,1000,2000",
        "clew compare rg:gcd --methods greedy,self_consistency --count 50 --seeds 3",
        "clew compare aime.parquet --methods greedy,self_consistency --shots 2",
        "clew compare data.jsonl.gz --methods greedy,rpc --field question=ask --field answer=ground_truth.value",
        "clew compare add --model toy:arithmetic?skill=0.4 --methods sample,self_consistency --axis calls",
    ),
)
@click.argument("task")
@click.option("-m", "--model", default=None, help="A name, a .gguf, a server's URL[#MODEL], or toy:… (smollm2-135m).")
@key_option
@click.option("--methods", multiple=True, required=True, help="Each name or name?key=value, by commas, or repeated.")
@click.option("--budgets", default="500,1000,2000", show_default=True, help="Comma-separated, on the axis.")
@click.option("--axis", default="tokens", show_default=True, help=f"One of {', '.join(AXES)}.")
@click.option("-n", "--count", type=int, default=20, show_default=True, help="Problems.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Seeds for each problem.")
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed, and the problems' seed.")
@click.option("--difficulty", type=float, default=None, help="The task's dial.")
@click.option("--shots", type=int, default=None, help="Worked examples in the prompt.")
@click.option("--kind", default=None, help="Data files: math, number, choice, exact or text.")
@click.option("--field", multiple=True, help="Data files: question=FIELD, answer=FIELD, …; may be repeated.")
@click.option("--option", multiple=True, help="key=value for the task; may be repeated.")
@role_option
@click.option("--baseline", default=None, help="The method the others are compared with (default: the first).")
@click.option("--concurrency", type=click.IntRange(1), default=32, show_default=True, help="Searches in flight.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="The run file.")
@click.option("--report", type=click.Path(path_type=Path), default=None, help="The HTML report (default: beside it).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@prompt_options
@sampling_options
@plugin_option
def compare(
    task: str,
    methods: Sequence[str],
    budgets: str,
    field: Sequence[str],
    option: Sequence[str],
    roles: Sequence[str],
    key_env: str | None,
    out: Path | None,
    report: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare methods on a task at equal budgets: accuracy at each budget with 95 % intervals, and a report.

    TASK is a name (`clew list tasks`), or a file of problems: .jsonl, .ndjson, .json, .csv, .tsv, .parquet, packed as
    .gz or .zst or not. Those in the shape of GSM8K, MATH, AIME, ARC, MMLU-Pro, OlympiadBench, verl or TRL, or with the
    usual names of fields, are read as they are.

    A search that fails is kept with its reason, and the others go on; `clew resume` tries it again. The exit status is
    then 1."""
    from clew.lab.experiment import DEFAULT_MODEL, default_path, make_plan, prepare
    from clew.models import keyed
    from clew.registry import split_outside
    from clew.store import Store

    task_options = {k: options.pop(k) for k in ("difficulty", "shots", "kind")} | pairs(option)
    task_options |= prompting_given(options)
    if field:
        task_options["fields"] = pairs(field)
    options["model"] = keyed(options["model"] or DEFAULT_MODEL, key_env)
    plan = make_plan(
        task,
        methods=[m.strip() for given in methods for m in split_outside(given, ",") if m.strip()],
        budgets=numbers(budgets),
        roles=roles_given(roles),
        sampling=sampling_given(options),
        model_options=engine_given(options),
        task_options={k: v for k, v in task_options.items() if v is not None},
        **options,
    )
    experiment = prepare(plan)
    if read := experiment.problems[0].meta.get("file"):
        to_stderr().print(read, style="dim", highlight=False, soft_wrap=True)
    with Store.create(out or default_path(plan), plan, experiment.problems) as store:
        _go_on(experiment, store, report, as_json)


@click.command(cls=Examples, examples=("clew resume runs/word-smollm2-135m-20261121-100000.db",))
@click.argument("run", type=RUN)
@click.option("--report", type=click.Path(path_type=Path), default=None, help="The HTML report (default: beside it).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--stored-problems", is_flag=True, help="Go on although the data file is no longer what it was.")
@click.option("--trust", is_flag=True, help="Ask the models that the file names although it was not begun here.")
@key_option
@plugin_option
def resume(
    run: Path, report: Path | None, as_json: bool, stored_problems: bool, trust: bool, key_env: str | None
) -> None:
    """Go on with an interrupted run; on a finished one, print its table and write its report again.

    A finished run needs neither its model nor its data file. Going on wants the data file as it was; --stored-problems
    goes on with the problems as the run file holds them. A file that was not begun here is data: going
    on with it wants --trust."""
    from clew.lab.experiment import prepare_again, sum_up, unfinished
    from clew.store import Reader, Store, load_plugins

    with Reader.open(run) as reader:
        if trust:
            load_plugins(reader, trust=True)
        if not unfinished(reader):
            _present(sum_up(reader), report or run.with_suffix(".html"), as_json)
            return
    with Store.open(run) as store:
        _go_on(prepare_again(store, as_stored=stored_problems, trust=trust, key_env=key_env), store, report, as_json)


def _go_on(experiment: Experiment, store: Store, report: Path | None, as_json: bool) -> None:
    from clew.background import run_in_background
    from clew.cli.tables import run_progress
    from clew.lab.experiment import execute

    total, done = len(experiment.trials), len(store.finished())
    say = to_stderr()
    say.print(f"{total - done} searches to run, kept in {store.path}", style="dim", highlight=False)
    try:
        with run_progress(say, total, done) as watcher:
            outcome = run_in_background(execute(experiment, store, watcher))
    except KeyboardInterrupt:
        say.print(f"interrupted; what is finished is kept. Go on with: clew resume {store.path}", highlight=False)
        raise
    say_unasked(experiment.models, outcome.results)
    _present(outcome, report or store.path.with_suffix(".html"), as_json)


def _present(outcome: Outcome, report: Path, as_json: bool) -> None:
    from clew.lab.plot import drawable
    from clew.lab.report import write_report
    from clew.lab.reproduce import reproduction
    from clew.lab.table import render_table

    if not as_json:
        to_stdout().print(render_table(outcome.comparison))
    again = reproduction(outcome.plan, outcome.made_by)
    write_report(outcome.comparison, report, results=outcome.results, again=again)
    if not drawable():
        to_stderr().print(f"the report has no plot, which needs matplotlib. {how_to_install('report')}", style="yellow")
    if as_json:
        print_json(
            outcome.comparison.as_dict() | {"run": str(outcome.path), "report": str(report), "failed": outcome.failed}
        )
    else:
        echo(f"run: {outcome.path}\nreport: {report}")
    if outcome.failed:
        for method, reason in {r.method: r.error for r in outcome.results if r.error}.items():
            to_stderr().print(f"{method} failed: {reason}", style="yellow", highlight=False)
        to_stderr().print(
            f"{outcome.failed} searches failed; try them again with: clew resume {outcome.path}",
            style="yellow",
            highlight=False,
        )
        sys.exit(1)


@click.command(
    cls=Examples,
    examples=(
        "clew show runs/demo.db",
        "clew show runs/demo.db words@1:0:3",
        "clew show runs/demo.db words@1:0:3 --method greedy",
    ),
)
@click.argument("run", type=RUN)
@click.argument("problem", required=False)
@click.option("--method", default=None, help="Only this method.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a search.")
@plugin_option
def show(run: Path, problem: str | None, method: str | None, as_json: bool) -> None:
    """List a run's searches, or show the trees of one problem with the path to the answer marked."""
    from clew.cli.tables import listed, maker_table, results_table, tabbed, usage_table
    from clew.cli.tree import solution_tree
    from clew.store import Reader, stored_problems

    console = to_stdout()
    with Reader.open(run) as store:
        results = store.results(stored_problems(store), problem=problem, method=method)
        several_seeds = len(store.plan.seeds) > 1
        # A whole run may be greater than the memory: its searches are shown one at a time.
        if problem is None and as_json:
            for result in results:
                print_json(result_data(result))
            return
        if problem is None and not console.is_terminal:
            for result in results:
                echo(tabbed(listed(result)))
        elif problem is None:
            console.print(results_table(results, several_seeds=several_seeds))
        if problem is None:
            for maker in store.made_by:
                console.print(maker_table(maker))
            return
        found = list(results)
    if not found:
        raise UsageError(f"{run} has no search for {problem!r}", f"`clew show {run}` lists them")
    if as_json:
        for result in found:
            print_json(result_data(result))
        return
    console.print(found[0].problem.question, style="italic", highlight=False)
    for result in found:
        console.print(solution_tree(result, width=max(60, console.width - 40)))
        console.print(usage_table(result))
    console.print(results_table(found, several_seeds=several_seeds))


@click.command(
    cls=Examples,
    examples=("clew export runs/demo.db --to jsonl -o demo", "clew export runs/demo.db --to inspect"),
)
@click.argument("run", type=RUN)
@click.option("--to", "form", type=click.Choice(["parquet", "jsonl", "inspect", "otel"]), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="A folder (default: beside the run).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def export(run: Path, form: str, out: Path | None, as_json: bool) -> None:
    """Write a run's tables as one file each, or its searches as Inspect logs or OpenTelemetry spans."""
    from clew.cli.traces import export_run

    counts = export_run(run, form, out or run.with_suffix(""))
    if as_json:
        print_json(counts)
        return
    for path, count in counts.items():
        echo(f"{path}: {count} {'rows' if form in ('parquet', 'jsonl') else 'searches'}")
