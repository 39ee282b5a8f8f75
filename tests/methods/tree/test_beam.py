"""Step-level beams, on a toy whose solutions can be enumerated."""

from __future__ import annotations

import pytest

from clew.errors import BudgetExhausted
from clew.methods.tree.beam import alphamath, beam, dvts, lookahead
from clew.models.toy import ToyModel
from clew.problem import Answer
from clew.search import Search
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


@pytest.mark.parametrize(
    "spec", ["beam", "beam?width=[3,1]&expand=[4,2]", "beam?final=vote", "dvts", "lookahead?steps=1", "alphamath"]
)
def test_conformance(spec: str) -> None:
    check_method(spec)


def leaves(search: Search) -> set[str]:
    return {n.solution for n in search.tree.nodes if n.finished}


def test_beam_of_full_width_is_enumeration() -> None:
    search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH))
    answer = run(beam(search, width=len(LETTERS) ** LENGTH, expand=24, scorer=ByText(worth_of)))
    assert leaves(search) == set(solutions())
    assert answer.value == OPTIMUM


def test_narrow_beam_with_a_true_value_finds_the_optimum() -> None:
    for seed in range(5):
        assert run(beam(searching(seed=seed), width=1, expand=40, scorer=ByText(potential))).value == OPTIMUM


def test_widths_hold_for_their_depths() -> None:
    search = searching()
    run(beam(search, width=[3, 2, 1], expand=12, scorer=ByText(worth_of)))
    grown = {d: {n.parent for n in search.tree.nodes if n.depth == d} for d in range(1, LENGTH + 1)}
    assert [len(grown[d]) for d in (2, 3, 4)] == [3, 2, 1]


def test_beam_keeps_the_best_of_each_depth() -> None:
    search = searching()
    run(beam(search, width=2, expand=12, scorer=ByText(worth_of)))
    second = {n.parent.solution for n in search.tree.nodes if n.depth == 2 and n.parent}
    assert second == {"b", "c"}, "with twelve samples a parent all letters are met, and a is worth least"


def test_lookahead_sees_past_a_misleading_step() -> None:
    """The claim: a value from further on corrects a scorer that is wrong on the next step. Step scores say that a
    solution should begin with `a`; only two steps later can one see that it should not have."""

    def misled(text: str) -> float:
        return float(text.startswith("a")) if len(text) < 3 else sound(text)

    def greedy_c(_: object, ids: tuple[int, ...], text: str) -> list[float]:
        best = TARGET[len(ids)] if len(ids) < LENGTH else ""
        return [0.5 if x == best else 0.25 for x in LETTERS] + [0.0] if len(ids) < LENGTH else [0.0, 0.0, 0.0, 1.0]

    model = ToyModel(list(LETTERS), greedy_c)
    plain = [run(beam(searching(model=model, seed=s), width=1, expand=12, scorer=ByText(misled))) for s in range(5)]
    ahead = [
        run(lookahead(searching(model=model, seed=s), width=1, expand=12, steps=2, scorer=ByText(misled)))
        for s in range(5)
    ]
    assert [a.value for a in ahead] == [TARGET] * 5
    assert TARGET not in [a.value for a in plain]


def test_lookahead_of_nothing_is_beam() -> None:
    one, other = searching(), searching()
    assert (
        run(lookahead(one, steps=0, scorer=ByText(worth_of))).value == run(beam(other, scorer=ByText(worth_of))).value
    )
    assert leaves(one) == leaves(other)


def test_dvts_trees_do_not_depend_on_each_other() -> None:
    few, many = searching(seed=2), searching(seed=2)
    run(dvts(few, n=2, expand=2, scorer=ByText(worth_of)))
    run(dvts(many, n=5, expand=2, scorer=ByText(worth_of)))
    assert leaves(few) <= leaves(many)
    assert len({n.solution[:1] for n in many.tree.nodes if n.finished}) > 1, "beams of one tree would all agree"


def test_dvts_is_more_diverse_than_a_beam() -> None:
    """The claim: at equal width its solutions differ more from each other, because no tree crowds out another."""

    def variety(method: object) -> float:
        kinds = []
        for seed in range(10):
            search = searching(seed=seed)
            if method is dvts:
                run(dvts(search, n=4, expand=2, scorer=ByText(worth_of)))
            else:
                run(beam(search, width=4, expand=2, scorer=ByText(worth_of)))
            kinds.append(len({s[:2] for s in leaves(search)}))
        return sum(kinds) / len(kinds)

    assert variety(dvts) > variety(beam) + 0.5


def test_a_finished_solution_shrinks_the_beam_of_alphamath() -> None:
    def early(_: object, ids: tuple[int, ...], text: str) -> list[float]:
        if text.startswith("c") and len(ids) >= 1:
            return [0.0, 0.0, 0.0, 1.0]
        return [0.4, 0.3, 0.3, 0.0] if len(ids) < 3 else [0.0, 0.0, 0.0, 1.0]

    search = searching(model=ToyModel(list(LETTERS), early))
    answer = run(alphamath(search, width=2, expand=12, scorer=ByText(lambda t: 1.0 if t[:1] == "c" else 0.1 * len(t))))
    parents = {d: len({n.parent for n in search.tree.nodes if n.depth == d}) for d in (2, 3, 4)}
    assert parents == {2: 2, 3: 1, 4: 1} and answer.value == "c"


def accuracy(method: object, scorer: ByText, tokens: int, seeds: int = 40) -> float:
    """How often a method answers the target, with so many tokens beyond the prompt."""
    right = 0
    for seed in range(seeds):
        search = searching(model=letters(dict.fromkeys(LETTERS, 1.0), length=LENGTH), tokens=tokens, seed=seed)
        try:
            answer: Answer = run(method(search, scorer))  # type: ignore[operator]
        except BudgetExhausted:
            answer = search.proposals[-1].answer if search.proposals else Answer(None)
        right += answer.value == TARGET
    return right / seeds


def test_search_with_a_perfect_verifier_beats_best_of_n_and_with_a_useless_one_does_not() -> None:
    """The target is one of 81 solutions. 75 tokens are 15 whole solutions, or 12 steps at each of a beam's depths."""

    def searched(search: Search, scorer: ByText) -> object:
        return beam(search, width=1, expand=12, scorer=scorer)

    def sampled(search: Search, scorer: ByText) -> object:
        async def go() -> Answer:
            best = Answer(None)
            high = -1.0
            async for leaf in search.rollouts():
                (score,) = await search.score([leaf], scorer)
                if score > high:
                    best, high = search.answer(leaf), score
                    search.propose(best)
            return best

        return go()

    assert accuracy(searched, ByText(sound), 75) > 0.9
    assert accuracy(sampled, ByText(sound), 75) < 0.5
    assert abs(accuracy(searched, ByText(noise), 75) - accuracy(sampled, ByText(noise), 75)) < 0.15
