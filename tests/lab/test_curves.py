"""Accuracy-versus-budget curves against enumeration, and against real repetitions at each budget."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from clew.budget import AXES, Budget
from clew.errors import UsageError
from clew.lab.curves import curve, reach, resampled
from clew.problem import Problem, Status
from clew.vote import vote
from support.results import COST, PROMPT, problem, sampled, stamped


def grades(result, budgets, axis="tokens", seed=0):
    return [None if p is None else p.grade for p in curve(result, budgets, axis, seed=seed)]


def test_resampling_is_the_mean_over_all_orders() -> None:
    samples = [("no", 5), ("yes", 9), ("yes", 12), ("maybe", 3)]
    result = sampled(samples, budget=Budget(tokens=100))
    leaves = result.leaves
    for budget in (9, 12, 14, 20, 23, 30, 35, 39, 80):
        total = 0.0
        for order in itertools.permutations(range(4)):
            spent, kept = PROMPT, []
            for i in order:
                spent += samples[i][1]
                if spent > budget:
                    break
                kept.append(i)
            answer = vote(result.problem, [leaves[i] for i in sorted(kept)]).value
            total += answer == "yes"
        assert grades(result, [budget])[0] == pytest.approx(total / math.factorial(4))


def test_the_order_of_completion_does_not_deceive() -> None:
    """Wrong samples are short and so come back first; what a smaller budget buys is still a fair draw."""
    rng = np.random.default_rng(0)
    budget, small = 400, 60
    estimates, truth, naive = [], [], []
    for _ in range(120):
        stream = [("yes", 40) if rng.random() < 0.7 else ("no", 8) for _ in range(80)]
        kept = fit(stream, budget)
        # Side by side, so in order of length.
        completed = sorted(range(len(kept)), key=lambda i: (kept[i][1], i))
        result = sampled(kept, budget=Budget(tokens=budget), completed=completed, lost=3)
        estimates.append(grades(result, [small])[0])
        naive.append(
            next((p.answer.value == "yes" for p in result.proposals[::-1] if p.usage.total.tokens <= small), 0)
        )
        fresh = [("yes", 40) if rng.random() < 0.7 else ("no", 8) for _ in range(80)]
        truth.append(sampled(fit(fresh, small)).grade)
    error = 4 * np.sqrt(0.25 / 120 + 0.25 / 120)
    assert abs(np.mean(estimates) - np.mean(truth)) < error
    assert np.mean(naive) < np.mean(truth) - error
    assert np.var(estimates) < np.var(truth)


def fit(stream, budget):
    ends = PROMPT + np.cumsum([n for _, n in stream])
    return stream[: int(np.searchsorted(ends, budget, side="right"))]


@pytest.mark.parametrize("axis", [a for a in AXES if a != "seconds"])
def test_a_smaller_budget_is_unbiased_on_every_axis(axis: str) -> None:
    """Lengths and answers are correlated and the recording stopped on tokens, not on the axis."""
    rng = np.random.default_rng(2)
    estimates, truth = [], []
    probe = sampled([("no", 20), ("yes", 20)])
    small = probe.usage.along(axis)

    def draw():
        return ("yes", int(rng.integers(15, 40))) if rng.random() < 0.6 else ("no", int(rng.integers(5, 20)))

    for _ in range(150):
        result = sampled(fit([draw() for _ in range(60)], 300), budget=Budget(tokens=300), lost=2)
        estimates.append(grades(result, [small], axis)[0])
        stream, k = [draw() for _ in range(12)], 0
        while sampled(stream[: k + 1]).usage.along(axis) <= small:
            k += 1
        truth.append(sampled(stream[:k]).grade)
    assert abs(np.mean(estimates) - np.mean(truth)) < 4 * np.sqrt(0.5 / 150)


@pytest.mark.parametrize("axis", [a for a in AXES if a != "seconds"])
def test_costs_add_up_to_what_the_ledger_charged(axis: str) -> None:
    result = sampled([("no", 7), ("yes", 11), ("yes", 3)])
    total = result.usage.along(axis)
    assert grades(result, [total * 0.999, total], axis) == [
        pytest.approx(grades(result, [total * 0.999], axis)[0]),
        1.0,
    ]
    assert grades(result, [total * 0.999], axis)[0] < 1.0


def test_a_judge_is_not_free() -> None:
    result = sampled([("yes", 10)] * 4)
    assert grades(result, [20]) == [1.0]
    gauge_cost = result.usage.parts["m", "generate"]
    result.usage.parts["j", "judge"] = type(gauge_cost)(prefilled=40, generated=4, calls=4)
    assert grades(result, [20, 31]) == [0.0, 1.0]


def test_many_samples_are_estimated_closely_and_repeatably() -> None:
    rng = np.random.default_rng(9)
    result = sampled([("yes" if rng.random() < 0.55 else "no", int(rng.integers(5, 30))) for _ in range(24)])
    budgets = [15, 25, 60, 150, 10_000]
    first, again, other = grades(result, budgets), grades(result, budgets), grades(result, budgets, seed=1)
    assert first == again
    assert first != other
    assert np.allclose(first, other, atol=0.2)
    assert first[-1] == result.grade


def test_what_was_not_recorded_is_not_reached() -> None:
    limited = sampled([("yes", 10)] * 3, budget=Budget(tokens=45), lost=5)
    assert grades(limited, [20, 45, 46]) == [1.0, 1.0, None]
    # Cut on tokens: on the axis of calls it speaks for the samples it has.
    assert grades(limited, [3, 4], "calls") == [1.0, None]
    assert reach(limited, "generated") == 35
    # A number of samples that the method chose itself is all it wants.
    assert grades(sampled([("yes", 10)] * 3), [10_000]) == [1.0]
    cut = stamped([("no", 5), ("yes", 5)], budget=Budget(seconds=2), status=Status.EXHAUSTED)
    assert grades(cut, [15, 20, 21]) == [0.0, 1.0, None]


def test_proposals_are_held_until_the_next_one() -> None:
    result = stamped([("no", 5), ("yes", 20), ("no", 10)], after=5)
    assert grades(result, [14, 15, 34, 35, 44, 45, 1000]) == [0, 0, 0, 1, 1, 0, 0]
    assert grades(result, [0.5, 1.0, 2.0, 2.9, 3.0], "seconds") == [0, 0, 1, 1, 0]
    assert not resampled(result, "tokens")


def test_on_the_seconds_axis_samples_are_not_reordered() -> None:
    result = sampled([("no", 5), ("yes", 5), ("yes", 5)])
    assert resampled(result, "tokens")
    assert not resampled(result, "seconds")
    assert grades(result, [0.5, 1, 2, 3], "seconds") == [0, 0, 0, 1]


def test_the_answer_at_its_own_budget_is_the_answer_although_the_last_step_went_over() -> None:
    result = stamped([("yes", 22)], budget=Budget(tokens=30), status=Status.EXHAUSTED)
    assert result.usage.total.tokens == 32
    assert grades(result, [29, 30, 31]) == [0, 1, None]


def test_what_was_used_at_a_budget() -> None:
    result = stamped([("no", 10), ("yes", 20)])
    (early, late) = curve(result, [20, 1000], "tokens")
    assert early is not None and late is not None
    assert (early.used["tokens"], early.used["seconds"], early.used["generated"]) == (20, 1.0, 10)
    assert late.used["tokens"] == 40
    assert late.used["flops"] == pytest.approx(COST.flops(40, 0))


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match="'watts' is not an axis"):
        curve(sampled([("yes", 1)]), [10], "watts")
    ungraded = Problem("q", problem().messages)
    with pytest.raises(UsageError, match="q has no grader"):
        curve(stamped([("yes", 1)], of=ungraded), [100], "tokens")
