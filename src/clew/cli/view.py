"""`clew view`: a few lines around `clew.viewer`, which is imported only when the command runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from clew.cli.options import RUN, Examples, plugin_option
from clew.cli.output import echo, print_json
from clew.errors import UsageError


@click.command(
    cls=Examples,
    examples=(
        "clew view runs/demo.db",
        "clew view runs/before.db runs/after.db",
        "clew view runs/demo.db --export demo.html --problem words@1:0:3",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=RUN, metavar="RUN…")
@click.option("--port", type=click.IntRange(1, 65535), default=None, help="The port (default: 8737, or any free one).")
@click.option("--no-open", is_flag=True, help="Print the URL and open no browser.")
@click.option("--export", "out", type=click.Path(path_type=Path), default=None, help="Write one HTML file instead.")
@click.option("--problem", "problems", multiple=True, help="Export only this problem; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@plugin_option
def view(
    runs: Sequence[Path], port: int | None, no_open: bool, out: Path | None, problems: Sequence[str], as_json: bool
) -> None:
    """Look at runs in the browser: problems, trees, texts, spending, two methods or runs side by side."""
    import asyncio
    import webbrowser
    from contextlib import closing

    from clew.viewer.export import export, page_files
    from clew.viewer.pages import Pages
    from clew.viewer.server import serve

    if problems and out is None:
        raise UsageError("problems are chosen for an export", "Give --export FILE.html too")
    if out is not None:
        with closing(Pages(runs, problems)) as pages:
            count = export(pages, out)
        size = out.stat().st_size
        told = {"file": str(out), "answers": count, "bytes": size}
        if as_json:
            print_json(told)
        else:
            echo(f"{out}: {size / 1e6:.1f} MB, {count} answers")
        return
    page_files()

    def ready(url: str) -> None:
        if as_json:
            print_json({"url": url, "runs": [str(run) for run in runs]})
        else:
            echo(url)
            echo("Ctrl-C ends it.", err=True)
        if not no_open:
            webbrowser.open(url)

    with closing(Pages(runs)) as pages:
        asyncio.run(serve(pages, port, ready))
