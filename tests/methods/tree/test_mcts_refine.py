"""Monte Carlo tree self-refine: its formulas by hand, and that refining pays when the critic knows."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from clew.methods.common.rewriting import rating
from clew.methods.tree.mcts_refine import Attempt, choose, mcts_refine
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import asked, talker


@pytest.mark.parametrize(
    "spec", ["mcts_refine?rollouts=3", "mcts_refine?rollouts=3&policy=pairwise&scorer=testing_constant"]
)
def test_conformance(spec: str) -> None:
    check_method(spec)


def attempt(q: float, visits: int, parent: Attempt | None = None) -> Attempt:
    made = Attempt(search().root, parent)
    made.q, made.visits = q, visits
    if parent is not None:
        parent.children.append(made)
    return made


def test_rewards_and_backup_by_hand() -> None:
    root = attempt(0.0, 0)
    for reward in (60.0, 20.0, 40.0):
        root.reward(reward)
    assert root.q == (20 + 40) / 2 and root.visits == 3
    middle = Attempt(root.node, root)
    root.children.append(middle)
    middle.reward(50.0)
    leaf = Attempt(root.node, middle)
    middle.children.append(leaf)
    leaf.reward(90.0)
    leaf.back_up()
    assert middle.q == (50 + 90) / 2 and middle.visits == 2
    assert root.q == (30 + 70) / 2 and root.visits == 4


def test_uct_by_hand() -> None:
    root = attempt(30.0, 5)
    child = attempt(50.0, 2, root)
    assert child.uct(1.4) == pytest.approx(50 + 1.4 * math.sqrt(math.log(6) / 2))
    assert root.uct(1.4) == 10_000.0, "the root goes before all others until it is fully expanded"


def test_what_is_fully_expanded() -> None:
    root = attempt(30.0, 5)
    assert not root.spent(2)
    attempt(20.0, 1, root)
    assert not root.spent(2)
    attempt(10.0, 1, root)
    assert root.spent(2)
    assert not root.spent(3)
    attempt(31.0, 1, root)
    assert root.spent(9), "a child that is better ends the expansion"


def test_policies_follow_their_formulas() -> None:
    rng = np.random.default_rng(0)
    uct = [30.0, 10.0, 60.0]
    assert choose(uct, "greedy", rng) == 2
    counts = Counter(choose(uct, "importance", rng) for _ in range(20000))
    for i, share in enumerate((0.3, 0.1, 0.6)):
        assert abs(counts[i] / 20000 - share) < 5 * math.sqrt(share * (1 - share) / 20000)
    # Pairs: |30-10| = 20, |30-60| = 30, |10-60| = 50; the greater of each is 0, 2 and 2.
    counts = Counter(choose(uct, "pairwise", rng) for _ in range(20000))
    assert counts[1] == 0
    assert abs(counts[0] / 20000 - 0.2) < 0.015 and abs(counts[2] / 20000 - 0.8) < 0.015
    same = Counter(choose([-5.0, -5.0], policy, rng) for policy in ("importance", "pairwise") for _ in range(2000))
    assert abs(same[0] / 4000 - 0.5) < 0.05, "without any weight all are alike"


def test_ratings_by_hand() -> None:
    assert rating("I would give it 70.") == 70.0
    assert rating("100") == 95.0, "full scores are suppressed"
    assert rating("-250") == -100.0
    assert rating("excellent") == -100.0


def refiner(helps: bool) -> ToyModel:
    """Answers `a` at first. Asked to refine with a critique, it takes the next letter of the alphabet (or guesses)."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "constructive critique" in prompt:
            return "next"
        if "Refine the answer" in prompt:
            now = prompt.split("<answer>\n")[1][:1]
            return chr(min(ord(now) + 1, ord("e"))) if helps else dict.fromkeys("abcde", 1.0)
        if "Rate the quality" in prompt:
            return str(20 * "abcde".index(prompt.split("<answer>\n")[1][:1]))
        return "a"

    return talker(replies, "abcdenxt0123456789")


@pytest.mark.parametrize("policy", ["greedy", "importance", "pairwise"])
def test_refining_reaches_what_the_first_answer_does_not(policy: str) -> None:
    """The claim, with a sign that can fail: refinement that helps climbs from answer to answer."""
    answers = [
        run(mcts_refine(search(refiner(True), seed=s), rollouts=10, policy=policy)).value  # type: ignore[arg-type]
        for s in range(10)
    ]
    assert np.mean([a == "e" for a in answers if a]) >= (1.0 if policy == "greedy" else 0.5)
    assert all(run(mcts_refine(search(refiner(True), seed=s), rollouts=0)).value == "a" for s in range(3))


def test_the_best_rated_answer_is_given() -> None:
    given = search(refiner(False), seed=4)
    answer = run(mcts_refine(given, rollouts=8, scorer=ByText(lambda t: -float(ord(t[0])))))
    assert answer.value == "a", "the scorer, which takes the judge's place, likes a best"
    assert not any("Rate the quality" in n.text for n in given.tree.roots)
