"""Best-first search and A*, against the enumerated optimum."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

from clew.methods.tree.best_first import a_star, best_first
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
from clew.tree import Node

UNIFORM = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)
ALL = 24
"""So many samples meet all three letters but once in 5000 nodes."""


@pytest.mark.parametrize("spec", ["best_first", "best_first?parallel=3", "a_star", "a_star?parallel=4&final=vote"])
def test_conformance(spec: str) -> None:
    check_method(spec)


@pytest.mark.parametrize("parallel", [1, 4])
def test_best_first_with_an_admissible_value_returns_the_enumerated_optimum(parallel: int) -> None:
    for seed in range(5):
        search = searching(model=UNIFORM, seed=seed)
        answer = run(best_first(search, expand=ALL, parallel=parallel, scorer=ByText(potential)))
        assert answer.value == OPTIMUM
        whole = len({n.solution for n in search.tree.nodes if n.finished})
        assert whole <= 3 * parallel, "it found the optimum without looking at all 81 solutions"


def test_best_first_with_a_value_that_underrates_may_miss_the_optimum() -> None:
    """The other side of the proof: without admissibility there is no guarantee."""
    answer = run(best_first(searching(model=UNIFORM), expand=ALL, scorer=ByText(lambda t: len(t) + (t[:1] == "a"))))
    assert answer.value is not None and answer.value.startswith("a") and answer.value != OPTIMUM


def least_cost(reward: Callable[[str], float]) -> tuple[float, set[str]]:
    """The least f of any solution by enumeration: h of the first step, plus every loss of reward."""
    costs = {}
    for text in solutions():
        h = [1 - reward(text[: i + 1]) for i in range(LENGTH)]
        costs[text] = h[0] + sum(max(0.0, after - before) for before, after in itertools.pairwise(h))
    least = min(costs.values())
    return least, {t for t, c in costs.items() if c < least + 1e-9}


def test_a_star_returns_the_enumerated_optimum() -> None:
    least, optima = least_cost(noise)
    assert len(optima) < 5
    for seed in range(5):
        search = searching(model=UNIFORM, seed=seed)
        answer = run(a_star(search, expand=ALL, scorer=ByText(noise)))
        assert answer.value in optima
    losses = sum(max(0.0, noise(TARGET[:i]) - noise(TARGET[: i + 1])) for i in range(1, LENGTH))
    assert least <= 1 - noise(TARGET[0]) + losses


def test_a_star_never_reopens_what_costs_more_than_the_optimum() -> None:
    least, _ = least_cost(noise)
    search = searching(model=UNIFORM)
    run(a_star(search, expand=ALL, scorer=ByText(noise)))

    def cost(node: Node) -> float:
        h = [1 - noise(node.solution[: i + 1]) for i in range(len(node.solution))]
        return h[0] + sum(max(0.0, after - before) for before, after in itertools.pairwise(h))

    extended = {n.parent for n in search.tree.nodes if n.parent is not None and n.parent is not search.root}
    assert max(cost(n) for n in extended) <= least + 1e-9


def test_a_star_needs_fewer_tokens_than_best_of_n_for_the_same_accuracy() -> None:
    """The claim: as good as best-of-N with fewer tokens. The target is one of 81 solutions."""
    spent = []
    for seed in range(20):
        search = searching(model=UNIFORM, seed=seed)
        before = search.ledger.tokens
        assert run(a_star(search, expand=6, scorer=ByText(sound))).value in {TARGET, *solutions()}
        spent.append(search.ledger.tokens - before)
    # Best-of-N has seen the target with probability one half after 81 ln 2 solutions of 5 tokens.
    assert sum(spent) / len(spent) < 0.5 * 81 * math.log(2) * (LENGTH + 1)


def test_a_useless_score_is_no_better_than_chance() -> None:
    right = sum(
        run(best_first(searching(model=UNIFORM, seed=s), expand=6, scorer=ByText(noise))).value == TARGET
        for s in range(30)
    )
    assert right <= 6


def test_nan_is_the_worst() -> None:
    answer = run(
        best_first(
            searching(model=UNIFORM), expand=ALL, scorer=ByText(lambda t: math.nan if t[:1] != "b" else worth_of(t))
        )
    )
    assert answer.value is not None and answer.value.startswith("b")


def test_where_nothing_is_left_to_extend_it_draws_again() -> None:
    """Three draws a node miss the one good step of three rather often, and dead ends are not followed."""
    right = 0
    for seed in range(20):
        search = searching(model=UNIFORM, seed=seed)
        right += run(a_star(search, expand=2, threshold=0.0, good=1.0, scorer=ByText(sound))).value == TARGET
        dead = {n for n in search.tree.nodes if n.parent is not None and not sound(n.solution)}
        assert not any(n.parent in dead for n in search.tree.nodes), "what scores no more than the threshold is left"
    assert right == 20


def test_a_good_enough_solution_ends_the_search_and_another_does_not() -> None:
    """The first finished solution is worth less than the optimum that comes later."""

    def worth(text: str) -> float:
        return worth_of(text) if len(text) == LENGTH else 0.5 * (text[:1] == "a")

    for seed in range(5):
        first = run(best_first(searching(model=UNIFORM, seed=seed), expand=ALL, scorer=ByText(worth)))
        assert first.value == "accc"
        good = worth_of(OPTIMUM)
        best = run(best_first(searching(model=UNIFORM, seed=seed), expand=ALL, good=good, scorer=ByText(worth)))
        assert best.value == OPTIMUM


def test_a_search_in_which_all_steps_are_there_ends() -> None:
    search = searching(model=letters({"a": 1.0}, length=2))
    assert run(best_first(search, expand=2, good=2.0, scorer=ByText(noise))).value == "aa"


@pytest.mark.parametrize("method", [best_first, a_star])
@pytest.mark.parametrize("parallel", [1, 3])
def test_without_a_budget_it_ends_where_no_answer_is_ever_stated(method: Callable[..., Any], parallel: int) -> None:
    """A model that always has something else to say: nothing but the limit on expansions ends the search."""
    search = searching(model=letters(length=40), max_tokens=40, extract=lambda text: None)
    answer = run(method(search, expand=2, expansions=50, parallel=parallel, scorer=ByText(noise)))
    assert answer.value is None
    assert len({n.parent for n in search.tree.nodes if n.parent is not None}) <= 50
    drawn = sum(n.parent is not None for n in search.tree.nodes)
    assert drawn == 100
