"""Likelihood scorers against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.errors import UsageError
from clew.registry import scorers
from clew.testing import check_scorer
from clew.testing.toys import letters, run, search
from clew.tree import Origin
from support.segments import add

NAMES = ("logprob", "perplexity", "entropy", "self_certainty")


def test_sums_and_means_along_the_solution() -> None:
    s = search()
    first = add(s, ["a", "b"], logprob=[-1.0, -0.5], entropy=[0.2, 0.4], certainty=[3.0, 1.0])
    whole = add(s, ["c"], logprob=[-3.0], entropy=[1.2], certainty=[0.5], parent=first)
    expected = {
        "logprob": [-1.5, -4.5],
        "perplexity": [-0.75, -1.5],
        "entropy": [-0.3, -0.6],
        "self_certainty": [2.0, 1.5],
    }
    for name, values in expected.items():
        assert run(s.score([first, whole], name)) == pytest.approx(values)
        assert whole.scores[name] == pytest.approx(values[1])


def test_inserted_tokens_do_not_count() -> None:
    s = search()
    first = add(s, ["a"], logprob=[-1.0])
    hint = add(s, ["w", "a", "i", "t"], parent=first, origin=Origin.INSERTED)
    last = add(s, ["b"], logprob=[-2.0], parent=hint)
    assert run(s.score([last, hint], "perplexity")) == pytest.approx([-1.5, -1.0])


def test_self_certainty_is_the_divergence_from_uniform() -> None:
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    s = search(letters({**weights, "d": 1e-3}, length=1))
    (node,) = run(s.extend(s.root))
    p = np.array([0.5, 0.3, 0.2, 1e-3])
    p /= p.sum()
    # The end of the text is impossible at first, and counts as exp(-100); then it is certain, and all else impossible.
    at_first = -math.log(5) - (np.log(p).sum() - 100) / 5
    at_last = -math.log(5) + 4 * 100 / 5
    assert run(s.score([node], "self_certainty")) == pytest.approx([(at_first + at_last) / 2], rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_without_logprobs_the_complaint_is_clear(name: str) -> None:
    s = search()
    with pytest.raises(UsageError, match=f"{name} needs the model's log-probabilities"):
        run(s.score([add(s, ["a"])], name))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_server_does_not_tell_is_left_out(name: str) -> None:
    s = search()
    known = [math.nan, -1.0, math.nan]
    node = add(s, ["a", "b", "c"], logprob=known, entropy=[-x for x in known], certainty=known)
    assert run(s.score([node], name)) == pytest.approx([-1.0])


@pytest.mark.parametrize("name", NAMES)
def test_conformance(name: str) -> None:
    check_scorer(name)
    assert "logprobs" in scorers[name].needs
