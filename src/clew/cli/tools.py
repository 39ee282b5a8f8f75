"""The commands that say what there is, and fetch models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from clew.cli.options import Examples, key_option, memory_option, plugin_option
from clew.cli.output import echo, print_json, to_stderr, to_stdout
from clew.errors import UsageError
from clew.registry import Entry, spelled


@click.command(
    "list",
    cls=Examples,
    examples=(
        "clew list methods",
        "clew list methods beam",
        "clew list tasks --json",
        "clew list tasks rg:gcd",
        "clew list tasks data.jsonl",
        "clew list papers particle filter",
        "clew list papers --status absent | wc -l",
    ),
)
@click.argument("kind", type=click.Choice(["methods", "scorers", "tasks", "models", "papers"]))
@click.argument("words", nargs=-1)
@click.option(
    "--status",
    type=click.Choice(["works", "partly", "absent"]),
    default=None,
    help="Papers: only those of this status.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@plugin_option
def list_(kind: str, words: Sequence[str], status: str | None, as_json: bool) -> None:
    """List what can be asked for by name, with its paper and what it needs. With a name: its parameters, each with
    what it takes, its default and what it means. Of papers: those that have all of WORDS, with what clew has of them.

    Where the output is not a terminal, it is one line each with tabs between the parts."""
    if kind == "papers":
        _list_papers(words, status, as_json)
        return
    if status is not None or len(words) > 1:
        raise UsageError("several words and --status select papers only", f"Write `clew list {kind} NAME`")
    from clew import registry

    rows = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "parameters": list(entry.parameters),
            "needs": sorted(getattr(entry, "needs", ())),
            "paper": entry.paper,
            **({key: getattr(entry, key) for key in ("dial", "grader", "verifier")} if kind == "tasks" else {}),
        }
        for entry in getattr(registry, kind)
    ]
    if kind == "models":
        from clew.models import catalogue

        rows = [{"name": name, "summary": summary} for name, summary in catalogue().items()] + rows
    if kind == "tasks":
        from clew.tasks import described
        from clew.tasks.files import FORMATS, NAMES

        rows.append({"name": "rg:NAME", "summary": "A family of reasoning-gym, with its verifier as grader."})
        summary = f"Problems of your own: {', '.join(FORMATS)} (.gz, .zst), in the shape of {', '.join(NAMES)}, by the "
        rows.append({"name": "FILE", "summary": summary + "usual names of fields, or as --field says."})
    if words:
        # A file, or what a pattern stands for, is listed without being registered: it has a summary only.
        plain = [row for row in rows if row["name"] == words[0] and "parameters" not in row]
        other = described(words[0]) if kind == "tasks" and not plain else None
        about, parameters = (plain[0], []) if plain else other or _told(getattr(registry, kind)[words[0]])
        _list_one(about, parameters, as_json)
        return
    if as_json:
        print_json(rows)
        return
    from clew.cli.tables import entries_table, tabbed

    console = to_stdout()
    if console.is_terminal:
        console.print(entries_table(rows))
        return
    for row in rows:
        echo(tabbed({part: row.get(part, "") for part in {**rows[0], **rows[-1]}}))


def _told(entry: Entry) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is known of a registered thing, and its parameters."""
    rows = [
        {
            "parameter": p.name,
            "takes": p.wants,
            "default": "(must be given)" if p.required else spelled(p.default),
            "meaning": p.meaning,
        }
        for p in entry.parameters.values()
    ]
    about = {"name": entry.name, "summary": entry.summary, "paper": entry.paper, "departs": entry.departs}
    return about, rows


def _list_one(about: dict[str, Any], rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(about | {"parameters": rows})
        return
    from clew.cli.tables import facts_table, parameters_table, tabbed

    console = to_stdout()
    if not console.is_terminal:
        for row in rows:
            echo(tabbed(row))
        if not rows:
            echo(tabbed(about))
        return
    console.print(facts_table([(what, fact) for what, fact in about.items() if fact]))
    if rows:
        console.print(parameters_table(rows))


def _list_papers(words: Sequence[str], status: str | None, as_json: bool) -> None:
    from dataclasses import asdict

    from clew.lab.papers import find_papers

    found = find_papers(words, status)
    if not found:
        asked = f"has {' and '.join(map(repr, words))} in it" + (f" and is {status!r}" if status else "")
        raise UsageError(f"no paper {asked}", "Give fewer words; `clew list papers` shows them all")
    if as_json:
        print_json([asdict(paper) for paper in found])
        return
    from clew.cli.tables import facts_table, papers_table, tabbed

    console = to_stdout()
    if console.is_terminal and len(found) > 1:
        console.print(papers_table(found))
        return
    rows = [asdict(paper) | {"shows": " && ".join(paper.shows)} for paper in found]
    if console.is_terminal:
        rows[0]["where"] = ", ".join(found[0].where)
        console.print(facts_table([(part, fact) for part, fact in rows[0].items() if fact]))
        return
    for row in rows:
        echo(tabbed(row))


@click.command(
    cls=Examples,
    examples=(
        "clew advise smollm2-135m --task words",
        "clew advise toy:queens?skill=0.3 --task puzzle:queens",
        "clew advise http://127.0.0.1:8080/v1 --task data.jsonl",
    ),
)
@click.argument("model")
@click.option("--task", required=True, help="A task, or a data file.")
@key_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@plugin_option
def advise(model: str, task: str, key_env: str | None, as_json: bool) -> None:
    """Say which method to take for a MODEL and a task, and why: from what was measured (docs/search.md).

    The first line is the advice; a line that begins with `if` is for what only you can know."""
    from clew.background import get_model
    from clew.lab.advice import advise as advice
    from clew.models import keyed
    from clew.tasks import load_problems
    from clew.tree import GENERATE

    lines = advice(load_problems(task, count=1)[0], {GENERATE: get_model(keyed(model, key_env))})
    if as_json:
        print_json([{"method": x.spec, "if": x.only_if, "have": x.have, "reason": x.reason} for x in lines])
        return
    for line in lines:
        echo(f"{f'if {line.only_if}: ' if line.only_if else ''}{line.spec}\t{line.reason}")


@click.command(cls=Examples, examples=("clew pull smollm2-135m", "clew pull hf:ORG/REPO/FILE.gguf"))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def pull(name: str, as_json: bool) -> None:
    """Fetch a model file into the user's cache, checked against its SHA-256."""
    from rich.progress import Progress

    from clew.models.pull import pull as fetch

    with Progress(console=to_stderr(), transient=True) as progress:
        bar = progress.add_task(name, total=None)
        path = fetch(name, progress=lambda done, total: progress.update(bar, completed=done, total=total))
    if as_json:
        print_json({"name": name, "path": str(path)})
    else:
        echo(path)


@click.command(
    cls=Examples,
    examples=("clew doctor", "clew doctor --measure", "clew doctor http://127.0.0.1:8080/v1#qwen3-4b --fresh"),
)
@click.argument("url", required=False)
@key_option
@click.option("--fresh", is_flag=True, help="Probe the server again instead of reading what was found before.")
@click.option("--measure", is_flag=True, help="Measure which format is fastest here, and compute in it from now on.")
@memory_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(url: str | None, key_env: str | None, fresh: bool, measure: bool, memory: str | None, as_json: bool) -> None:
    """Say what this machine, or a server, can do for clew."""
    from clew.cli.tables import facts_table

    if url:
        from clew.models.openai import probe

        found = probe(url, key_env=key_env, fresh=fresh)
        data, rows = found.as_dict(), found.rows()
    else:
        from clew.cli.doctor import machine

        if measure:
            from clew.models.llamacpp import measure_formats

            measure_formats(lambda name: to_stderr().print(f"measuring {name} …", style="dim", highlight=False))
        data = machine(memory)
        rows = list(data.items())
    if as_json:
        print_json(data)
        return
    to_stdout().print(facts_table(rows))
