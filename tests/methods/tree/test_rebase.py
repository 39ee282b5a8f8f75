"""REBASE: who gets how many continuations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.errors import BudgetExhausted
from clew.methods.tree.rebase import rebase, shares
from clew.problem import Answer
from clew.testing import check_method
from clew.testing.toys import letters, run
from clew.testing.toys.steps import LENGTH, LETTERS, TARGET, ByText, searching, sound


@pytest.mark.parametrize("spec", ["rebase?n=8", "rebase?n=8&final=best"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_shares_by_hand() -> None:
    # exp(0.9/0.1), exp(0.8/0.1), exp(0.7/0.1) are as e^2 : e : 1, that is 0.66524, 0.24473, 0.09003 of the whole.
    assert shares([0.9, 0.8, 0.7], 16, 0.1) == [11, 4, 1]
    # 10.644, 3.916, 1.440: rounded 11, 4, 1.
    assert shares([0.5, 0.5], 8, 0.1) == [4, 4]
    # 1.5 each: rounding both up would spend 4 of 3.
    assert shares([0.5, 0.5], 3, 0.1) == [2, 1]
    # ln 3 apart at temperature 1: three quarters to one quarter.
    assert shares([math.log(3), 0.0], 8, 1.0) == [6, 2]
    assert shares([1.0, -math.inf], 5, 0.1) == [5, 0]
    assert shares([-math.inf, -math.inf], 4, 0.1) == [2, 2]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.integers(1, 64), st.floats(0.01, 10))
def test_shares_add_up_and_follow_the_rewards(rewards: list[float], budget: int, balance: float) -> None:
    counts = shares(rewards, budget, balance)
    assert sum(counts) == budget
    scaled = np.array(rewards) / balance
    exact = budget * np.exp(scaled - scaled.max()) / np.exp(scaled - scaled.max()).sum()
    assert all(abs(c - e) < 1 for c, e in zip(counts, exact, strict=True))


def test_the_width_of_a_depth_is_what_has_not_ended() -> None:
    """Of n continuations those that have ended are no longer replaced, so n solutions come out at most."""
    search = searching(seed=1)
    run(rebase(search, n=12, balance=1.0, scorer=ByText(lambda t: 0.5)))
    sampled = {d: sum(1 for n in search.tree.nodes if n.depth == d) for d in range(1, LENGTH + 2)}
    assert set(sampled.values()) == {12}


def test_rebase_with_a_perfect_verifier_beats_the_vote_of_samples_and_with_a_useless_one_does_not() -> None:
    def accuracy(scorer: ByText, seeds: int = 40) -> float:
        right = 0
        for seed in range(seeds):
            model = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)
            search = searching(model=model, tokens=75, seed=seed)
            try:
                answer = run(rebase(search, n=12, scorer=scorer))
            except BudgetExhausted:
                answer = search.proposals[-1].answer if search.proposals else Answer(None)
            right += answer.value == TARGET
        return right / seeds

    assert accuracy(ByText(sound)) > 0.9
    assert accuracy(ByText(lambda t: 0.5)) < 0.3, "one of 81 solutions is right, a dozen are seen"


def test_rewards_outside_the_unit_interval_are_shared_as_if_they_were_in_it() -> None:
    """As they are, rewards that are many nats apart would leave only the best of each depth."""

    def followed(worth: float) -> set[str]:
        search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH), seed=2)
        run(rebase(search, n=16, balance=0.5, scorer=ByText(lambda t: worth * " abc".index(t[0]) / 3)))
        return {n.solution[0] for n in search.tree.nodes if n.depth == 2}

    assert followed(1.0) == {"a", "b", "c"}
    assert followed(20.0) == followed(-20.0) == {"a", "b", "c"}
