"""What tree searches do with the solutions that they find."""

from __future__ import annotations

import math

from clew.errors import BudgetExhausted
from clew.methods.common.solutions import Solutions, distinct
from clew.methods.tree.beam import beam
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


def test_met_does_not_forget_what_is_known() -> None:
    search = searching(model=UNIFORM)
    nodes = run(search.extend(search.root, 5))
    found = Solutions(search)
    found.add(nodes, [float(i) for i in range(5)])
    found.met(nodes)
    assert found.answer.value == nodes[4].solution and found.best == 4.0


def test_distinct_keeps_the_first_of_equals() -> None:
    search = searching(model=letters({"a": 0.5, "b": 0.5}, length=1))
    nodes = run(search.extend(search.root, 30))
    kept = distinct(nodes)
    assert {n.solution for n in kept} == {"a", "b"} and kept[0] is nodes[0]


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
