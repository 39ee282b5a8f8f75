"""Reflexion: attempts, verdicts, what is remembered, and that reflections which know lead to the answer."""

from __future__ import annotations

import numpy as np
import pytest

from clew.methods.sequential.reflexion import REMEMBER, judged_right, reflexion
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import asked, talker

ALPHABET = "abcdenotsrightw "


@pytest.mark.parametrize("spec", ["reflexion", "reflexion?trials=3&memory=1"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_verdicts_by_hand() -> None:
    assert judged_right("It looks wrong, but is it?\nRight.") == 1.0
    assert judged_right("right so far\nwrong") == 0.0
    assert judged_right("I cannot tell; alright") == 0.0


def learner(learns: bool = True) -> ToyModel:
    """Of the letters a to e it writes any that its memory does not warn of; a reflection names the letter that failed.

    As a judge it knows that `e` is right.
    """

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "Do not solve" in prompt:
            return "not " + prompt.split("<answer>\n")[1][0] if learns else "not so"
        if "right or wrong" in prompt:
            return "right" if "<answer>\ne" in prompt else "wrong"
        return {letter: 1.0 for letter in "abcde" if f"not {letter}" not in prompt}

    return talker(replies, ALPHABET)


def is_e(value: str) -> float:
    return float(value == "e")


@pytest.mark.parametrize("by", ["verifier", "scorer", "judge"])
def test_reflections_lead_to_the_answer(by: str) -> None:
    """The claim, with a sign that can fail: five letters are tried without repeats, so five trials always do."""

    def rate(learns: bool) -> float:
        found = []
        for seed in range(60):
            given = search(learner(learns), seed=seed, verifier=is_e if by == "verifier" else None)
            scorer = ByText(lambda text: float(text == "e")) if by == "scorer" else None
            found.append(run(reflexion(given, trials=5, memory=4, scorer=scorer)).value == "e")
        return float(np.mean(found))

    assert rate(True) == 1.0
    assert rate(False) < 0.9, "five independent tries: 1 - 0.8⁵ = 0.67"


def attempts(given: Search) -> list[str]:
    """The prompts of the attempts, in order."""
    return [r.text for r in given.tree.roots if r.role == "generate"]


def test_no_more_is_remembered_than_memory_allows() -> None:
    given = search(learner(), verifier=lambda value: 0.0)
    run(reflexion(given, trials=5, memory=2))
    seen = attempts(given)
    assert [text.count("not ") for text in seen] == [0, 1, 2, 2, 2]
    assert REMEMBER not in seen[0] and all(REMEMBER in text for text in seen[1:])
    tried = [
        n.solution for n in given.tree.nodes if n.parent and n.parent.parent is None and n.parent.role == "generate"
    ]
    # The latest reflections are the ones that stay: they are of the two attempts before.
    assert all(f"not {letter}" in seen[-1] for letter in tried[-3:-1])
    assert f"not {tried[0]}" not in seen[-1]


def test_it_ends_with_the_first_attempt_that_passes() -> None:
    given = search(learner(), verifier=lambda value: 1.0)
    answer = run(reflexion(given))
    assert len(given.tree.roots) == 1 and answer.value in "abcde"
    short = search(learner(), verifier=lambda value: 0.0)
    run(reflexion(short, trials=3))
    assert len(attempts(short)) == 3
    assert sum("Do not solve" in r.text for r in short.tree.roots) == 2, "nobody reflects on the last attempt"


def test_the_best_attempt_is_given_and_of_equals_the_last() -> None:
    values = {"a": 0.1, "b": 0.9, "c": 0.2, "d": 0.3, "e": 0.4}
    given = search(learner(), verifier=values.__getitem__)
    assert run(reflexion(given, trials=5, memory=4)).value == "b"
    last = search(learner(), verifier=lambda value: 0.0)
    answer = run(reflexion(last, trials=3))
    assert [p.answer.value for p in last.proposals][-1] == answer.value
    assert len({p.answer.value for p in last.proposals}) == 3


def test_an_attempt_that_states_nothing_is_never_the_answer() -> None:
    likes_others = ByText(lambda text: float(text != "a"))
    for seed in range(8):
        given = search(learner(), seed=seed, extract=lambda text: "a" if text == "a" else None)
        answer = run(reflexion(given, trials=5, memory=4, scorer=likes_others, good=2))
        assert answer.value == "a", "all five letters are tried"
        assert all(p.answer.value == "a" for p in given.proposals)
