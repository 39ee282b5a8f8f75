"""What a model may take of the memory: limits that hold, and what idles is given back."""

from __future__ import annotations

import asyncio
import time

import pytest

from clew.budget import Budget
from clew.errors import UsageError
from clew.ledger import Ledger
from clew.models.llamacpp import LlamaCppModel, describe
from clew.models.llamacpp import scheduler as scheduling
from clew.models.llamacpp.memory import bytes_of
from clew.models.pull import pull
from clew.sampling import Sampling, tokens
from support.continuations import grown, prompt


def test_amounts_of_memory_are_read_as_people_write_them() -> None:
    for text, count in (("900M", 900 << 20), ("1.5 GB", 3 << 29), ("2GiB", 2 << 30), ("4096", 4096), ("64k", 65536)):
        assert bytes_of(text) == count
    for wrong in ("", "much", "-1", "3T"):
        with pytest.raises(UsageError, match="is not an amount of memory"):
            bytes_of(wrong)


def test_a_limit_holds_for_all_that_the_model_takes() -> None:
    limit = 700 << 20
    model = LlamaCppModel(pull("smollm2-135m"), memory="700M")
    assert model.memory.total <= limit
    context = prompt(model, "Tell me a story of the sea.")
    grown(model, context, 32, until=tokens(8), sampling=Sampling())
    held = model.cache_bytes()
    assert 0 < held["cells"] <= model.memory.cells and held["copies"] <= model.memory.copies
    asyncio.run(model.close())


def test_a_few_short_solutions_take_little() -> None:
    model = LlamaCppModel(pull("smollm2-135m"))
    grown(model, prompt(model, "Tell me a story of the sea."), 4, until=tokens(24), sampling=Sampling())
    assert model.cache_bytes()["cells"] < 64 << 20
    asyncio.run(model.close())


def test_what_idles_is_given_back_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_REST", 0.2)
    model = LlamaCppModel(pull("smollm2-135m"))
    context, ledger = prompt(model, "Tell me a story of the sea."), Ledger(Budget())
    (step,) = grown(model, context, until=tokens(24), ledger=ledger)
    limit = time.monotonic() + 20
    while model.cache_bytes()["cells"]:
        assert time.monotonic() < limit
        time.sleep(0.05)
    again = Ledger(Budget())
    grown(model, context.extended([step]), until=tokens(4), ledger=again)
    assert again.usage.total.computed <= 1, "the keys and values came back from the copy"
    asyncio.run(model.close())


def test_the_doctor_says_what_is_used_for_what() -> None:
    line = describe()["memory of smollm2-135m"]
    for part in ("weights", "KV cache", "intermediate results", "swap pool"):
        assert part in line
    assert describe("900M")["memory of smollm2-135m"] != line
    with pytest.raises(UsageError, match=r"do not hold this model.*Allow \d+M"):
        describe("20M")
