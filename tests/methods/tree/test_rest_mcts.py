"""ReST-MCTS*: values that look ahead, and a search that ends at a good solution."""

from __future__ import annotations

import pytest

from clew.methods.common.arms import Arm
from clew.methods.common.monte_carlo import Evaluator
from clew.methods.common.solutions import Solutions
from clew.methods.tree.rest_mcts import rest_mcts
from clew.sampling import STEP
from clew.testing import check_method
from clew.testing.toys import letters, run
from clew.testing.toys.steps import LENGTH, LETTERS, TARGET, ByText, searching, sound

UNIFORM = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)


@pytest.mark.parametrize("spec", ["rest_mcts", "rest_mcts?simulations=5&parallel=1&final=vote"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_the_best_new_step_is_worth_what_lies_ahead_by_hand() -> None:
    """V = 0.5·V + 0.5·max over the steps ahead, for the best of the new steps alone."""
    search = searching(model=letters({"a": 1.0}, length=LENGTH))
    scorer = ByText(lambda text: {"a": 0.4, "aa": 0.9, "aaa": 0.1}.get(text, 0.0))

    async def values() -> list[float]:
        evaluator = Evaluator(search, Solutions(search), scorer, search.sampling)
        root = Arm(search.root)
        steps = await search.extend(search.root, 2, until=STEP)
        steps[1].segment = steps[1].segment.head(0)  # worth 0: not the best
        return await evaluator.by_steps_ahead([Arm(step, root) for step in steps], ahead=2, mix=0.5)

    assert run(values()) == pytest.approx([0.5 * 0.4 + 0.5 * 0.9, 0.0])


def test_a_good_solution_ends_the_search() -> None:
    search = searching(model=UNIFORM)
    answer = run(rest_mcts(search, simulations=None, expand=12, scorer=ByText(sound)))
    assert answer.value == TARGET
    assert sum(n.complete for n in search.tree.nodes) < 40
