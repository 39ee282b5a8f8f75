"""Uncertainty and answers along a trace."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.analysis.dynamics import (
    checked_steps,
    first_wrong,
    forking_threshold,
    forking_tokens,
    length_and_grade,
    profile,
    proposed,
    span_means,
    stated,
    timeline,
)
from clew.analysis.measures import trace_measures
from clew.analysis.trace import Trace
from clew.api import asolve
from clew.tasks import load_problems
from clew.tasks.answers import extractor, grader
from clew.testing.toys import problem, run, search
from clew.tree import Finish, Origin
from support.segments import add


def twelve(**changes: object) -> object:
    return problem(**({"extract": extractor("number"), "grader": grader("12", "number")} | changes))


def traced(pieces: list[str], entropy: list[float] | None = None, **changes: object) -> Trace:
    of = problem(extract=extractor("number"), grader=grader("12", "number"), **changes)
    return Trace(of, add(search(extract=of.extract), pieces, entropy=entropy, finish=Finish.END))


def test_the_profile_averages_equal_parts() -> None:
    trace = traced(["a"] * 6, [1, 3, 5, 7, 9, 11])
    assert profile(trace, bins=3).tolist() == [2, 6, 10]
    assert np.isnan(profile(trace, "logprob", bins=2)).all()


def test_means_by_sentence_leave_out_what_the_model_did_not_choose() -> None:
    s = search()
    first = add(s, ["One", "."], entropy=[1.0, 3.0])
    second = add(s, [" Two", "."], entropy=[9.0, 9.0], parent=first, origin=Origin.INSERTED)
    trace = Trace(s.problem, add(s, [" Three", "."], entropy=[4.0, 6.0], parent=second, finish=Finish.END))
    means = span_means(trace, trace.sentences)
    assert means[[0, 2]].tolist() == [2, 5]
    assert math.isnan(means[1])


def test_forking_tokens_are_the_most_uncertain_fifth_of_all_traces() -> None:
    calm, torn = traced(["a"] * 5, [0, 0.1, 0.2, 0.3, 0.4]), traced(["a"] * 5, [2, 0.5, 3, 0.6, 0.7])
    threshold = forking_threshold([calm, torn])
    assert threshold == 2
    assert forking_tokens(calm, threshold) == []
    assert forking_tokens(torn, threshold) == [0, 2]
    assert forking_tokens(calm) == [4]
    assert math.isnan(forking_threshold([traced(["a"])]))


def test_equally_uncertain_tokens_are_no_forks_together() -> None:
    trace = traced(["a"] * 10, [3.0] + [0.1] * 9)
    assert forking_tokens(trace) == [0]
    assert forking_tokens(traced(["a"] * 5, [0.1] * 5)) == []


def test_the_answer_held_along_a_trace() -> None:
    trace = traced(["<think>", "Say 7.\n", "Or 12.\n", "No, 8.\n", "12.\n", "</think>", "The answer is 12."])
    held = stated(trace)
    assert held.values == ("7", "12", "8", "12", "12")
    assert held.flips == (1, 2)
    assert held.changes == 3
    # The tokens of the tags go with the sentences beside them.
    assert held.tokens.tolist() == [2, 3, 4, 6, 7]
    assert held.converged == 6
    assert held.after == 1


def test_regret_and_anytime_accuracy_are_areas() -> None:
    held = timeline(twelve(), [10, 30, 40], ["7", "12", "7"], 100)  # type: ignore[arg-type]
    assert held.at([0, 10, 29, 30, 39, 40, 500]).tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert held.regret() == 90  # right for 10 of 100 tokens
    assert held.regret(best=0.5) == 50 - 10
    never = timeline(twelve(), [], [], 50)  # type: ignore[arg-type]
    assert never.regret() == 50
    assert never.at([7]).tolist() == [0]
    assert never.converged is None
    assert never.flips == (0, 0)


def test_a_search_has_a_timeline_of_proposals() -> None:
    task = load_problems("add", count=1, seed=3)[0]
    result = run(asolve(task, model="toy:arithmetic?skill=0.6", method="self_consistency?n=6", budget=4000))
    held = proposed(result)
    assert len(held.values) == 6
    assert held.values[-1] == result.answer.value
    assert held.end == result.usage.total.tokens
    assert (np.diff(held.tokens) >= 0).all()


def test_the_first_wrong_step_by_a_verifier() -> None:
    trace = traced(["1.\n", "2.\n", "x.\n", "4."], step_verifier=lambda text: float("x" not in text))
    assert checked_steps(trace) == [1, 1, 0, 0]
    assert first_wrong(checked_steps(trace)) == 2
    assert first_wrong([1, 1]) is None
    with pytest.raises(ValueError, match="no step verifier"):
        checked_steps(traced(["1."]))


def test_length_is_compared_within_problems_only() -> None:
    def made(name: str, length: int, right: bool) -> Trace:
        return traced(["x "] * (length - 1) + ["12" if right else "7"], id=name)

    # Hard: long and wrong. Easy: short and right. Within each, right ones are the longer ones.
    traces = [made("hard", 50, False), made("hard", 60, True), made("easy", 3, False), made("easy", 5, True)]
    assert length_and_grade([*traces, made("all right", 9, True)]) == {"hard": 1, "easy": 1}
    assert length_and_grade([made("p", 5, True), made("p", 5, False), made("p", 7, False)]) == {"p": -0.5}


def test_a_partly_right_answer_does_not_count_as_right() -> None:
    partly = {"grader": lambda value: {"12": 1.0, "7": 0.75}.get(value, 0.0)}
    held = timeline(twelve(**partly), [10, 30, 40], ["7", "12", "7"], 100)  # type: ignore[arg-type]
    assert held.flips == (1, 1)
    half, whole = traced(["The answer is 7.", " Yes."]), traced(["The answer is 12."])
    traces = [Trace(twelve(**partly), trace.node) for trace in (half, whole)]  # type: ignore[arg-type]
    assert [trace.grade for trace in traces] == [0.75, 1.0]
    assert length_and_grade(traces) == {traces[0].problem.id: -1.0}  # the right one is the shorter one
    assert [math.isnan(trace_measures(trace)["overthinking"]) for trace in traces] == [True, False]
