"""The command line. Every command is a few lines around `clew.api`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli_traces import edit, import_, stats
from clew.errors import ClewError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from clew.api import Outcome
    from clew.result import Result

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Examples(click.Command):
    """A command whose help ends with examples."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"  {line}\n")


class Group(click.Group):
    command_class = Examples


def _say() -> Console:
    from rich.console import Console

    return Console(stderr=True, emoji=False)


def _out() -> Console:
    from rich.console import Console

    return Console(emoji=False)


def _json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, default=str))


def _pairs(values: Sequence[str]) -> dict[str, Any]:
    from clew.registry import parse_spec

    return parse_spec("?" + "&".join(values))[1]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise UsageError(f"{text!r} is no list of numbers", "Write them as 500,1000,2000") from None


def _sampling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--repetition-penalty", type=float, help="Above 1 discourages repeated tokens."),
        click.option("--min-p", type=float, help="Drop tokens less probable than this share of the best."),
        click.option("--top-p", type=float, help="Nucleus sampling."),
        click.option("--top-k", type=int, help="Only the k most probable tokens."),
        click.option("-t", "--temperature", type=float, help="Sampling temperature (default 0.8)."),
    ):
        command = option(command)
    return command


def _sampling(options: dict[str, Any]) -> dict[str, Any]:
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    given = {name: options.pop(name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


@click.group(cls=Group, context_settings=CONTEXT)
@click.version_option(package_name="clew")
def cli() -> None:
    """clew: spend a stated compute budget on reasoning with a language model, and see what each technique buys."""


@cli.command(
    examples=(
        'clew solve "Tom has 3 boxes of 4 pens and loses 2. How many are left?"',
        'clew solve "…" --method best_of_n --param n=8 --budget 4000 --show',
        'clew solve "…" --model http://127.0.0.1:8080/v1 --json',
    )
)
@click.argument("question")
@click.option("-m", "--model", default=None, help="A name, a .gguf, a server's URL, or toy:… (smollm2-135m).")
@click.option("--method", default="self_consistency", show_default=True, help="A method, as name or name?key=value.")
@click.option("-b", "--budget", type=int, default=None, help="Tokens to spend (default 2000).")
@click.option("-p", "--param", multiple=True, help="key=value for the method; may be repeated.")
@click.option("--kind", default="auto", show_default=True, help="How the answer is read off: auto, math, number, …")
@click.option("--judge", default=None, help="A model for questions of opinion.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--show", is_flag=True, help="Print the tree and what was spent.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_sampling_options
def solve(question: str, param: Sequence[str], show: bool, as_json: bool, **options: Any) -> None:
    """Solve one problem within a token budget."""
    from clew import api
    from clew.sampling import Sampling

    sampling = Sampling(**_sampling(options))
    options["model"] = options["model"] or api.DEFAULT_MODEL
    with _say().status("thinking …"):
        result = api.solve(
            question, sampling=sampling, **{k: v for k, v in options.items() if v is not None}, **_pairs(param)
        )
    if as_json:
        _json(_result_data(result))
        return
    console = _out()
    if show:
        from clew.terminal import solution_tree, usage_table

        console.print(solution_tree(result))
        console.print(usage_table(result))
    answer = result.answer
    console.print(answer.value if answer.value is not None else "no answer", style="bold", markup=False)
    total = result.usage.total
    sure = f", confidence {answer.confidence:.2f}" if answer.confidence is not None else ""
    _say().print(
        f"{answer.status}{sure} · {total.tokens:,} tokens ({total.generated:,} generated) · {total.seconds:.1f} s",
        style="dim",
    )


@cli.command(
    examples=(
        "clew compare word --methods greedy,self_consistency,best_of_n --budgets 500,1000,2000",
        "clew compare rg:gcd --methods greedy,self_consistency --count 50 --seeds 3",
        "clew compare data.jsonl --field question=problem --field answer=solution --kind math",
        "clew compare add --model toy:arithmetic?skill=0.4 --methods sample,self_consistency --axis calls",
    )
)
@click.argument("task")
@click.option("-m", "--model", default=None, help="A name, a .gguf, a server's URL, or toy:… (smollm2-135m).")
@click.option("--methods", required=True, help="Comma-separated, each name or name?key=value.")
@click.option("--budgets", default="500,1000,2000", show_default=True, help="Comma-separated, on the axis.")
@click.option("--axis", default="tokens", show_default=True, help="generated, tokens, calls, seconds, flops or usd.")
@click.option("-n", "--count", type=int, default=20, show_default=True, help="Problems.")
@click.option("--seeds", type=int, default=1, show_default=True, help="Seeds for each problem.")
@click.option("--seed", type=int, default=0, show_default=True, help="The first seed, and the problems' seed.")
@click.option("--difficulty", type=float, default=None, help="The task's dial.")
@click.option("--shots", type=int, default=None, help="Worked examples in the prompt.")
@click.option("--kind", default=None, help="Data files: math, exact, number or choice.")
@click.option("--field", multiple=True, help="Data files: question=COLUMN, answer=COLUMN, …; may be repeated.")
@click.option("--option", multiple=True, help="key=value for the task; may be repeated.")
@click.option("--judge", default=None, help="A model for questions of opinion.")
@click.option("--baseline", default=None, help="The method the others are compared with (default: the first).")
@click.option("--concurrency", type=int, default=32, show_default=True, help="Searches in flight.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="The run file.")
@click.option("--report", type=click.Path(path_type=Path), default=None, help="The HTML report (default: beside it).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_sampling_options
def compare(
    task: str,
    methods: str,
    budgets: str,
    field: Sequence[str],
    option: Sequence[str],
    out: Path | None,
    report: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compare methods on a task at equal budgets: accuracy at each budget with 95 % intervals, and a report."""
    from clew import api
    from clew.store import Store

    task_options = {k: options.pop(k) for k in ("difficulty", "shots", "kind")} | _pairs(option)
    if field:
        task_options["fields"] = _pairs(field)
    options["model"] = options["model"] or api.DEFAULT_MODEL
    plan = api.make_plan(
        task,
        methods=[m for m in methods.split(",") if m.strip()],
        budgets=_numbers(budgets),
        sampling=_sampling(options),
        task_options={k: v for k, v in task_options.items() if v is not None},
        **options,
    )
    job = api.prepare(plan)
    path = out or api.default_path(plan)
    Store.create(path, plan, job.problems).close()
    _go_on(path, report, as_json)


@cli.command(examples=("clew resume runs/word-smollm2-135m-20261121-100000.db",))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--report", type=click.Path(path_type=Path), default=None, help="The HTML report (default: beside it).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def resume(run: Path, report: Path | None, as_json: bool) -> None:
    """Go on with an interrupted run; on a finished one, print its table and write its report again."""
    _go_on(run, report, as_json)


def _go_on(path: Path, report: Path | None, as_json: bool) -> None:
    from clew import api
    from clew.store import Store
    from clew.terminal import run_progress

    with Store.open(path) as store:
        plan = store.plan
        total = len(store.problem_ids()) * len(plan.methods) * len(plan.seeds)
        done = len(store.finished())
    say = _say()
    say.print(f"{total - done} searches to run, kept in {path}", style="dim", highlight=False)
    try:
        with run_progress(say, total, done) as watcher:
            outcome = api.resume(path, watcher=watcher)
    except KeyboardInterrupt:
        say.print(f"interrupted; what is finished is kept. Go on with: clew resume {path}", highlight=False)
        raise
    _present(outcome, report or path.with_suffix(".html"), as_json)


def _present(outcome: Outcome, report: Path, as_json: bool) -> None:
    from clew.lab.compare import render_table
    from clew.lab.report import write_report

    write_report(outcome.comparison, report, results=outcome.results)
    if as_json:
        _json(
            outcome.comparison.as_dict() | {"run": str(outcome.path), "report": str(report), "failed": outcome.failed}
        )
        return
    _out().print(render_table(outcome.comparison))
    click.echo(f"run: {outcome.path}\nreport: {report}")
    if outcome.failed:
        _say().print(
            f"{outcome.failed} searches failed; try them again with: clew resume {outcome.path}", style="yellow"
        )


@cli.command(
    examples=(
        "clew show runs/demo.db",
        "clew show runs/demo.db word:0:3",
        "clew show runs/demo.db word:0:3 --method rpc",
    )
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("problem", required=False)
@click.option("--method", default=None, help="Only this method.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a search.")
def show(run: Path, problem: str | None, method: str | None, as_json: bool) -> None:
    """List a run's searches, or show the trees of one problem with the path to the answer marked."""
    results = [r for r in _stored(run, problem) if method is None or r.method == method]
    if problem is not None and not results:
        raise UsageError(f"{run} has no search for {problem!r}", f"`clew show {run}` lists them")
    if as_json:
        for result in results:
            _json(_result_data(result))
        return
    from clew.terminal import results_table, solution_tree, usage_table

    console = _out()
    if problem is None:
        console.print(results_table(results))
        return
    console.print(results[0].problem.question, style="italic", markup=False)
    for result in results:
        console.print(solution_tree(result, width=max(60, console.width - 40)))
        console.print(usage_table(result))
    console.print(results_table(results))


def _stored(run: Path, problem: str | None = None) -> list[Result]:
    from clew.api import stored_problems
    from clew.store import Store

    with Store.open(run) as store:
        return list(store.results(stored_problems(store), problem=problem))


@cli.command(examples=("clew export runs/demo.db --to jsonl -o demo", "clew export runs/demo.db --to parquet -o demo"))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(["parquet", "jsonl", "inspect", "otel"]), required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="A folder (default: beside the run).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def export(run: Path, form: str, out: Path | None, as_json: bool) -> None:
    """Write a run's tables as one file each, or its searches as Inspect logs or OpenTelemetry spans."""
    from clew.cli_traces import export_run

    counts = export_run(run, form, out or run.with_suffix(""))
    if as_json:
        _json(counts)
        return
    for path, count in counts.items():
        click.echo(f"{path}: {count} {'rows' if form in ('parquet', 'jsonl') else 'searches'}")


@cli.command("list", examples=("clew list methods", "clew list tasks --json"))
@click.argument("kind", type=click.Choice(["methods", "scorers", "tasks", "models"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_(kind: str, as_json: bool) -> None:
    """List what can be asked for by name, with its paper and what it needs."""
    from clew import registry

    rows = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "parameters": list(entry.parameters),
            "needs": sorted(entry.needs),
            "paper": entry.paper,
        }
        for entry in getattr(registry, kind)
    ]
    if kind == "models":
        from clew.models import catalogue

        rows = [{"name": name, "summary": summary} for name, summary in catalogue().items()] + rows
    if as_json:
        _json(rows)
        return
    from clew.terminal import entries_table

    _out().print(entries_table(rows))


@cli.command(examples=("clew pull smollm2-135m", "clew pull hf:ORG/REPO/FILE.gguf"))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def pull(name: str, as_json: bool) -> None:
    """Fetch a model file into the user's cache, checked against its SHA-256."""
    from rich.progress import Progress

    from clew.models.pull import pull as fetch

    with Progress(console=_say(), transient=True) as progress:
        bar = progress.add_task(name, total=None)
        path = fetch(name, progress=lambda done, total: progress.update(bar, completed=done, total=total))
    if as_json:
        _json({"name": name, "path": str(path)})
    else:
        click.echo(path)


@cli.command(examples=("clew doctor", "clew doctor http://127.0.0.1:8080/v1 --fresh"))
@click.argument("url", required=False)
@click.option("--fresh", is_flag=True, help="Probe the server again instead of reading what was found before.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(url: str | None, fresh: bool, as_json: bool) -> None:
    """Say what this machine, or a server, can do for clew."""
    from clew.terminal import facts_table

    if url:
        from clew.models.openai import probe

        found = probe(url, fresh=fresh)
        data, rows = found.as_dict(), found.rows()
    else:
        from clew.doctor import machine

        data = machine()
        rows = list(data.items())
    if as_json:
        _json(data)
        return
    _out().print(facts_table(rows))


def _result_data(result: Result) -> dict[str, Any]:
    answer = result.answer
    return {
        "problem": result.problem.id,
        "method": result.method,
        "seed": result.seed,
        "answer": answer.value,
        "text": answer.text,
        "confidence": answer.confidence,
        "votes": dict(answer.votes),
        "status": str(answer.status),
        "grade": result.grade,
        "usage": result.usage.as_dict(),
        "total": {
            axis: result.usage.along(axis) for axis in ("generated", "tokens", "calls", "flops", "seconds", "usd")
        },
        "nodes": len(result.tree),
    }


cli.add_command(edit)
cli.add_command(stats)
cli.add_command(import_)


def main() -> None:
    """The entry point: one clear line and exit status 2 for whatever the user can mend; 130 for Ctrl-C."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except ClewError as error:
        click.echo(f"clew: {error}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
