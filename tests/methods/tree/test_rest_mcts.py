"""ReST-MCTS*: values that look ahead, and a search that ends at a good solution."""

from __future__ import annotations

import pytest

from clew.methods.tree.rest_mcts import rest_mcts
from clew.testing import check_method
from clew.testing.toys import letters, run
from clew.testing.toys.steps import LENGTH, LETTERS, TARGET, ByText, searching, sound

UNIFORM = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)


@pytest.mark.parametrize("spec", ["rest_mcts", "rest_mcts?simulations=5&parallel=1&final=vote"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_the_best_new_step_gets_a_value_that_looks_ahead_and_is_backed_up() -> None:
    """V = 0.5·V + 0.5·max over the steps ahead: worse here than that of `b`, which is not backed up all the same."""
    search = searching(model=UNIFORM)
    scorer = ByText(lambda text: {"a": 0.9, "b": 0.8}.get(text, 0.1))
    run(rest_mcts(search, simulations=1, expand=12, ahead=2, mix=0.5, scorer=scorer))
    values = {n.solution: n.scores["mcts_value"] for n in search.tree.nodes if "mcts_value" in n.scores and not n.fate}
    assert values == pytest.approx({"": 0.5 * 0.9 + 0.5 * 0.1, "a": 0.5 * 0.9 + 0.5 * 0.1, "b": 0.8, "c": 0.1})


def test_every_new_step_is_selected_before_one_is_selected_twice() -> None:
    """As in the authors' code, in which a step without a visit has an infinite bonus."""
    search = searching(model=UNIFORM)
    scorer = ByText(lambda text: float(text.startswith("a")) / 2)
    run(rest_mcts(search, simulations=3, expand=12, parallel=1, scorer=scorer))
    drawn_below = {n.parent.solution for n in search.tree.nodes if n.parent and not n.label}
    assert drawn_below == {"", "b", "c"}, "`a`, the best one, has its visit from the simulation"


def test_a_good_solution_ends_the_search() -> None:
    search = searching(model=UNIFORM)
    answer = run(rest_mcts(search, simulations=None, expand=12, scorer=ByText(sound)))
    assert answer.value == TARGET
    assert sum(n.complete for n in search.tree.nodes) < 40
