"""All output of the command line. Texts come from models, files and servers: none of them may command the terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and new line: ESC and CSI begin a command
    "\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text that follows
    "\ud800-\udfff]"  # half a surrogate pair, which no terminal takes
)


def visible(text: str) -> str:
    """The text with a sign in the place of each character that a terminal would obey instead of showing it."""
    return _COMMANDS.sub(lambda found: _sign(found.group()), text)


def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def echo(text: object, *, err: bool = False) -> None:
    """A line on standard output (err: standard error)."""
    click.echo(visible(str(text)), err=err)


def print_json(data: Any) -> None:
    """One line of JSON on standard output; what `visible` replaces is an escape of JSON, so nothing is lost."""
    line = json.dumps(data, ensure_ascii=False, default=str)
    click.echo(_COMMANDS.sub(lambda found: f"\\u{ord(found.group()):04x}", line))


def to_stderr() -> Console:
    """Where progress and remarks go."""
    from clew.cli.console import Terminal

    return Terminal(stderr=True)


def to_stdout() -> Console:
    """Where results go."""
    from clew.cli.console import Terminal

    return Terminal()
