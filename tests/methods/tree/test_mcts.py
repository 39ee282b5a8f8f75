"""Monte Carlo tree search: its formulas by hand, and where its visits go."""

from __future__ import annotations

import math

import pytest

from clew.errors import BudgetExhausted
from clew.methods.common.arms import Arm, prior, puct, select, uct
from clew.methods.common.solutions import Bounds
from clew.methods.tree.mcts import mcts
from clew.problem import Answer
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import letters, run, search
from clew.testing.toys.steps import (
    LENGTH,
    LETTERS,
    OPTIMUM,
    TARGET,
    ByText,
    noise,
    potential,
    searching,
    sound,
    worth_of,
)

UNIFORM = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)


@pytest.mark.parametrize(
    "spec",
    [
        "mcts",
        "mcts?policy=uct&backup=max",
        "mcts?evaluate=rollouts&rollouts=2",
        "mcts?evaluate=mixed&final=vote",
        "mcts?simulations=6&parallel=1",
    ],
)
def test_conformance(spec: str) -> None:
    check_method(spec)


def tree(search: Search, visits: list[tuple[int, float, float]]) -> tuple[Arm, Bounds]:
    """A root with children of so many visits, mean value and prior."""
    root, bounds = Arm(search.root), Bounds()
    for n, mean, p in visits:
        child = Arm(search.root, root, p)
        root.children.append(child)
        for _ in range(n):
            child.back_up(bounds.admit(mean))
    return root, bounds


def test_rules_by_hand() -> None:
    root, bounds = tree(searching(), [(6, 1.0, 0.5), (2, 0.0, 0.25), (1, 0.5, 0.25)])
    a, b, c = root.children
    assert root.visits == 9 and root.total == pytest.approx(6.5)
    assert uct(a, 1.0, bounds, "mean") == pytest.approx(1.0 + math.sqrt(math.log(9) / 6))
    assert uct(c, 2.0, bounds, "mean") == pytest.approx(0.5 + 2 * math.sqrt(math.log(9) / 1))
    assert puct(a, 1.5, bounds, "mean") == pytest.approx(1.0 + 1.5 * 0.5 * 3 / 7)
    assert puct(b, 1.5, bounds, "mean") == pytest.approx(0.0 + 1.5 * 0.25 * 3 / 3)
    assert select(root, puct, 1.5, bounds, "mean") is a
    assert select(root, uct, 5.0, bounds, "mean") is c


def test_values_are_scaled_by_the_least_and_the_greatest() -> None:
    root, bounds = tree(searching(), [(1, -30.0, 1.0), (1, -10.0, 1.0), (2, -15.0, 1.0)])
    assert [c.quality(bounds, "mean") for c in root.children] == [0.0, 1.0, 0.75]
    assert bounds.admit(math.nan) == -30.0 and Bounds().admit(math.nan) == 0.0


def test_virtual_loss_sends_simulations_apart() -> None:
    root, bounds = tree(searching(), [(4, 1.0, 0.5), (4, 0.9, 0.5), (1, 0.0, 0.0)])
    first, second, _ = root.children
    assert select(root, puct, 1.5, bounds, "mean") is first
    first.pending += 2
    root.pending += 2
    assert first.quality(bounds, "mean") == pytest.approx(4 / 6)
    first.pending += 4
    assert select(root, puct, 0.1, bounds, "mean") is second


def test_back_up_by_mean_and_by_maximum() -> None:
    search = searching()
    root = Arm(search.root)
    child = Arm(search.root, root)
    for value in (0.0, 1.0, 0.5):
        child.back_up(value)
    bounds = Bounds()
    bounds.admit(0.0)
    bounds.admit(2.0)
    assert root.visits == 3 and root.quality(bounds, "mean") == 0.25 and root.quality(bounds, "max") == 0.5


def test_selection_passes_by_what_is_finished() -> None:
    """A closed arm is not selected; what has only closed children is closed too, until it gets one that can go on."""
    root, bounds = tree(searching(), [(4, 1.0, 1.0), (1, 0.2, 1.0)])
    best, other = root.children
    below = Arm(root.node, best)
    best.children.append(below)
    assert select(root, uct, 0.0, bounds, "mean") is below
    below.close()
    assert best.closed and not root.closed
    assert select(root, uct, 0.0, bounds, "mean") is other, "although it is worth less"
    other.close()
    assert root.closed
    assert select(root, uct, 0.0, bounds, "mean") is below, "where all is closed, the best is where further steps go"
    best.reopen()
    assert not best.closed and not root.closed


def test_prior_is_the_geometric_mean_of_the_models_own_probabilities() -> None:
    search = searching(model=letters({"a": 0.5, "b": 0.3, "c": 0.2}, length=LENGTH))
    for node in run(search.extend(search.root, 12)):
        p = math.prod({"a": 0.5, "b": 0.3, "c": 0.2}[x] for x in node.solution)
        assert prior(node) == pytest.approx(p ** (1 / (LENGTH + 1)), rel=1e-5)


@pytest.mark.parametrize("policy", ["uct", "puct"])
@pytest.mark.parametrize("backup", ["mean", "max"])
@pytest.mark.parametrize("parallel", [1, 8])
def test_visits_concentrate_on_the_optimum(policy: str, backup: str, parallel: int) -> None:
    """Towards the best solution, which is found without looking at more than a few of the 81."""
    search = searching(model=UNIFORM, seed=3)
    answer = run(
        mcts(
            search,
            simulations=24,
            expand=16,
            parallel=parallel,
            policy=policy,  # type: ignore[arg-type]
            backup=backup,  # type: ignore[arg-type]
            scorer=ByText(potential),
        )
    )
    assert answer.value == OPTIMUM
    assert len({n.solution for n in search.tree.nodes if n.finished}) <= 20
    visits = {n.solution: n.scores["mcts_visits"] for n in search.root.children if "mcts_visits" in n.scores}
    assert max(visits, key=visits.__getitem__) == OPTIMUM[0]


def test_one_simulation_backs_up_one_value() -> None:
    """The best new step's: three bad siblings say nothing against a state that has a good way on."""
    search = searching(model=UNIFORM)
    run(mcts(search, simulations=2, parallel=1, expand=24, explore=0.0, scorer=ByText(sound)))
    assert search.root.scores["mcts_visits"] == 2 and search.root.scores["mcts_value"] == 1.0
    values = {
        n.solution: n.scores["mcts_value"] for n in search.tree.nodes if n.depth == 1 and "mcts_value" in n.scores
    }
    assert values == {"a": 0.0, "b": 0.0, "c": 1.0}


def test_what_was_visited_often_gets_further_steps() -> None:
    """Two first steps of three miss the right one in many searches; a fixed width never looks again."""

    def right(widen: float) -> int:
        found = 0
        for seed in range(20):
            search = searching(model=UNIFORM, seed=seed)
            found += run(mcts(search, simulations=200, expand=2, widen=widen, scorer=ByText(sound))).value == TARGET
        return found

    assert right(0.25) > right(0.0) + 5
    root, bounds = tree(searching(), [(15, 1.0, 1.0)])
    assert select(root, uct, 1.0, bounds, "mean", 0.25) is root.children[0], "15^¼ < 2"
    root.visits += 1
    assert select(root, uct, 1.0, bounds, "mean", 0.25) is root
    root.widened = 1
    assert select(root, uct, 1.0, bounds, "mean", 0.25) is root.children[0]


def test_selection_goes_down_the_whole_tree() -> None:
    """Not one level only: with a clear value the tree is extended at every depth along the optimum."""
    search = searching(model=UNIFORM)
    run(mcts(search, simulations=LENGTH + 1, parallel=1, expand=16, explore=0.0, scorer=ByText(sound)))
    assert [n.solution for n in search.tree.nodes if n.finished] == [TARGET] * 16


def test_the_same_seed_gives_the_same_tree_and_parallel_simulations_are_in_flight_together() -> None:
    def grown(parallel: int, seed: int) -> list[str]:
        search = searching(model=UNIFORM, seed=seed)
        run(mcts(search, simulations=24, parallel=parallel, scorer=ByText(worth_of)))
        return [n.solution for n in search.tree.nodes]

    assert grown(6, 1) == grown(6, 1) != grown(6, 2)


def test_what_is_left_of_the_budget_buys_further_steps() -> None:
    """Two samples of a one-step solution are soon exhausted; the right one of 27 comes with further ones."""
    given = search(letters(dict.fromkeys(LETTERS, 1.0), length=3), steps=("\n",))
    answer = run(mcts(given, expand=2, scorer=ByText(lambda t: float(t == "cbc"))))
    assert answer.value == "cbc"
    assert len({n.solution for n in given.tree.nodes if n.finished}) >= 20, "two of a kind are not what it stops at"


def test_every_simulation_extends_another_partial_solution() -> None:
    """As the authors' code has it: finished solutions are not visited again, however much they are worth."""
    for seed in range(5):
        search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=6), seed=seed)
        run(mcts(search, simulations=64, parallel=1, widen=0.0, scorer=ByText(lambda t: float(len(t)))))
        extended = {n.parent for n in search.tree.nodes if n.parent is not None}
        assert len(extended) == 64


def test_a_tree_that_is_known_ends_the_search() -> None:
    search = searching(model=letters({"a": 1.0}, length=2))
    assert run(mcts(search, expand=2, scorer=ByText(len))).value == "aa"


@pytest.mark.parametrize("evaluate", ["rollouts", "mixed"])
def test_rollouts_are_kept_as_solutions(evaluate: str) -> None:
    search = searching(model=UNIFORM, seed=5)
    answer = run(mcts(search, simulations=12, evaluate=evaluate, rollouts=3, scorer=ByText(worth_of)))  # type: ignore[arg-type]
    whole = {n.solution for n in search.tree.nodes if n.finished}
    assert answer.value == max(whole, key=worth_of)
    rolled = [n for n in search.tree.nodes if n.label == "rollout"]
    assert rolled and all(n.finished for n in rolled)


def test_mcts_with_a_perfect_verifier_beats_best_of_n_and_with_a_useless_one_does_not() -> None:
    def accuracy(scorer: ByText) -> float:
        right = 0
        for seed in range(40):
            search = searching(model=UNIFORM, tokens=75, seed=seed)
            try:
                answer = run(mcts(search, expand=6, parallel=1, scorer=scorer))
            except BudgetExhausted:
                answer = search.proposals[-1].answer if search.proposals else Answer(None)
            right += answer.value == TARGET
        return right / 40

    # Fifteen whole solutions meet one of 81 with probability 0.17.
    assert accuracy(ByText(sound)) > 0.6
    assert accuracy(ByText(noise)) < 0.3
