"""`consensus`: a vote where answers are short, the sample nearest to the others where they are free text."""

from __future__ import annotations

import asyncio

import pytest

from clew.budget import Budget
from clew.methods.sample.consensus import agreed, free_text, overlaps
from clew.models.toy import ToyModel
from clew.problem import Message, Problem
from clew.runner import Trial, run_trial
from clew.tasks.answers import extractor

TEXTS = (
    "The sea is blue and wide, and its waves never rest.",
    "The sea is blue and deep, and the waves never rest at all.",
    "My cat sleeps on the red sofa near an old lamp.",
    "The wide sea is blue, and all its waves never rest.",
)


def problem(kind: str = "auto") -> Problem:
    return Problem("sea", (Message("user", "Write about the sea."),), extract=extractor(kind))


def one_of(texts: tuple[str, ...]) -> ToyModel:
    """A model that says one of these texts, each as likely: a token a text."""
    return ToyModel(
        list(texts), lambda _m, ids, _t: [1.0] * len(texts) + [0.0] if not ids else [0.0] * len(texts) + [1]
    )


def test_of_free_text_the_sample_nearest_to_the_others_is_taken() -> None:
    search = asyncio.run(
        run_trial(Trial(problem(), "consensus?n=4", 14), {"generate": one_of(TEXTS)}, Budget(tokens=999))
    )
    drawn = [leaf.solution for leaf in search.leaves]
    assert len(set(drawn)) == 4, "seed 14 draws each text once"
    assert search.answer.value in (TEXTS[0], TEXTS[3]) and search.answer.value in drawn
    assert search.answer.confidence is not None and 0.3 < search.answer.confidence < 1


def test_overlaps_by_hand() -> None:
    """F1 = 2·shared / (words of both): a word is shared as often as it occurs in both."""
    matrix = overlaps(["A cat, a CAT, a dog", "a cat and a bird", "", "a a a a"])
    assert matrix[0] == pytest.approx([1.0, 2 * 3 / 11, 0.0, 2 * 3 / 10])
    assert matrix[1] == pytest.approx([2 * 3 / 11, 1.0, 0.0, 2 * 2 / 9])
    assert matrix[2] == pytest.approx([0.0] * 4)


def test_where_answers_are_short_it_is_a_vote() -> None:
    model = one_of(("The answer is 4.", "The answer is 5."))
    found = asyncio.run(run_trial(Trial(problem(), "consensus?n=9", 0), {"generate": model}, Budget(tokens=999)))
    voted = asyncio.run(run_trial(Trial(problem(), "self_consistency?n=9", 0), {"generate": model}, Budget(tokens=999)))
    assert found.answer.value == voted.answer.value and found.answer.votes == voted.answer.votes
    assert agreed(found.problem, found.leaves[:1], {}).value in ("4", "5")


def test_what_counts_as_free_text() -> None:
    assert free_text(dict.fromkeys(TEXTS, 1.0))
    assert not free_text({TEXTS[0]: 2.0, TEXTS[1]: 1.0})  # two samples agree
    assert not free_text({TEXTS[0]: 1.0, "Paris": 1.0}) and not free_text({TEXTS[0]: 1.0}) and not free_text({})
