"""Verdicts on generated answers: two pairs of every family, of which the generator knows whether they are the same."""

from __future__ import annotations

import pytest
from benchmarks.answers.__main__ import by_clew
from benchmarks.answers.pairs import FAMILIES, Pair, pairs

PAIRS = pairs(2 * (len(FAMILIES) + 1), seed=7)


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.family}-{i}" for i, pair in enumerate(PAIRS)])
def test_the_verdict_is_that_of_the_generator(pair: Pair) -> None:
    assert by_clew(pair) == pair.same, pair
