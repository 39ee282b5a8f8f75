"""Which format the embedded engine computes in, and that the copy says what the file says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from clew.budget import Budget, Ledger
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.llamacpp import format as formats
from clew.models.pull import pull
from clew.problem import Message

Q4_0, Q4_1, Q8_0, Q4_K_M, BF16 = 2, 3, 7, 15, 32

TEXT = "A cat has four legs. 3 * 4 = 12 legs. The answer is 12."


@pytest.mark.parametrize(
    ("flags", "own_operations", "expected", "converts"),
    [
        ({"avx2", "avx512_bf16"}, True, "bf16", {Q4_0, Q4_1, Q8_0, Q4_K_M, None}),
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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formats, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(ops, "in_use", lambda: own_operations)
    choice = formats.format_choice()
    assert choice.format == expected and choice.why
    assert {kind for kind in (Q4_0, Q4_1, Q8_0, Q4_K_M, BF16, None) if choice.suits(kind)} == converts


@pytest.mark.parametrize("flags", [{"avx2", "avx512_bf16"}, {"avx2"}], ids=["bf16", "q8_0"])
def test_the_copy_says_what_the_file_says(flags: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made once, complete, and within a tenth of a nat a token of the file as shipped, on average."""
    shipped = pull("smollm2-135m")
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    monkeypatch.setattr(formats, "processor_flags", lambda: frozenset(flags))
    copy = formats.compute_file(shipped)
    assert copy.is_relative_to(tmp_path) and copy == formats.compute_file(shipped)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [copy]

    def logprobs(format: str) -> np.ndarray:
        model = LlamaCppModel(shipped, format=format)
        context = model.render([Message("user", "How many legs do three cats have?")])
        gauge = Ledger(Budget()).open(model.name, "score", model.cost, fresh=0, reused=0)
        (read,) = asyncio.run(model.score([context], [model.encode(TEXT)], gauges=[gauge]))
        asyncio.run(model.close())
        assert read.logprob is not None
        return read.logprob

    assert abs(float(np.mean(logprobs("auto") - logprobs("as shipped")))) < 0.1
