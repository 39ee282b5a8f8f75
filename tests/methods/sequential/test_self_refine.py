"""Self-refine: what each prompt shows, when it stops, and that feedback which knows corrects the answer."""

from __future__ import annotations

import numpy as np
import pytest

from clew.errors import ContextOverflow
from clew.methods.sequential.self_refine import self_refine
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.talkers import asked, talker

ALPHABET = "abcdefghix1234567890 It is corect.wrng"


@pytest.mark.parametrize("spec", ["self_refine", "self_refine?rounds=2&history=false"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def climber(knows: bool = True) -> ToyModel:
    """Answers `a`; asked to refine, writes the letter after the last answer. Feedback ends it at `d` (or never)."""

    def replies(messages: tuple[Message, ...], text: str) -> str:
        prompt = asked(messages)
        if "Check the answer" in prompt:
            now = prompt.split("<answer>\n")[-1][0]
            return "It is correct." if knows and now == "d" else f"{now} is wrong"
        if "Refine the answer" in prompt:
            return chr(ord(prompt.split("<answer>\n")[-1][0]) + 1)
        return "a"

    return talker(replies, ALPHABET)


def prompts(given: Search, order: str) -> list[str]:
    """What the model was shown with an order, the order itself left out."""
    return [r.text.partition("<problem>")[2] for r in given.tree.roots if order in r.text]


def test_it_stops_when_the_feedback_says_so() -> None:
    given = search(climber())
    answer = run(self_refine(given, rounds=9))
    assert answer.value == "d"
    assert [p.answer.value for p in given.proposals] == ["a", "b", "c", "d"]
    assert len(prompts(given, "Check the answer")) == 4
    assert len(prompts(given, "Refine the answer")) == 3
    assert [n.fate for n in given.tree.nodes if n.solution in "abcd" and n.finished] == ["refined"] * 3 + [""]


def test_it_stops_at_the_limit() -> None:
    assert run(self_refine(search(climber(knows=False)), rounds=2)).value == "c"
    alone = search(climber())
    assert run(self_refine(alone, rounds=0)).value == "a"
    assert len(alone.tree.roots) == 1


def test_a_refinement_is_shown_all_that_came_before_and_feedback_only_the_last() -> None:
    given = search(climber())
    run(self_refine(given))
    last = prompts(given, "Refine the answer")[-1]
    marks = ["<answer>\na", "<critique>\na is wrong", "<answer>\nb", "<critique>\nb is wrong", "<answer>\nc"]
    assert [last.find(mark) for mark in marks] == sorted(last.find(mark) for mark in marks) and marks[0] in last
    assert prompts(given, "Check the answer")[-1].count("<answer>") == 1
    short = search(climber())
    run(self_refine(short, history=False))
    assert all(p.count("<answer>") == 1 for p in prompts(short, "Refine the answer"))


def test_feedback_that_knows_corrects_and_feedback_that_guesses_does_not() -> None:
    """The claim, with a sign that can fail: the gain comes from the feedback, not from writing again."""

    def fixer(informed: bool) -> ToyModel:
        def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
            prompt = asked(messages)
            if "Check the answer" in prompt:
                right = "<answer>\nc" in prompt
                if informed:
                    return "It is correct." if right else "wrong"
                return {"It is correct.": 1.0, "wrong": 1.0}
            return {"a": 2.0, "b": 2.0, "c": 1.0}

        return talker(replies, ALPHABET)

    def rate(informed: bool) -> float:
        answers = [run(self_refine(search(fixer(informed), seed=s), rounds=4)).value for s in range(100)]
        return float(np.mean([a == "c" for a in answers]))

    # One of five is right: with five tries and a critic that knows, 1 - 0.8⁵ = 0.67; with one that guesses, 0.2.
    assert 0.55 < rate(True) < 0.8
    assert 0.08 < rate(False) < 0.35


def test_a_refinement_without_an_answer_does_not_replace_one_that_had_it() -> None:
    def replies(messages: tuple[Message, ...], text: str) -> str:
        return "x" if "Refine the answer" in asked(messages) else "a"

    given = search(talker(replies, ALPHABET), extract=lambda text: "a" if "a" in text else None)
    assert run(self_refine(given, rounds=2)).value == "a"


def test_a_history_that_outgrows_the_context_ends_the_refinement() -> None:
    model = climber(knows=False)
    roomy = search(climber(knows=False))
    run(self_refine(roomy, rounds=2))
    model.context_length = max(len(r.segment) for r in roomy.tree.roots) + 1
    assert run(self_refine(search(model), rounds=9)).value == "c"
    model.context_length = 2
    with pytest.raises(ContextOverflow):
        run(self_refine(search(model)))
