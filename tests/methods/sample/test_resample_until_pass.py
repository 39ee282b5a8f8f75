"""Resampling until a scorer passes: what the paper derives of imperfect verifiers, on a model of known skill."""

from __future__ import annotations

import math

import pytest

from clew.budget import Budget
from clew.lab.judging import resampled_until_pass
from clew.problem import Problem, Status
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.testing import check_method
from clew.testing.toys import letters, problem, run

FALSE_POSITIVE, FALSE_NEGATIVE = 0.3, 0.1
JUDGE = f"(step_verifier?false_positive={FALSE_POSITIVE}&false_negative={FALSE_NEGATIVE})"


def starts_with_a() -> Problem:
    """Right is what begins with an a; the rest of the letters makes the solutions, and the judge's errors, differ."""
    return problem(step_verifier=lambda text: float(text[:1] == "a"), grader=lambda answer: float(answer[:1] == "a"))


def test_conformance() -> None:
    check_method("resample_until_pass?n=4")


@pytest.mark.parametrize("tries", [1, 2, 4, 12])
def test_accuracy_follows_the_closed_form_and_stays_below_its_ceiling(tries: int) -> None:
    skill, runs = 0.2, 400
    model = letters({"a": skill, "b": 0.5, "c": 0.3}, length=14)
    right = answered = 0
    for seed in range(runs):
        trial = Trial(starts_with_a(), f"resample_until_pass?n={tries}&scorer={JUDGE}", seed)
        result = run(run_trial(trial, {"generate": model}, Budget(), sampling=Sampling(temperature=1.0)))
        right += result.grade == 1.0
        answered += result.answer.value is not None
        assert (result.answer.value is None) == (result.answer.status is Status.ABSTAINED)
    good, wrong = resampled_until_pass([skill], 1 - FALSE_NEGATIVE, FALSE_POSITIVE, [tries, math.inf])
    error = 3 * math.sqrt(0.25 / runs)
    assert right / runs == pytest.approx(good[0], abs=error)
    assert answered / runs == pytest.approx(good[0] + wrong[0], abs=error)
    assert right / runs < good[1] + error < 0.6, "no number of tries makes up for a judge that passes wrong ones"


def test_a_judge_that_is_never_wrong_needs_only_tries() -> None:
    trial = Trial(starts_with_a(), "resample_until_pass?scorer=step_verifier", 0)
    model = letters({"a": 0.05, "b": 0.95}, length=3)
    result = run(run_trial(trial, {"generate": model}, Budget(tokens=2000), sampling=Sampling(temperature=1.0)))
    assert result.grade == 1.0
