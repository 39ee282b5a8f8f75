"""Command lines that pages and data files show: whether the program that they name would take them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from clew.cli.main import cli
from clew.registry import methods, split_outside

ROOT = Path(__file__).parents[2]


def words_of(line: str) -> list[str]:
    """The words of a command line without its comment, which begins with a `#` after a space, as in a shell."""
    return shlex.split(re.split(r"\s#\s", line, maxsplit=1)[0])


def taken(line: str) -> tuple[str, dict[str, Any]]:
    """The command and the arguments of a `clew …` line, read by clew's own parser; every method is resolved.

    Raises click.ClickException or UsageError for what the parser or the registry refuses.
    """
    words = words_of(line.partition(" < ")[0])
    assert words[0] == "clew" and words[1] in cli.commands, line
    asked = cli.commands[words[1]].make_context(words[1], words[2:]).params
    if words[1] == "compare":
        asked["methods"] = [spec for given in asked["methods"] for spec in split_outside(given, ",")]
    for spec in asked.get("methods", [asked["method"]] if words[1] == "solve" else []):
        methods.resolved(spec)
    return words[1], asked


def known_options(line: str) -> None:
    """Assert that what follows a program is there: its module or file, and each option (`--name`) of it."""
    words = words_of(line)
    options = [word for word in words if word.startswith("--")]
    if words[0] == "clew":
        assert words[1] in cli.commands, line
        named = {option for parameter in cli.commands[words[1]].params for option in parameter.opts}
        assert set(options) <= named, line
    elif words[0] == "python":
        path = ROOT / (words[2].replace(".", "/") if words[1] == "-m" else words[1].removesuffix(".py"))
        source = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        text = source.read_text() + (ROOT / "benchmarks/__init__.py").read_text()
        assert all(f'"{option}"' in text for option in options), line
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
    elif words[:2] == ["pip", "install"] and "[" in line:
        extras = re.findall(r"\[([\w,]+)\]", line)[0].split(",")
        project = (ROOT / "pyproject.toml").read_text()
        assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras), line
