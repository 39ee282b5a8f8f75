"""Multiple choice by the likelihood of the options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from clew.budget import Budget
from clew.errors import UsageError
from clew.models.toy import ToyModel
from clew.problem import Message, Problem
from clew.result import Result
from clew.runner import Trial, check, run_trial
from clew.testing import check_method
from clew.testing.toys import problem, run
from clew.testing.toys.talkers import PRINTABLE, asked, talker

OPTIONS = ("no", "a long way round", "yes")


def choice(**changes: Any) -> Problem:
    return problem(
        messages=(Message("user", "Is it?\nA. no\nB. a long way round\nC. yes"),),
        meta={"choices": OPTIONS},
        extract=lambda text: text.strip()[:1] or None,
        **changes,
    )


def model(
    with_it: Mapping[str, float], without: Mapping[str, float] | None = None, filler: Mapping[str, float] | None = None
) -> ToyModel:
    """Replies with the odds `with_it` to the question, `without` to nothing, and `filler` to anything else."""

    def replies(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
        said = asked(messages)
        return with_it if "Is it?" in said else (without or with_it) if said == "Answer:" else (filler or with_it)

    return talker(replies, PRINTABLE)


def answered(spec: str, toy: ToyModel) -> Result:
    return run(run_trial(Trial(choice(), spec, 0), {"generate": toy}, Budget()))


def test_conformance() -> None:
    knows = lambda: model({"B": 1.0})  # noqa: E731
    check_method("option_likelihood", problem=choice(reference="B", grader=lambda a: float(a == "B")), model=knows)


def test_the_most_probable_letter_answers_and_nothing_is_written() -> None:
    result = answered("option_likelihood", model({"A": 0.3, "B": 0.1, "C": 0.2, "Well": 0.4}))
    assert result.answer.value == "A" and result.answer.confidence == pytest.approx(0.5)
    assert result.usage.total.generated == 0


@pytest.mark.parametrize(
    ("normalise", "wanted"),
    [("none", "A"), ("tokens", "B"), ("characters", "B"), ("unconditional", "C")],
)
def test_what_a_text_is_normalised_by_decides(normalise: str, wanted: str) -> None:
    """'no' is the most probable text, the long one per token, and 'yes' is what the question makes more probable."""
    toy = model({"no": 0.5, OPTIONS[1]: 0.1, "yes": 0.4}, without={"no": 0.6, OPTIONS[1]: 0.3, "yes": 0.1})
    result = answered(f"option_likelihood?by=text&normalise={normalise}", toy)
    assert result.answer.value == wanted
    if normalise == "none":
        assert result.answer.confidence == pytest.approx(0.5)
    if normalise == "unconditional":
        odds = {"A": 0.5 / 0.6, "B": 0.1 / 0.3, "C": 0.4 / 0.1}
        assert result.answer.confidence == pytest.approx(odds["C"] / sum(odds.values()))


def test_without_the_question_only_the_options_speak() -> None:
    toy = model({"A": 1.0}, without={"B": 1.0}, filler={"C": 1.0})
    answers = {q: answered(f"option_likelihood?question={q}", toy).answer.value for q in ("asked", "nothing", "filler")}
    assert answers == {"asked": "A", "nothing": "B", "filler": "C"}


def test_a_task_without_options_is_refused_before_any_work() -> None:
    with pytest.raises(UsageError, match="option_likelihood needs options to choose among, and p has none"):
        check([Trial(problem(), "option_likelihood", 0)], {"generate": model({})}, Budget())


def test_impossible_options_have_no_confidence_beyond_chance() -> None:
    result = answered("option_likelihood", model({"Well": 1.0}))
    assert result.answer.value == "A" and math.isclose(result.answer.confidence or 0.0, 1 / 3)


def test_a_model_that_thinks_first_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = model({"A": 1.0})
    plain = toy.render(choice().messages)
    opened = toy.encode(plain.prompt + "<think>\n")
    thinking = replace(plain, prompt=opened.text, token_ids=opened.token_ids)
    monkeypatch.setattr(toy, "render", lambda messages: thinking)
    with pytest.raises(UsageError, match="thinks before it replies"):
        run(run_trial(Trial(choice(), "option_likelihood", 0), {"generate": toy}, Budget()))
