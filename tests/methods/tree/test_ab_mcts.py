"""AB-MCTS: its beliefs by hand, and that it goes wider or deeper where that pays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.methods.tree.ab_mcts import Attempt, Beta, Gaussian, ab_mcts
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import asked, talker


@pytest.mark.parametrize("spec", ["ab_mcts?n=6", "ab_mcts?n=6&belief=beta&parallel=1"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_gaussian_posterior_by_hand() -> None:
    belief = Gaussian()
    assert belief.parameters == (0.0, 1.0, 1.0, 0.1)
    for reward in (0.2, 0.6):
        belief.observe(reward)
    mean, kappa, nu, tau2 = belief.parameters
    # m = (0 + 2·0.4)/3; τ² = (1·0.1 + 2·0.04 + 2·1·0.4²/3) / 3.
    assert mean == pytest.approx(0.8 / 3) and kappa == 3 and nu == 3
    assert tau2 == pytest.approx((0.1 + 0.08 + 0.32 / 3) / 3)


def test_draws_have_the_posterior_mean() -> None:
    rng = np.random.default_rng(1)
    belief, other = Gaussian(), Beta()
    for reward in (0.9, 0.7, 0.8, 1.0, 0.6):
        belief.observe(reward)
        other.observe(reward)
    assert np.mean([belief.draw(rng) for _ in range(4000)]) == pytest.approx(4.0 / 6, abs=0.02)
    assert other.a == pytest.approx(4.5) and other.b == pytest.approx(1.5)
    assert np.mean([other.draw(rng) for _ in range(4000)]) == pytest.approx(0.75, abs=0.02)


def test_who_observes_a_reward() -> None:
    """As in the authors' code: a new child's own arm and its parent's `wider`; further up the arm that was taken, and
    `deeper` of the attempt that took it."""
    root = Attempt(Beta, search().root)
    child = root.grow(root.node, 1.0)
    grandchild = child.grow(root.node, 0.0)
    assert (root.wider.a, root.deeper.a, root.deeper.b) == (1.5, 0.5, 1.5)  # type: ignore[union-attr]
    assert (child.arm.a, child.arm.b, child.wider.b) == (1.5, 1.5, 1.5)  # type: ignore[union-attr]
    assert (child.deeper.a, child.deeper.b) == (0.5, 0.5)  # type: ignore[union-attr]
    assert (grandchild.arm.a, grandchild.arm.b) == (0.5, 1.5)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [Gaussian, Beta])
def test_rewards_outside_the_unit_interval_are_believed_as_if_they_were_in_it(
    kind: type[Gaussian] | type[Beta],
) -> None:
    """Beliefs know the least and the greatest of the whole tree, also of what was observed later elsewhere."""
    rewards = (12.0, 18.0, 15.0)
    nats, unit = Attempt(kind, search().root), Attempt(kind, search().root)
    for reward in (*rewards, 22.0):
        nats.grow(nats.node, reward)
        unit.grow(unit.node, (reward - 12.0) / 10.0)
    assert nats.wider.rewards == pytest.approx(unit.wider.rewards) == [0.0, 0.6, 0.3, 1.0]
    assert nats.children[1].arm.draw(np.random.default_rng(0)) == unit.children[1].arm.draw(np.random.default_rng(0))


def writer(fresh: str, refined: str) -> ToyModel:
    """New answers are `fresh`, refined ones `refined`: letters from a (worth nothing) to e (worth one)."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "constructive critique" in prompt:
            return "no"
        return dict.fromkeys(refined if "Refine the answer" in prompt else fresh, 1.0)

    return talker(replies, "abcdeno")


def shape(given: Search) -> tuple[int, int]:
    """How many answers were new and how many refined."""
    new = sum(n.parent is given.root for n in given.tree.nodes)
    refined = sum(n.parent is not None and "Refine the answer" in n.parent.text for n in given.tree.nodes)
    return new, refined


@pytest.mark.parametrize("belief", ["gaussian", "beta"])
def test_it_goes_wider_where_new_answers_are_better_and_deeper_where_refined_ones_are(belief: str) -> None:
    def total(fresh: str, refined: str) -> tuple[int, int]:
        new = deep = 0
        for seed in range(12):
            given = search(writer(fresh, refined), seed=seed)
            run(ab_mcts(given, n=24, parallel=2, belief=belief, scorer=ByText(lambda t: "abcde".index(t[0]) / 4)))  # type: ignore[arg-type]
            a, b = shape(given)
            assert a + b == 24
            new, deep = new + a, deep + b
        return new, deep

    new, deep = total("cde", "ab")
    assert new > 2 * deep
    new, deep = total("ab", "cde")
    assert deep > 2 * new


def test_the_best_answer_is_given() -> None:
    given = search(writer("abcde", "abcde"), seed=3)
    answer = run(ab_mcts(given, n=12, scorer=ByText(lambda t: math.nan if t == "e" else float(ord(t[0])) - 97)))
    assert answer.value == "d", "NaN is the worst"
