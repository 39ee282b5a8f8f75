"""Hostile files of traces: each is imported, or refused in one line, and a refusal leaves no file behind."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clew.analysis.io import inspect_log
from clew.analysis.io.reading import read_traces
from clew.analysis.io.run_file import import_run
from clew.analysis.trace import traces_of
from clew.errors import StoreError, UsageError
from clew.store import Store, stored_problems

LOGS = Path(__file__).parents[1] / "analysis" / "logs"
DEEP = "[" * 100_000 + "]" * 100_000
VALUES = (
    "null",
    "true",
    "-1",
    "3",
    "0.5",
    "1e308",
    "1e999",
    "-Infinity",
    "NaN",
    "1" + "0" * 400,
    "1" + "0" * 5000,
    '""',
    r'"\ud800"',
    r'"\u0000"',
    r'"\u001b[2J"',
    '"attachment://a"',
    "[]",
    "[[]]",
    "[null]",
    '["a", "b"]',
    "{}",
    '{"a": {"value": []}}',
    "[" * 500 + "]" * 500,
    DEEP,
)
"""JSON texts that are put in the place of every value."""

RECORD = {
    "prompt": "2 + 2?",
    "trace": "It is 4.\n\nSo 4.",
    "reasoning": "Let me see.",
    "answer": "4",
    "reference": "4",
    "grade": 1,
    "id": "a",
    "model": "m",
}
SAMPLE: dict[str, Any] = {
    "id": 1,
    "epoch": 1,
    "input": [{"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]}],
    "target": ["4"],
    "attachments": {"a": "It is 4.", "b": "attachment://b"},
    "output": {
        "model": "m",
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"type": "reasoning", "reasoning": "gAAA", "redacted": True, "summary": "I add."},
                        {"type": "text", "text": "attachment://a"},
                    ],
                },
                "stop_reason": "stop",
                "logprobs": {"content": [{"token": "It", "logprob": -0.5}]},
            }
        ],
        "usage": {"output_tokens": 9},
    },
    "scores": {"match": {"value": "C"}},
}
LOG: dict[str, Any] = {"version": 2, "eval": {"task": "t"}, "samples": [SAMPLE]}


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value inside a JSON value, its own () first."""
    yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*at, key))


def with_value(value: Any, at: tuple[Any, ...], text: str) -> str:
    """A JSON value as text, with `text` in the place that `at` leads to."""

    def copied(inner: Any, rest: tuple[Any, ...]) -> Any:
        if not rest:
            return "@@"
        inner = dict(inner) if isinstance(inner, dict) else list(inner)
        inner[rest[0]] = copied(inner[rest[0]], rest[1:])
        return inner

    return json.dumps(copied(value, at)).replace('"@@"', text)


def outcome(path: Path) -> str:
    """Import a file, read back what was made of it, and remove that: 'imported', or the message of the refusal.

    Any other exception than UsageError is the fault that these tests look for.
    """
    run = path.with_name("run.db")
    before = sorted(path.parent.iterdir())
    try:
        count = import_run(read_traces(path), run)
    except UsageError as error:
        assert "\n" not in str(error)
        assert error.cure
        assert sorted(path.parent.iterdir()) == before
        return str(error)
    with Store.open(run) as store:
        results = list(store.results(stored_problems(store)))
    assert len(results) == count > 0
    for result in results:
        assert all(np.diff(trace.offsets).min(initial=0) >= 0 for trace in traces_of(result))
        assert result.grade is None or 0 <= result.grade <= 1
    run.unlink()
    return "imported"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_every_wrong_value_at_every_place(tmp_path: Path) -> None:
    ends: dict[str, int] = {"imported": 0, "refused": 0}
    for name, base in (("traces.jsonl", RECORD), ("log.json", LOG)):
        for at in places(base):
            for value in VALUES:
                end = outcome(write(tmp_path / name, with_value(base, at, value)))
                ends["imported" if end == "imported" else "refused"] += 1
    print(f"{sum(ends.values())} hostile values: {ends}")
    assert sum(ends.values()) > 1000
    assert min(ends.values()) > 100


def archive(path: Path, content: bytes, packing: int = zipfile.ZIP_DEFLATED, copies: int = 1) -> bytes:
    with zipfile.ZipFile(path, "w", packing) as file:
        for i in range(copies):
            file.writestr(f"samples/{i}.json", content)
    return path.read_bytes()


def damaged(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def files(folder: Path) -> Iterator[tuple[str, str | bytes, str]]:
    """Name, content, and what its import ends as ('' where either is right)."""
    line = json.dumps(RECORD)
    log = json.dumps(LOG)
    yield "traces.jsonl", "", "any trace"
    yield "traces.jsonl", b"\xff\xfe", "not UTF-8"
    yield "traces.jsonl", line.encode("utf-16"), "not UTF-8"
    yield "traces.jsonl", b"\xef\xbb\xbf" + line.encode(), "imported"
    yield "traces.jsonl", line.encode().replace(b"It is", b"It \xed\xa0\x80"), "not UTF-8"
    yield "traces.jsonl", line.encode().replace(b"It is", b"It \x00"), "not JSON"
    yield "traces.jsonl", line[:40], "not JSON"
    yield "traces.jsonl", line + line, "not JSON"
    yield "traces.jsonl", f"{line}\n{line[:-1]}", ":2 is not JSON"
    yield "traces.jsonl", DEEP, "nested too deep"
    yield "traces.jsonl", '{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deep"
    yield "traces.jsonl", "\n".join(json.dumps(RECORD | {"prompt": str(i)}) for i in range(300)), "imported"
    yield "traces.jsonl", json.dumps(RECORD | {"trace": "a\n\n" * 20_000, "reasoning": None}), "imported"
    yield "traces.jsonl", json.dumps(RECORD | {"trace": "x" * 17_000_000}), "16,777,216 characters"
    yield "traces.jsonl", json.dumps(RECORD | {"messages": [{"role": ["user"]}], "prompt": None}), "list of messages"
    yield "traces.jsonl", json.dumps(RECORD | {"trace": "\ud83d", "reasoning": "\ude00"}), "imported"
    yield "log.json", log[:200], "not JSON"
    yield "log.json", b"\xff" + log.encode(), "not UTF-8"
    yield "log.json", DEEP, "nested too deep"
    yield "log.json", "[]", "not a log of Inspect"
    yield "log.json", '{"eval": 1, "samples": {"a": 1}}', "not a log of Inspect"
    yield "log.json", '{"eval": 1, "samples": []}', "any trace"
    yield "log.json", log.replace('{"type": "text", "text": "attachment://a"}', "3"), "not an object"
    huge = {"type": "text", "text": "attachment://a"}
    bomb = SAMPLE | {"input": [{"role": "user", "content": [huge] * 20_000}], "attachments": {"a": "x" * 10_000}}
    yield "log.json", json.dumps(LOG | {"samples": [bomb]}), "16,777,216 characters"
    sample = json.dumps(SAMPLE).encode()
    whole = archive(folder / "made.zip", sample)
    yield "log.eval", whole, "imported"
    yield "log.eval", b"", "is damaged"
    yield "log.eval", log, "is damaged"
    yield "log.eval", whole[:-30], "is damaged"
    yield "log.eval", whole[30:], ""
    yield "log.eval", whole[: len(whole) // 2], "is damaged"
    yield "log.eval", damaged(whole, 60, b"\xff" * 20), "is damaged"
    yield "log.eval", archive(folder / "made.zip", b""), "is damaged"
    yield "log.eval", archive(folder / "made.zip", b"\xff\xfe{}"), "is damaged"
    yield "log.eval", archive(folder / "made.zip", DEEP.encode()), "nested too deep"
    yield "log.eval", archive(folder / "made.zip", b"3"), "not an object"
    yield "log.eval", archive(folder / "made.zip", b"null"), "no id or no input"
    yield "log.eval", archive(folder / "made.zip", sample, zipfile.ZIP_BZIP2), "Inspect does not use"
    yield "log.eval", archive(folder / "made.zip", sample, zipfile.ZIP_LZMA), "Inspect does not use"
    yield "log.eval", archive(folder / "made.zip", b" " * (2**28 + 1)), "268,435,456 bytes"
    # The directory of an archive, from its magic on: flags at 8, packing at 10, unpacked size at 24, place at 42.
    at = whole.rindex(b"PK\x01\x02")
    yield "log.eval", damaged(whole, at + 8, b"\x01"), "encrypted"
    yield "log.eval", damaged(whole, at + 10, struct.pack("<H", 77)), "Inspect does not use"
    yield "log.eval", damaged(whole, at + 10, struct.pack("<H", 93)), ""
    yield "log.eval", damaged(whole, at + 24, struct.pack("<I", 2**32 - 2)), "268,435,456 bytes"
    yield "log.eval", damaged(whole, at + 24, struct.pack("<I", 10)), "is damaged"
    yield "log.eval", damaged(whole, at + 42, struct.pack("<I", 2**31)), "is damaged"
    packed = archive(folder / "made.zip", sample, copies=20)
    for member in [i for i in range(len(packed)) if packed.startswith(b"PK\x01\x02", i)]:
        packed = damaged(packed, member + 24, struct.pack("<I", 2**28))
    yield "log.eval", packed, "4,294,967,296 bytes"
    yield "traces.txt", line, "reads no traces"
    yield "traces", line, "reads no traces"
    yield "traces.parquet", b"PAR1", "reads no traces"
    # Every byte of an archive and every tail cut off: no more than a refusal.
    for i in range(0, len(whole), 7):
        yield "log.eval", damaged(whole, i, bytes([whole[i] ^ 0xFF])), ""
        yield "log.eval", whole[:i], ""


def test_files_that_are_damaged_or_bombs(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    count = 0
    for name, content, expected in files(tmp_path):
        path = write(work / name, content)
        end = outcome(path)
        assert expected in end, (name, content[:80])
        path.unlink()
        count += 1
    print(f"{count} hostile files")
    assert count > 55


def test_what_is_compressed_with_zstandard_is_bounded_too(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    data = bytearray((LOGS / "inspect.eval").read_bytes())
    assert outcome(write(tmp_path / "log.eval", bytes(data))) == "imported"
    frames = [i for i in range(len(data)) if data.startswith(zstandard.FRAME_HEADER, i)]
    assert frames
    ends = [outcome(write(tmp_path / "log.eval", damaged(bytes(data), at, b"\0\0\0\0"))) for at in frames]
    assert any("is damaged" in end for end in ends)
    bomb = zstandard.ZstdCompressor().compress(b" " * 2**24)
    made = tmp_path / "made.zip"
    stored = archive(made, bomb, zipfile.ZIP_STORED)
    made.unlink()
    at = stored.rindex(b"PK\x01\x02")
    lying = damaged(damaged(stored, at + 10, struct.pack("<H", 93)), at + 24, struct.pack("<I", 1000))
    assert "has not the size" in outcome(write(tmp_path / "log.eval", lying))


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "folder.eval").mkdir()
    for name in ("folder.jsonl", "folder.eval", "none.json", "none.eval"):
        assert str(tmp_path / name) in outcome(tmp_path / name)


def test_a_run_file_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    traces = read_traces(write(tmp_path / "traces.jsonl", json.dumps(RECORD)))
    write(tmp_path / "run.db", "mine")
    with pytest.raises(StoreError, match="exists"):
        import_run(traces, tmp_path / "run.db")
    assert (tmp_path / "run.db").read_text() == "mine"
    with pytest.raises(StoreError, match="cannot be"):
        import_run(traces, tmp_path / "run.db" / "below.db")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.db", "traces.jsonl"]


def test_a_null_score_refuses_no_log_and_redacted_reasoning_takes_its_summary(tmp_path: Path) -> None:
    scores = ({"match": None}, None, {"a": {"value": None}}, {"match": {"value": 0.5}})
    samples = [SAMPLE | {"id": i, "scores": score} for i, score in enumerate(scores)]
    traces = list(inspect_log.read_log(write(tmp_path / "log.json", json.dumps(LOG | {"samples": samples}))))
    assert [t.grade for t in traces] == [None, None, None, 0.5]
    assert {t.text for t in traces} == {"<think>\nI add.\n</think>\n\nIt is 4."}


def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path: Path) -> None:
    line = r'{"prompt": "q\ud800", "trace": "\ud83d\ude00 and \udc00: 3"}'
    (trace,) = read_traces(write(tmp_path / "traces.jsonl", line))
    assert trace.text == "\U0001f600 and \ufffd: 3"
    assert trace.messages[0].text == "q\ufffd"
