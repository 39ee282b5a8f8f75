"""Tree-Planner: how plans merge, and that going down the tree with backtracking finds a plan that can be walked."""

from __future__ import annotations

import pytest

from clew.methods.tree.tree_planner import boundaries, merged, tree_planner
from clew.testing import check_method
from clew.testing.toys import letters, run
from clew.testing.toys.steps import LENGTH, LETTERS, TARGET, ByText, noise, searching, sound


@pytest.mark.parametrize("spec", ["tree_planner", "tree_planner?n=3"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_boundaries_by_hand() -> None:
    assert boundaries("a.b.c", (".",)) == [2, 4, 5]
    assert boundaries("a.b.", (".",)) == [2, 4]
    assert boundaries("ab", (".",)) == [2]
    assert boundaries("ab", ()) == [2]


def test_plans_share_what_they_begin_with() -> None:
    search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH))
    plans = run(search.extend(search.root, 30))
    spent = search.ledger.tokens
    tree = merged(search, plans)
    texts = {p.solution for p in plans}
    assert {c.node.solution for c in tree.children.values()} == {t[0] for t in texts}
    for first in tree.children.values():
        begun = {t[:2] for t in texts if t.startswith(first.node.solution)}
        assert {c.node.solution for c in first.children.values()} == begun
    assert search.ledger.tokens == spent, "the beginnings of plans cost nothing"


def test_a_plan_that_can_be_walked_is_found_with_few_checks() -> None:
    """The claim: plans are sampled once, and far fewer actions are tried than plans have steps."""
    found = missed = 0
    for seed in range(20):
        search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH), seed=seed)
        scorer = ByText(sound)
        answer = run(tree_planner(search, n=60, scorer=scorer))
        plans = {n.solution for n in search.tree.nodes if n.finished}
        assert (answer.value == TARGET) == (TARGET in plans)
        assert scorer.asked <= 3 * LENGTH
        found, missed = found + (TARGET in plans), missed + (TARGET not in plans)
    assert found and missed


def test_it_goes_back_where_every_action_fails() -> None:
    """The most promising first action is a dead end, which shows only one step later."""

    def observed(text: str) -> float:
        return (2.0 if text == "a" else 0.0 if text.startswith("a") else 1.0) + 0.01 * noise(text) - 0.005

    search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH))
    scorer = ByText(observed)
    answer = run(tree_planner(search, n=30, threshold=0.5, scorer=scorer))
    assert answer.value is not None and not answer.value.startswith("a")
    assert any(n.solution.startswith("a") and "by_text" in n.scores for n in search.tree.nodes), "it had been there"


def test_without_a_plan_that_passes_the_first_is_the_answer() -> None:
    search = searching()
    answer = run(tree_planner(search, n=5, threshold=9.0, scorer=ByText(sound)))
    assert answer.value in {n.solution for n in search.tree.nodes if n.finished}


def test_where_no_plan_can_be_walked_the_first_sampled_answer_is_given() -> None:
    for seed in range(3):
        search = searching(seed=seed)
        answer = run(tree_planner(search, n=20, scorer=ByText(lambda text: 0.0)))
        assert answer.node is not None and answer.node.stream.key == search.root.stream.child(0).key
