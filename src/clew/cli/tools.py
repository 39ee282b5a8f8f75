"""The commands that say what there is, and fetch models."""

from __future__ import annotations

import click

from clew.cli.options import Examples, key_option, print_json, to_stderr, to_stdout


@click.command("list", cls=Examples, examples=("clew list methods", "clew list tasks --json"))
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
        rows.append({"name": "rg:NAME", "summary": "A family of reasoning-gym, with its verifier as grader."})
        rows.append({"name": "FILE", "summary": "Problems of your own: .jsonl, .csv or .parquet, as --field maps it."})
    if as_json:
        print_json(rows)
        return
    from clew.cli.tables import entries_table

    to_stdout().print(entries_table(rows))


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
        click.echo(path)


@click.command(cls=Examples, examples=("clew doctor", "clew doctor http://127.0.0.1:8080/v1#qwen3-4b --fresh"))
@click.argument("url", required=False)
@key_option
@click.option("--fresh", is_flag=True, help="Probe the server again instead of reading what was found before.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor(url: str | None, key_env: str | None, fresh: bool, as_json: bool) -> None:
    """Say what this machine, or a server, can do for clew."""
    from clew.cli.tables import facts_table

    if url:
        from clew.models.openai import probe

        found = probe(url, key_env=key_env, fresh=fresh)
        data, rows = found.as_dict(), found.rows()
    else:
        from clew.cli.doctor import machine

        data = machine()
        rows = list(data.items())
    if as_json:
        print_json(data)
        return
    to_stdout().print(facts_table(rows))
