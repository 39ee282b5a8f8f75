"""Hostile run files whose checksums fit: every command that reads a run ends well, or with one clear line."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clew import api
from clew.errors import StoreError
from clew.store import Reader, format, trees
from clew.tree import Segment
from support.resealed import commands, ends, mutant, reseal, told

MUTANTS = 10
"""Odd values that are put into each kind of run."""

NAMED = {
    "made_by is no list": "UPDATE meta SET value = '7' WHERE key = 'made_by'",
    "made_by is a list of texts": """UPDATE meta SET value = '["x"]' WHERE key = 'made_by'""",
    "data that no file gave": """INSERT OR REPLACE INTO meta VALUES ('data', '{"file": "x.jsonl", "sha256": null}')""",
    "messages are a number": "UPDATE problems SET messages = '7'",
    "messages are numbers": "UPDATE problems SET messages = '[7]'",
    "meta is a list": "UPDATE problems SET meta = '[]'",
    "no axis": "UPDATE meta SET value = json_remove(value, '$.view.axis') WHERE key = 'plan'",
    "another axis": "UPDATE meta SET value = json_set(value, '$.view.axis', 'x') WHERE key = 'plan'",
    "no budgets": "UPDATE meta SET value = json_set(value, '$.view.budgets', json('[]')) WHERE key = 'plan'",
    "a billion problems": "UPDATE meta SET value = json_set(value, '$.task_options.count', 1e9) WHERE key = 'plan'",
    "many problems": "UPDATE meta SET value = json_set(value, '$.task_options.count', 1 << 40) WHERE key = 'plan'",
    "no task": "UPDATE meta SET value = json_set(value, '$.task', '~nobody/x.jsonl') WHERE key = 'plan'",
    "nobody generates": "UPDATE meta SET value = json_set(value, '$.models', json('{}')) WHERE key = 'plan'",
    "a tree with a gap": "UPDATE nodes SET id = 1000 WHERE id = 1",
    "a parent that comes later": "UPDATE nodes SET parent = 99 WHERE id = 1",
    "more nodes than there are": "UPDATE results SET nodes = 1000000000000",
    "an answer at no node": "UPDATE results SET node = 99; UPDATE proposals SET node = -5",
    "samples that are no nodes": "UPDATE results SET samples = '[99]'",
    "problems with long names": "UPDATE problems SET id = id || printf('%.70000c', 'x');"
    "UPDATE results SET problem = problem || printf('%.70000c', 'x')",
    "anchors of no node": "UPDATE anchors SET node = 99",
}


@pytest.fixture(scope="module", params=["task", "file"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with thought anchors; of a task, or of a data file."""
    folder = tmp_path_factory.mktemp(request.param)
    data = folder / "data.jsonl"
    data.write_text("\n".join(json.dumps({"question": f"What is {i} + 1?", "answer": str(i + 1)}) for i in range(2)))
    task = str(data) if request.param == "file" else "add"
    methods = ["greedy", "self_consistency?n=2"]
    path = folder / "run.db"
    api.compare(task, model="toy:arithmetic?skill=0.5", methods=methods, budgets=[300, 600], count=2, out=path)
    told(["anchors", str(path), first_problem(path), "-n", "2", "--json"])
    return path


def first_problem(path: Path) -> str:
    with Reader.open(path) as reader:
        return reader.problem_ids()[0]


def read_by_all(run: Path, problem: str, found: Counter[str], what: str) -> None:
    """Run every command on a file as it is; count how they ended."""
    whole = run.read_bytes()
    for name, read in commands(run, problem, run.with_name("out")).items():
        try:
            found["refused" if ends(read) else "read"] += 1
        except BaseException as error:
            raise AssertionError(f"{name} on {what}: {type(error).__name__}: {error}") from error
        for beside in run.parent.glob("run.db?*"):
            beside.unlink()
        run.write_bytes(whole)


def test_odd_values_with_checksums_that_fit(run: Path, tmp_path: Path) -> None:
    """10 odd values in each of two runs, each read by 16 commands."""
    problem, path, draw, found = first_problem(run), tmp_path / "run.db", np.random.default_rng(11), Counter[str]()
    for _ in range(MUTANTS):
        read_by_all(path, problem, found, mutant(run, path, draw))
    print(f"{found.total()} readings of {MUTANTS} hostile runs: {dict(found)}")
    assert found.total() == MUTANTS * 16 and found["refused"] > MUTANTS and found["read"] > MUTANTS


def test_shapes_that_were_tracebacks(run: Path, tmp_path: Path) -> None:
    """20 kinds, each read by 16 commands."""
    problem, path, found = first_problem(run), tmp_path / "run.db", Counter[str]()
    for what, change in NAMED.items():
        path.write_bytes(run.read_bytes())
        db = sqlite3.connect(path)
        db.executescript(f"PRAGMA foreign_keys = OFF; {change}")
        db.close()
        reseal(path)
        read_by_all(path, problem, found, what)
    print(f"{found.total()} readings of {len(NAMED)} hostile runs: {dict(found)}")
    assert found.total() == len(NAMED) * 16 and found["refused"] > 10 * len(NAMED)


def changed(run: Path, path: Path, change: str, *values: object) -> Path:
    shutil.copy(run, path)
    db = sqlite3.connect(path)
    db.execute(change, values)
    db.commit()
    db.close()
    reseal(path)
    return path


def test_many_trees_that_unpack_to_much_are_refused(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = np.zeros(50_000, np.int32)
    blob = format.pack(Segment(zeros, "x", zeros))
    assert len(blob) < 2000
    change = "UPDATE nodes SET stats = ?, tokens = 50000 WHERE id > 0"
    path = changed(run, tmp_path / "run.db", change, blob)
    with Reader.open(path) as reader:
        assert sum(len(row["token_ids"]) for row in reader.rows("nodes")) > 200_000
    monkeypatch.setattr("clew.store.reader.LARGEST_READING", 2**20)
    monkeypatch.setattr("clew.store.reader.PACKED", 1)
    with Reader.open(path) as reader, pytest.raises(StoreError, match="too large"):
        list(reader.rows("nodes"))


def test_a_search_of_too_many_nodes_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_NODES", 1)
    for end in map(ends, (commands(run, first_problem(run), run.parent)[name] for name in ("show json", "page"))):
        assert "more nodes than 1" in end


def test_statistics_of_another_type_are_refused(run: Path, tmp_path: Path) -> None:
    """8 kinds of a header."""
    for header in (
        {"token_ids": ["<i4", [1]]},
        {"token_ids": ["<i4", [1]], "offsets": ["<i4", [2]]},
        {"token_ids": ["|O", [1]], "offsets": ["<i4", [1]]},
        {"token_ids": ["<i4", [-1]], "offsets": ["<i4", [1]]},
        {"token_ids": ["<i4", [1, 1]], "offsets": ["<i4", [1]]},
        {"token_ids": ["<i4", [2**40]], "offsets": ["<i4", [2**40]]},
        {"token_ids": 7, "offsets": []},
        [],
    ):
        blob = zlib.compress(json.dumps(header).encode() + b"\n" + bytes(8))
        path = changed(run, tmp_path / "run.db", "UPDATE nodes SET stats = ?, tokens = 1", blob)
        with Reader.open(path) as reader, pytest.raises(StoreError, match="is damaged"):
            list(reader.rows("nodes"))
