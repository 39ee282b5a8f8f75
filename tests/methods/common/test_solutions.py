"""What tree searches do with the solutions that they find."""

from __future__ import annotations

import math

import pytest

from clew.errors import BudgetExhausted
from clew.methods.common.solutions import Solutions, distinct, multiplicity, path_share, vote_weights
from clew.methods.tree.beam import beam
from clew.models.toy import ToyModel
from clew.registry import methods, parse_spec
from clew.sampling import tokens as so_many
from clew.testing.toys import letters, run
from clew.testing.toys.steps import LENGTH, LETTERS, ByText, searching, worth_of

UNIFORM = letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH)


def test_the_best_is_the_answer_and_is_proposed_when_it_changes() -> None:
    search = searching(model=UNIFORM)
    nodes = run(search.extend(search.root, 12))
    found = Solutions(search)
    for node in nodes:
        found.add([node], [worth_of(node.solution)])
    assert worth_of(found.answer.value or "") == max(worth_of(n.solution) for n in nodes)
    proposed = [worth_of(p.answer.value or "") for p in search.proposals]
    assert proposed == sorted(proposed), "no proposal is worse than the last"


def test_the_vote_is_weighted_and_without_weights_all_count_alike() -> None:
    search = searching(model=letters({"a": 0.6, "b": 0.3, "c": 0.1}, length=1))
    nodes = run(search.extend(search.root, 40))
    heavy, plain = Solutions(search, "vote"), Solutions(search, "vote")
    heavy.add(nodes, [float(n.solution == "c") for n in nodes])
    plain.add(nodes, [-math.inf] * len(nodes))
    assert heavy.answer.value == "c" and plain.answer.value == "a"


def test_a_solution_that_has_a_value_keeps_it() -> None:
    search = searching(model=UNIFORM)
    nodes = run(search.extend(search.root, 5))
    found = Solutions(search)
    found.add(nodes, [float(i) for i in range(5)])
    found.add_unscored(nodes)
    assert found.answer.value == nodes[4].solution and found.best == 4.0


def test_distinct_keeps_the_first_of_equals() -> None:
    search = searching(model=letters({"a": 0.5, "b": 0.5}, length=1))
    nodes = run(search.extend(search.root, 30))
    kept = distinct(nodes)
    assert {n.solution for n in kept} == {"a", "b"} and kept[0] is nodes[0]
    for node in kept:
        drawn = sum(n.solution == node.solution for n in nodes)
        assert multiplicity(node) == drawn and path_share(node) == drawn / 30
    more = run(search.extend(search.root, 10))
    assert distinct(more, known=kept) == [], "what is there already stands for later draws too"
    assert sum(map(multiplicity, kept)) == 40 and sum(map(path_share, kept)) == 1.0


def test_equal_texts_of_different_parents_are_different_steps() -> None:
    """`a` then `bc`, and `ab` then `c`, say the same; their tokens differ, and so what may follow."""
    ways = {"a": {"bc": 1.0}, "ab": {"c": 1.0}}

    def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
        vocab = ("a", "ab", "bc", "c")
        after = {"a": 0.5, "ab": 0.5} if not ids else ways.get(vocab[ids[0]], {}) if len(ids) == 1 else {}
        return [after.get(token, 0.0) for token in vocab] + [float(not after)]

    search = searching(model=ToyModel(["a", "ab", "bc", "c"], source))
    first = distinct(run(search.extend(search.root, 20, until=so_many(1))))
    second = distinct(run(search.extend_each(first, until=so_many(1))))
    assert [n.solution for n in second] == ["abc", "abc"]


def test_scores_become_weights_of_votes_by_their_scale() -> None:
    assert vote_weights([0.2, 0.0, math.nan, 0.7], "probability") == [0.2, 0.0, 0.0, 0.7]
    assert vote_weights([-3.0, 2.0, -math.inf], "unbounded") == [0.0, 2.0, 0.0]
    assert vote_weights([-1.0, -1.0 - math.log(4), -math.inf], "log_probability") == [1.0, pytest.approx(0.25), 0.0]
    for scale in ("probability", "unbounded"):
        assert vote_weights([-1.0, -2.0], scale) == [1.0, 1.0], "none is a weight: all weigh the same"


VOTERS = (
    "rebase?n=16",
    "beam?width=9&expand=4",
    "dvts?n=24",
    "alphamath?width=9",
    "dfs?expand=16",
    "mcts?simulations=8&expand=16",
)


@pytest.mark.parametrize("spec", VOTERS)
@pytest.mark.parametrize("length", [1, 2])
def test_a_vote_counts_equal_draws(spec: str, length: int) -> None:
    """With a scorer that says the same of all, the answer that the model states most often wins the vote, although
    equal steps are followed once: the first letter is the answer, with probabilities of 0.6, 0.2 and 0.2."""
    model = letters({"a": 0.2, "b": 0.2, "c": 0.6}, length=length)
    name, params = parse_spec(spec)
    won = 0
    for seed in range(25):
        search = searching(model=model, seed=seed, extract=lambda text: text[:1] or None)
        answer = run(methods[name].make(search, **params, final="vote", scorer=ByText(lambda _: 0.5)))
        won += answer.value == "c"
    assert won >= 22, won


def test_a_search_that_is_cut_answers_with_the_best_that_had_ended() -> None:
    """The budget ends while the last depth of the beam grows: those of it that had come to their end are not lost."""
    kept = 0
    for tokens in range(80, 120):
        search = searching(model=UNIFORM, tokens=tokens, seed=tokens)
        try:
            run(beam(search, width=4, expand=6, scorer=ByText(worth_of)))
        except BudgetExhausted:
            ended = [worth_of(n.solution) for n in search.tree.nodes if n.complete]
            if ended:
                kept += 1
                assert worth_of(search.proposals[-1].answer.value or "") == max(ended)
    assert kept > 10
