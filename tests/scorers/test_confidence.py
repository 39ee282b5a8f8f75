"""Group confidences against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.errors import UsageError
from clew.scorers.confidence import group_means
from clew.testing import check_scorer
from clew.testing.toys import letters, run, search
from support.segments import add

CERTAINTY = [4.0, 2.0, 0.0, 4.0, 6.0]
"""Means of 2: 3, 1, 2, 5. Of 3: 2, 2, 10/3."""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("group_confidence?window=2", 1.0),
        ("group_confidence?window=2&kind=tail", 5.0),
        ("group_confidence?window=2&kind=bottom", 1.0),
        ("group_confidence?window=3", 2.0),
        ("group_confidence?window=1", 0.0),
        ("group_confidence", 3.2),
        ("group_confidence?kind=tail", 3.2),
        ("group_confidence?kind=bottom", 3.2),
    ],
)
def test_kinds_over_windows(spec: str, expected: float) -> None:
    s = search()
    first = add(s, ["a", "b"], certainty=CERTAINTY[:2])
    node = add(s, ["c", "d", "e"], certainty=CERTAINTY[2:], parent=first)
    assert run(s.score([node], spec)) == pytest.approx([expected])
    assert list(node.scores) == [spec]


def test_partial_solutions_have_the_groups_that_are_there() -> None:
    s = search()
    first = add(s, ["a"], certainty=[4.0])
    second = add(s, ["b"], certainty=[1.0], parent=first)
    assert run(s.score([first, second], "group_confidence?window=2")) == pytest.approx([4.0, 2.5])


def test_the_bottom_tenth_is_a_mean_of_groups() -> None:
    s = search()
    values = [float(i) for i in np.random.default_rng(0).permutation(35)]
    node = add(s, ["x"] * 35, certainty=values)
    # 35 groups: the lowest 10 % are 3 of them.
    assert run(s.score([node], "group_confidence?window=1&kind=bottom")) == pytest.approx([1.0])


def test_top_is_minus_the_mean_of_the_most_probable() -> None:
    s = search()
    node = add(s, ["a", "b"], certainty=[9.0, 9.0], top_logprob=[[-0.5, -1.5, -7.0], [-0.1, -2.9, -7.0]])
    assert run(s.score([node], "group_confidence?window=1&top=2")) == pytest.approx([1.0])
    assert run(s.score([node], "group_confidence?window=1&top=2&kind=tail")) == pytest.approx([1.5])
    with pytest.raises(UsageError, match="top=4 needs 4 log-probabilities of each token, and 3 were recorded"):
        run(s.score([node], "group_confidence?top=4"))


def test_the_full_distribution_differs_from_the_papers_by_a_constant() -> None:
    s = search(letters({"a": 0.5, "b": 0.3, "c": 0.2}, length=6))
    nodes = run(s.extend(s.root, 5, sampling=s.sampling.but(top=4)))
    full, paper = (run(s.score(nodes, f"group_confidence?window=2{x}")) for x in ("", "&top=4"))
    # Four tokens are the whole vocabulary here.
    assert paper == pytest.approx([x + math.log(4) for x in full], rel=1e-5)


def test_group_means_are_those_of_every_window() -> None:
    values = np.random.default_rng(1).normal(size=20)
    for window in (1, 7, 20, 99):
        size = min(window, 20)
        expected = [values[i : i + size].mean() for i in range(20 - size + 1)]
        assert group_means(values, window) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", ["window=0", "kind=worst", "top=-1", "window=many"])
def test_bad_parameters_are_named(wrong: str) -> None:
    s = search()
    with pytest.raises(UsageError, match="cannot take"):
        run(s.score([s.root], f"group_confidence?{wrong}"))


@pytest.mark.parametrize("spec", ["group_confidence", "group_confidence?window=8&kind=tail&top=5"])
def test_conformance(spec: str) -> None:
    check_scorer(spec)
