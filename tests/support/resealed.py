"""Hostile run files with checksums that fit, and every command that reads a run."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from clew.cli.main import cli
from clew.errors import ClewError
from clew.store import seal
from clew.store.format import columns
from clew.viewer.export import answers
from clew.viewer.pages import Pages

JSON = {
    "meta": ("value",),
    "problems": ("messages", "meta"),
    "results": ("votes", "usage", "samples", "cost"),
    "proposals": ("usage",),
    "nodes": ("scores",),
    "anchors": ("usage", "sentences"),
}
"""Table → its columns that hold JSON."""
LEAVES: tuple[str, ...] = (
    *("null", "true", "7", "-1", "1e400", "NaN", "[]", "{}", '""', '"x"', '"\\ud800"', '"~nobody/x.jsonl"'),
    *("9223372036854775808", '[[["x"]]]', "[" * 5000 + "]" * 5000, "1" + "0" * 400),
)
"""JSON texts that are put in the place of a value."""
CELLS: tuple[Any, ...] = (None, 7, -1, 2**62, float("inf"), "", "x", "[]", "{}", b"", b"\xff\x00", "[" * 9999, "NaN")
"""What is put in the place of a whole cell."""


def reseal(path: Path) -> None:
    """Write the checksums that fit what the file holds."""
    db = sqlite3.connect(path, isolation_level=None)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("BEGIN")
    for (number,) in db.execute("SELECT id FROM results").fetchall():
        db.execute("UPDATE results SET tree_sha256 = ? WHERE id = ?", (seal.of_nodes(db, number), number))
        db.execute("UPDATE results SET sha256 = ? WHERE id = ?", (seal.of_search(db, number), number))
    for place in db.execute("SELECT result, node FROM anchors").fetchall():
        db.execute("UPDATE anchors SET sha256 = ? WHERE result = ? AND node = ?", (seal.of_anchors(db, *place), *place))
    db.execute("UPDATE meta SET value = ? WHERE key = 'sha256'", (json.dumps(seal.of_run(db)),))
    db.execute("COMMIT")
    db.close()


def mutant(run: Path, path: Path, draw: np.random.Generator) -> str:
    """A copy of a run with one odd value and new checksums; which value."""
    shutil.copy(run, path)
    db = sqlite3.connect(path, isolation_level=None)
    while True:
        table = str(draw.choice(list(columns()), p=[0.25, 0.15, 0.25, 0.1, 0.15, 0.1]))
        name = str(draw.choice(list(columns()[table])))
        tail = "" if table in ("meta", "problems", "results") else " WHERE result IN (SELECT id FROM results)"
        rows = db.execute(f"SELECT * FROM {table}{tail}").fetchall()
        row = rows[int(draw.integers(len(rows)))]
        at = list(columns()[table]).index(name)
        value: Any = CELLS[int(draw.integers(len(CELLS)))]
        if name in JSON[table] and draw.random() < 0.8:
            value = with_leaf(row[at], draw)
        keys = {"meta": ("key",), "problems": ("id",), "results": ("id",), "proposals": ("result", "number")}
        own = keys.get(table, ("result", list(columns()[table])[1]))
        where = " AND ".join(f"{key} IS ?" for key in own)
        told = [row[list(columns()[table]).index(key)] for key in own]
        whole = draw.random() < 0.3
        try:
            db.execute("PRAGMA foreign_keys = OFF")
            change = f"UPDATE {table} SET {name} = ?"
            db.execute(change if whole else f"{change} WHERE {where}", (value, *(() if whole else told)))
        except sqlite3.Error:  # the schema does not let it in
            continue
        break
    db.close()
    reseal(path)
    return f"{table}.{name} of {'all' if whole else told} = {str(value)[:300]!r}"


def with_leaf(text: str, draw: np.random.Generator) -> str:
    """A JSON text with an odd value somewhere, an entry too many, or one too few."""
    value = json.loads(text)
    places = list(containers(value))
    if not places:
        return str(draw.choice(LEAVES))
    inside = places[int(draw.integers(len(places)))]
    key = list(inside)[int(draw.integers(len(inside)))] if isinstance(inside, dict) else int(draw.integers(len(inside)))
    match int(draw.integers(6)):
        case 0 if isinstance(inside, dict):
            inside["unheard of"] = 1
        case 1:
            del inside[key]
        case _:
            inside[key] = "@@"
    return json.dumps(value).replace('"@@"', str(draw.choice(LEAVES)))


def containers(value: Any) -> Iterator[Any]:
    """Every list and object within a value that has something in it."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


def commands(run: Path, problem: str, folder: Path) -> dict[str, Callable[[], str]]:
    """Every way to read a run file, as what it tells: the command line, and all that the viewer's page can ask.

    problem: the id of one of the run. folder: where exports go.
    """
    toy = ["-n", "1", "-m", "toy:arithmetic", "--json"]
    lines = {
        "show": ["show", str(run)],
        "show json": ["show", str(run), "--json"],
        "show problem": ["show", str(run), problem],
        "stats": ["stats", str(run)],
        "stats csv": ["stats", str(run), "--to", "csv"],
        "resume": ["resume", str(run), "--json"],
        "edit": ["edit", str(run), problem],
        "edit step": ["edit", str(run), problem, "--step", "0", "--action", "delete", *toy],
        "anchors": ["anchors", str(run), problem, *toy],
        "view": ["view", str(run), "--export", str(folder / "page.html")],
        "rescore": ["rescore", str(run), "--json"],
    }
    for form in ("jsonl", "parquet", "inspect", "otel"):
        lines[form] = ["export", str(run), "--to", form, "-o", str(folder / form)]

    def said(name: str) -> str:
        written = folder / name
        output = told(lines[name])
        return output + "".join(file.read_text() for file in sorted(written.glob("*.jsonl")))

    return {name: lambda name=name: said(name) for name in lines} | {"page": lambda: asked(run)}  # type: ignore[misc]


def asked(run: Path) -> str:
    """All that the viewer's page can ask of a run, as it is sent."""
    with closing(Pages([run])) as pages:
        return "".join(json.dumps(pair, ensure_ascii=False, allow_nan=False) + "\n" for pair in answers(pages))


def told(line: list[str]) -> str:
    """The output of a command that ends well. Raises what it raises."""
    result = CliRunner().invoke(cli, line)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def ends(read: Callable[[], object]) -> str:
    """'' where reading ends well, the line where it is refused. Any other end is raised."""
    try:
        read()
    except ClewError as error:
        assert "\n" not in str(error)
        return str(error)
    return ""
