"""Data files from anywhere: each is read, or refused in one true line; none ends in another exception, or hangs."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clew.errors import UsageError
from clew.tasks import load_problems
from clew.tasks.files import packed
from support.data_files import ROWS, as_csv

MUTATED_BYTES = 3_000
MUTATED_CELLS = 6_000
MUTATED_PARQUET = 300


def read_or_refused(path: Path, **options: Any) -> bool:
    """Read a file and use what came of it; False where it was refused in one line."""
    try:
        problems = load_problems(str(path), **options)
    except UsageError as refusal:
        said = str(refusal)
        assert said.splitlines() == [said] and refusal.cure and len(said) < 3_000
        assert path.name in said
        return False
    for problem in problems:
        assert problem.reference is not None and problem.grader and problem.grader(problem.reference) == 1.0
        text = json.dumps([m.text for m in problem.messages], ensure_ascii=False) + json.dumps(dict(problem.meta))
        text.encode()  # no half of a surrogate pair
        problem.id.encode()
    return True


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def zst(content: bytes) -> bytes:
    packer = pytest.importorskip("zstandard").ZstdCompressor()
    return bytes(packer.compress(content[: len(content) // 2]) + packer.compress(content[len(content) // 2 :]))


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "jsonl": lines,
    "json": lambda rows: json.dumps(rows).encode(),
    "csv": as_csv,
    "jsonl.gz": lambda rows: gzip.compress(lines(rows)),
    "csv.zst": lambda rows: zst(as_csv(rows)),
}


def mutated(content: bytes, draw: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data) + 1)
        kind = draw.randrange(6)
        if kind == 0:
            data[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 4)))
        elif kind == 1 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 2:
            del data[at : at + draw.randint(1, 20)]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = data[draw.randrange(len(data) + 1) :][: draw.randint(1, 60)]
        else:
            data[at:at] = draw.choice(
                [b"\0", b"\xef\xbb\xbf", b"\r", b"\n", b'"', b"[" * 5_000, b"9" * 5_000, b"\\ud800"]
            )
    return bytes(data)


def test_files_with_mutated_bytes(tmp_path: Path) -> None:
    draw = random.Random(11)
    read = 0
    for i in range(MUTATED_BYTES):
        ending = draw.choice(list(FORMS))
        path = tmp_path / f"f{i % 50}.{ending}"
        path.write_bytes(mutated(FORMS[ending](ROWS[draw.choice(list(ROWS))]), draw))
        read += read_or_refused(path)
    assert MUTATED_BYTES // 40 < read < MUTATED_BYTES // 2  # both ways were taken


ODD: list[Any] = [
    None, "", " ", "x", "7", 7, -1, 0.5, 1e400, True, [], {}, [None], ["7"], ["7", "8"], [["7"]], {"a": 1},
    {"text": "x"}, {"text": ["x", "y"], "label": ["1"]}, {"role": "user"}, [{"role": "user", "content": "x"}],
    [{"role": 3}], "1e400,", "-1", "0,0", "inf",
    [{"role": "assistant", "content": [{"type": "text"}]}], [{"text": "x"}, {"text": None}], "\ud800", "\x00", "####",
    "\\boxed{", "\\boxed{}", "a|b", '["a"]', "x" * 1_000, 10**4_200, {"": ""}, [1, "x", None, {}, []], "1e999999999",
    "1/0", "nan", "-" * 500, "9" * 4_500, {"value": {"value": "7"}}, "😀", "e" * 30 + "\u0301", "\u2028", "=1+1",
]  # fmt: skip


def replaced(value: Any, draw: random.Random) -> Any:
    """The value with one part of it, at whatever depth, put in place by something odd."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        key = draw.choice(list(value))
        kind = draw.randrange(6)
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {(k + ".x" if k == key else k): v for k, v in value.items()}
        return value | {key: replaced(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.6:
        at = draw.randrange(len(value))
        return [*value[:at], replaced(value[at], draw), *value[at + 1 :]]
    return draw.choice(ODD)


def test_files_with_odd_cells(tmp_path: Path) -> None:
    draw = random.Random(12)
    read = 0
    for i in range(MUTATED_CELLS):
        rows: list[dict[str, Any]] = [dict(row) for row in ROWS[draw.choice(list(ROWS))]]
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(rows))
            changed = replaced(rows[at], draw)
            rows[at] = changed if isinstance(changed, dict) else {"question": changed, "answer": changed}
        path = tmp_path / f"f{i % 50}.{draw.choice(['jsonl', 'json', 'csv'])}"
        path.write_bytes(FORMS[path.suffix[1:]](rows) if path.suffix != ".csv" else _ragged(rows))
        options = draw.choice([{}, {}, {"kind": draw.choice(["math", "number", "exact", "text", "choice"])}])
        read += read_or_refused(path, **options)
    assert MUTATED_CELLS // 10 < read < MUTATED_CELLS * 9 // 10


def _ragged(rows: list[dict[str, Any]]) -> bytes:
    names = list(dict.fromkeys(key for row in rows for key in row))
    return as_csv([{name: row.get(name, "") for name in names} for row in rows]) if names else b""


def test_parquet_with_mutated_bytes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    draw = random.Random(13)
    read = 0
    for i in range(MUTATED_PARQUET):
        out = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist(ROWS[draw.choice(list(ROWS))]), out)
        content = bytearray(out.getvalue())
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path = tmp_path / f"f{i % 50}.parquet"
        path.write_bytes(content)
        read += read_or_refused(path)
    assert 0 < read < MUTATED_PARQUET


def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "null.csv").symlink_to("/dev/zero")
    (tmp_path / "lost.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "empty.jsonl.gz").write_bytes(b"")
    (tmp_path / "blank.csv").write_bytes(b"\n\n")
    for name, told in {
        "folder.jsonl": "is a directory",
        "pipe.jsonl": "is not a regular file",
        "null.csv": "is not a regular file",
        "lost.csv": "there is no such file",
        "empty.json": "the file has no rows",
        "empty.jsonl.gz": "the file has no rows",
        "blank.csv": "the file has no rows",
        "a\0b.jsonl": "cannot be read",
        "x" * 300 + ".jsonl": "cannot be read",
    }.items():
        with pytest.raises(UsageError, match=told) as refusal:
            load_problems(str(tmp_path / name))
        assert refusal.value.cure


@pytest.mark.parametrize("ending", ["jsonl.gz", "jsonl.zst"])
def test_packed_files_are_bounded_and_checked_to_their_end(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = lines([{"question": f"{i}?", "answer": i} for i in range(3_000)])
    pack = gzip.compress if ending.endswith("gz") else zst
    path = tmp_path / f"x.{ending}"
    whole = pack(rows)
    path.write_bytes(whole)
    assert len(load_problems(str(path))) == 3_000
    for damaged in (whole[:-9], whole[: len(whole) // 2], b"no" + whole, whole[:40] + b"\xff\xff" + whole[42:], rows):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"x\.jsonl\.\w+ cannot be unpacked|is not JSON|is not UTF-8"):
            load_problems(str(path))
    path.write_bytes(pack(b" " * 2**27))
    assert path.stat().st_size < 2**20
    with pytest.raises(UsageError, match="this line has more than 67,108,864 bytes"):
        load_problems(str(path))
    path.write_bytes(pack(b"\n" * 2**24))
    monkeypatch.setattr(packed, "LARGEST", 2**23)
    with pytest.raises(UsageError, match="unpacks to more than 8,388,608 bytes"):
        load_problems(str(path))
