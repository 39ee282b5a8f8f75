"""Depth-first search: order, pruning and the limit on backtracking."""

from __future__ import annotations

import pytest

from clew.methods.tree.dfs import dfs
from clew.testing import check_method
from clew.testing.toys import letters, run
from clew.testing.toys.steps import (
    LENGTH,
    LETTERS,
    OPTIMUM,
    TARGET,
    ByText,
    noise,
    potential,
    searching,
    solutions,
    sound,
    worth_of,
)

UNIFORM = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)
ALL = 24


@pytest.mark.parametrize("spec", ["dfs", "dfs?backtracks=3", "dfs?good=0.5&final=vote"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_without_pruning_it_is_enumeration() -> None:
    search = searching(model=UNIFORM)
    answer = run(dfs(search, expand=ALL, scorer=ByText(worth_of)))
    assert {n.solution for n in search.tree.nodes if n.finished} == set(solutions())
    assert answer.value == OPTIMUM


def test_the_best_step_is_followed_first() -> None:
    search = searching(model=UNIFORM)
    answer = run(dfs(search, expand=ALL, backtracks=0, scorer=ByText(potential)))
    assert answer.value == OPTIMUM
    extended = {n.parent.solution for n in search.tree.nodes if n.parent}
    assert extended == {OPTIMUM[:i] for i in range(LENGTH + 1)}


def test_pruning_leaves_only_what_may_be_right() -> None:
    search = searching(model=UNIFORM)
    assert run(dfs(search, expand=ALL, threshold=0.5, scorer=ByText(sound))).value == TARGET
    assert {n.parent.solution for n in search.tree.nodes if n.parent} == {TARGET[:i] for i in range(LENGTH + 1)}


def test_backtracks_are_limited_and_pay() -> None:
    """The claim of backtracking: where steps cannot be told apart, going back finds what the first branch missed."""
    right_ones = {text for i, text in enumerate(solutions()) if i % 9 == 4}

    def hits(backtracks: int) -> int:
        count = 0
        for seed in range(30):

            def partly(text: str, seed: int = seed) -> float:
                return float(text in right_ones) if len(text) == LENGTH else noise(f"{seed}{text}")

            search = searching(model=UNIFORM, seed=seed)
            answer = run(dfs(search, expand=ALL, backtracks=backtracks, good=1.0, scorer=ByText(partly)))
            count += answer.value in right_ones
        return count

    assert hits(0) < 10 < hits(4) < 25 < hits(40)

    search = searching(model=UNIFORM)
    run(dfs(search, expand=ALL, backtracks=5, scorer=ByText(worth_of)))
    assert len({n.parent for n in search.tree.nodes if n.finished}) == 6, "one solution, and one for each way back"


def test_good_ends_the_search() -> None:
    search = searching(model=UNIFORM)
    answer = run(dfs(search, expand=ALL, good=0.3, scorer=ByText(worth_of)))
    assert answer.value is not None and worth_of(answer.value) >= 0.3
    assert len({n.solution for n in search.tree.nodes if n.finished}) < 81
