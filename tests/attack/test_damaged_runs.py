"""Damaged and hostile run files: each is read as it was written, or is one clear line."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clew import api
from clew.errors import ClewError, StoreError
from clew.store import Reader, Store, seal
from support.resealed import commands

FLIPS = 24


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.db"
    methods = ["greedy", "self_consistency?n=2"]
    api.compare("add", model="toy:arithmetic?skill=0.5", methods=methods, budgets=[300, 600], count=4, out=path)
    return path


def test_no_flipped_byte_changes_what_a_command_says(run: Path, tmp_path: Path) -> None:
    """24 files with one flipped byte each, at places all over the file, each read by 15 commands."""
    path, draw, found = tmp_path / "run.db", np.random.default_rng(5), Counter[str]()
    whole = run.read_bytes()
    path.write_bytes(whole)
    with Reader.open(path) as reader:
        problem = reader.problem_ids()[0]
    reads = commands(path, problem, tmp_path / "out")
    del reads["view"]  # the answers of `page` in one file
    expected = {}
    for name, read in reads.items():
        expected[name] = read()
        path.write_bytes(whole)
    for at in draw.choice(len(whole), FLIPS, replace=False).tolist():
        flipped = whole[:at] + bytes([whole[at] ^ (1 << int(draw.integers(8)))]) + whole[at + 1 :]
        for name, read in reads.items():
            path.write_bytes(flipped)
            try:
                assert read() == expected[name], (at, name)
                found["the same"] += 1
            except ClewError as error:
                assert "\n" not in str(error), (at, name)
                found["refused"] += 1
            for beside in tmp_path.glob("run.db?*"):
                beside.unlink()
    print(f"{found.total()} readings of {FLIPS} flipped bytes: {dict(found)}")
    assert found.total() == FLIPS * len(reads) and min(found.values()) > found.total() / 20


def test_no_changed_usage_goes_unnoticed(run: Path, tmp_path: Path) -> None:
    """Each of 8 searches with one more token; and each kind of fact changed in its place."""
    for number in range(1, 9):
        path = Path(shutil.copy(run, tmp_path / "run.db"))
        change(
            path,
            f"UPDATE results SET usage = replace(usage, '\"generated\": ', '\"generated\": 1') WHERE id = {number}",
        )
        with pytest.raises(StoreError, match=r"is damaged \(the search of .* does not have its checksum\)"):
            api.resume(path)
    for statement in (
        "UPDATE problems SET reference = '7' WHERE rowid = 2",
        "UPDATE meta SET value = replace(value, '600', '900') WHERE key = 'plan'",
        "UPDATE nodes SET text = text || '.' WHERE result = 2 AND id = 1",
        "DELETE FROM proposals WHERE result = 3",
    ):
        path = Path(shutil.copy(run, tmp_path / "run.db"))
        change(path, statement)
        with pytest.raises(StoreError, match="is damaged .* checksum"):
            api.resume(path)


def change(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.executescript(statement)
    db.close()


def bomb(path: Path) -> None:
    """A tree whose statistics unpack to 300 MB, with checksums that fit."""
    packer = zlib.compressobj(1)
    blob = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    with Store.open(path) as store:
        store.db.execute("UPDATE nodes SET stats = ? WHERE result = 1 AND id = 1", (blob,))
        store.db.execute("UPDATE results SET tree_sha256 = ? WHERE id = 1", (seal.of_nodes(store.db, 1),))
        store.db.execute("UPDATE results SET sha256 = ? WHERE id = 1", (seal.of_search(store.db, 1),))


def by(statement: str) -> Callable[[Path], None]:
    return lambda path: change(path, statement)


HOSTILE: dict[str, Callable[[Path], None]] = {
    "bomb": bomb,
    "view": by(
        "PRAGMA foreign_keys = OFF; DROP TABLE nodes; CREATE VIEW nodes AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
        " SELECT i + 1 FROM n WHERE i < 100000000) SELECT 1 AS result, i AS id FROM n;"
    ),
    "trigger": by("CREATE TRIGGER t AFTER INSERT ON results BEGIN DELETE FROM nodes; END;"),
    "no facts": by("DELETE FROM meta"),
    "no plan": by("DELETE FROM meta WHERE key = 'plan'"),
    "deep": by("UPDATE meta SET value = printf('%.*c', 200000, '[') WHERE key = 'plan'"),
    "another table": by("CREATE TABLE more (a)"),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]) and None,
    "empty": lambda path: path.write_bytes(b"") and None,
    "noise": lambda path: path.write_bytes(np.random.default_rng(1).bytes(50_000)) and None,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_run_file_is_one_line(run: Path, tmp_path: Path, what: str) -> None:
    """10 kinds."""
    path = Path(shutil.copy(run, tmp_path / "run.db"))
    HOSTILE[what](path)
    with pytest.raises(StoreError, match=r"damaged|not a run file|tables of a run file|malformed"):
        api.resume(path)
    with pytest.raises(StoreError), Reader.open(path) as store:
        list(store.rows("nodes"))
        raise StoreError("opened")
