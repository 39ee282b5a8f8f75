"""All output of the command line. Texts come from models, files and servers: none of them may command the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from clew.cli.controls import COMMANDS, visible

if TYPE_CHECKING:
    from rich.console import Console


def echo(text: object, *, err: bool = False) -> None:
    """A line on standard output (err: standard error)."""
    click.echo(visible(str(text)), err=err)


def print_json(data: Any) -> None:
    """One line of JSON on standard output; what `visible` replaces is an escape of JSON, so nothing is lost."""
    line = json.dumps(data, ensure_ascii=False, default=str)
    click.echo(COMMANDS.sub(lambda found: f"\\u{ord(found.group()):04x}", line))


def to_stderr() -> Console:
    """Where progress and remarks go."""
    from clew.cli.console import Terminal

    return Terminal(stderr=True)


def to_stdout() -> Console:
    """Where results go."""
    from clew.cli.console import Terminal

    return Terminal()
