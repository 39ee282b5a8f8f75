"""Which format the embedded engine computes in, and that the copy says what the file says."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import numpy as np
import pytest

from clew.budget import Budget
from clew.ledger import Ledger
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.llamacpp import format as formats
from clew.models.llamacpp import measure as measuring
from clew.models.llamacpp.gguf import number
from clew.models.pull import pull
from clew.problem import Message
from support.tiny_models import tiny_model

Q4_0, Q4_1, Q8_0, Q4_K_M, BF16 = 2, 3, 7, 15, 32

TEXT = "A cat has four legs. 3 * 4 = 12 legs. The answer is 12."


@pytest.mark.parametrize(
    ("flags", "own_operations", "expected", "converts"),
    [
        ({"avx2", "avx512_bf16"}, False, "bf16", {Q4_0, Q4_1, Q8_0, Q4_K_M, None}),
        ({"avx2", "avx512_bf16"}, True, "q8_0", {Q4_0, Q4_1, Q4_K_M, None}),
        ({"avx2", "avx512_vnni"}, True, "q8_0", {Q4_0, Q4_1}),
        ({"avx2", "avx512_vnni"}, False, "q8_0", {Q4_1}),
        ({"asimd"}, False, "as shipped", set()),
    ],
)
def test_the_processor_and_the_file_decide(
    flags: set[str],
    own_operations: bool,
    expected: str,
    converts: set[int | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    monkeypatch.setattr(formats, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(ops, "in_use", lambda: own_operations)
    choice = formats.format_choice()
    assert choice.format == expected and choice.why
    assert {kind for kind in (Q4_0, Q4_1, Q8_0, Q4_K_M, BF16, None) if choice.suits(kind)} == converts


@pytest.mark.parametrize("kind", ["bf16", "q8_0"])
def test_the_copy_says_what_the_file_says(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once, complete, and within a tenth of a nat a token of the file as shipped, on average."""
    shipped = pull("smollm2-135m")
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    formats.remember(formats.Measured(kind, {}))
    copy = formats.compute_file(shipped)
    assert copy.is_relative_to(tmp_path) and copy == formats.compute_file(shipped)
    made = {p for p in tmp_path.rglob("*") if p.is_file() and not p.match("formats-*.json")}
    assert made == {copy, copy.with_suffix(".made")} and kind in copy.name

    # A copy that was damaged since is made anew.
    whole = copy.read_bytes()
    copy.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    assert formats.compute_file(shipped) == copy and copy.read_bytes() == whole

    def logprobs(format: str) -> np.ndarray:
        model = LlamaCppModel(shipped, format=format)
        context = model.render([Message("user", "How many legs do three cats have?")])
        gauge = Ledger(Budget()).open(model.name, "score", model.cost, fresh=0, reused=0)
        (read,) = asyncio.run(model.score([context], [model.encode(TEXT)], gauges=[gauge]))
        asyncio.run(model.close())
        assert read.logprob is not None
        return read.logprob

    assert abs(float(np.mean(logprobs("auto") - logprobs("as shipped")))) < 0.1


def test_what_was_measured_is_the_default_from_then_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = pull("smollm2-135m")
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    monkeypatch.setattr(measuring, "_SECONDS", 0.01)
    monkeypatch.setattr(measuring, "_CONTEXT", 2)
    told: list[str] = []
    found = measuring.measure(tiny_model("llama", tmp_path / "tiny.gguf"), told.append)
    assert told == [*found.rates] and {"as shipped", "q8_0"} <= set(told)
    assert all(set(by) == {1, 16, 64} and min(by.values()) > 0 for by in found.rates.values())
    assert formats.format_choice().format == found.format and "measured on this machine" in formats.format_choice().why
    for kept in tmp_path.rglob("formats-*.json"):
        kept.write_text("{")
    assert "measured" not in formats.format_choice().why, "a damaged file is as none"
    slow = {name: {1: 9.0 if name == "as shipped" else 1.0} for name in found.rates}
    formats.remember(formats.Measured("as shipped", slow))
    assert formats.compute_file(shipped) == shipped


def gguf(*entries: tuple[str, int, bytes]) -> bytes:
    """The head of a model file with these metadata: key, type, value."""
    packed = b"".join(struct.pack("<Q", len(k)) + k.encode() + struct.pack("<I", kind) + v for k, kind, v in entries)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + packed


def words(*texts: str) -> bytes:
    packed = b"".join(struct.pack("<Q", len(t)) + t.encode() for t in texts)
    return struct.pack("<IQ", STRING, len(texts)) + packed


UINT32, FLOAT32, STRING, ARRAY, UINT64 = 4, 6, 8, 9, 10
NAME = ("general.name", STRING, struct.pack("<Q", 4) + b"clew")
TYPE = ("general.file_type", UINT32, struct.pack("<I", Q4_1))
VOCABULARY = [
    ("tokenizer.ggml.tokens", ARRAY, words(*(f"token {i}" for i in range(20_000)), "general.file_type")),
    ("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ", FLOAT32, 20_000) + bytes(4 * 20_000)),
    ("llama.context_length", UINT64, struct.pack("<Q", 2048)),
]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gguf(TYPE, NAME), Q4_1),
        (gguf(NAME, *VOCABULARY, TYPE), Q4_1),
        (gguf(NAME, *VOCABULARY), None),
        (gguf(NAME, *VOCABULARY, TYPE)[:-3], None),
        (gguf(NAME, ("nested", ARRAY, struct.pack("<IQ", ARRAY, 2)), TYPE), None),
        (gguf(NAME, ("endless", ARRAY, struct.pack("<IQ", STRING, 2**63)), TYPE), None),
        (gguf(NAME, ("far", STRING, struct.pack("<Q", 2**63)), TYPE), None),
        (gguf(("general.file_type", STRING, struct.pack("<Q", 1) + b"2")), None),
        (gguf(TYPE).replace(b"GGUF", b"GGML", 1), None),
        (b"", None),
    ],
    ids=["first", "behind a vocabulary", "absent", "cut off", "nested", "endless", "far", "text", "other", "empty"],
)
def test_the_type_is_found_wherever_it_stands(content: bytes, expected: int | None, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    assert number(file, "general.file_type") == expected


def test_the_type_of_a_real_file_is_found() -> None:
    assert number(pull("smollm2-135m"), "general.file_type") == Q4_1
