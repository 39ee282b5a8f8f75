"""Judges of pairs, and the tournaments that make a score of what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest

from clew.budget import Budget
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.sampling import Sampling
from clew.scorers.judges.tournament import Pair, Tournament, knockout, pivot, round_robin
from clew.search import Search
from clew.testing import check_scorer
from clew.testing.toys import letters, problem, run
from clew.testing.toys.talkers import PRINTABLE, asked, talker


def played(tournament: Tournament, better: np.ndarray) -> tuple[list[float], list[Pair]]:
    """The standings and all pairs of a tournament; better[i, j]: how probably i, shown first, is better than j."""
    pairs: list[Pair] = []
    try:
        round_ = next(tournament)
        while True:
            pairs += round_
            round_ = tournament.send([float(better[a, b]) for a, b in round_])
    except StopIteration as ended:
        return ended.value, pairs


def by_strength(strengths: np.ndarray, bias: float | np.ndarray = 0.0) -> np.ndarray:
    """Bradley-Terry: the odds that i is better are exp(its strength - the other's); bias: for the one shown first."""
    return 1 / (1 + np.exp(strengths[None, :] - strengths[:, None] - bias))


@pytest.mark.parametrize(("n", "k"), [(1, 2), (2, 2), (3, 1), (5, 2), (16, 2), (16, 4), (4, 9)])
def test_the_pivot_tournament_has_as_many_comparisons_as_its_formula(n: int, k: int) -> None:
    standings, pairs = played(pivot(range(n), k), by_strength(np.arange(n, dtype=float)))
    k = min(k, n)
    assert len(pairs) == (0 if n == 1 else n + k * (n - k) + k * (k - 1) // 2)
    assert standings.index(max(standings)) == n - 1
    assert all(0 <= s <= 1 for s in standings)


def test_sixteen_take_45_comparisons() -> None:
    assert len(played(pivot(range(16)), np.full((16, 16), 0.5))[1]) == 45
    assert len(played(round_robin(range(16)), np.full((16, 16), 0.5))[1]) == 120
    assert len(played(knockout(range(16)), np.full((16, 16), 0.5))[1]) == 15


def test_in_the_ring_each_place_is_everyones_once() -> None:
    """So a judge that always prefers what it is shown first gives all the same standing after the ring."""
    tournament = pivot([3, 1, 4, 0, 2])
    ring = next(tournament)
    assert sorted(a for a, _ in ring) == sorted(b for _, b in ring) == [0, 1, 2, 3, 4]


def test_knockout_and_round_robin_find_the_best_and_rank_it_first() -> None:
    for n in (1, 2, 3, 7, 16):
        order = [int(i) for i in np.random.default_rng(n).permutation(n)]
        better = (by_strength(np.arange(n, dtype=float)) > 0.5).astype(float)
        for tournament in (knockout(order), round_robin(order)):
            standings, _ = played(tournament, better)
            assert standings.index(max(standings)) == n - 1
            assert standings.count(max(standings)) == 1


def test_the_pivot_tournament_finds_the_best_nearly_as_often_as_a_round_robin() -> None:
    """How often the best of 16 wins, with a judge that errs in every comparison and favours what it is shown first."""
    draw = np.random.default_rng(0)
    found = dict.fromkeys(("pivot", "round robin", "knockout", "means"), 0)
    for _ in range(600):
        strong = draw.normal(0, 2, 16)
        better = by_strength(strong, 0.5 + draw.normal(0, 0.5, (16, 16)))
        order = [int(i) for i in draw.permutation(16)]
        for name, tournament in (
            ("pivot", pivot(order)),
            ("round robin", round_robin(order)),
            ("knockout", knockout(order)),
        ):
            standings, pairs = played(tournament, better)
            found[name] += standings.index(max(standings)) == strong.argmax()
            if name == "pivot":
                wins = [
                    np.mean([better[p] for p in pairs if p[0] == i] + [1 - better[p] for p in pairs if p[1] == i])
                    for i in range(16)
                ]
                found["means"] += int(np.argmax(wins)) == strong.argmax()
    assert found["pivot"] > found["round robin"] - 24, found
    assert found["pivot"] > found["means"] + 30, "the share of wins punishes who met the strong ones"
    assert found["pivot"] > found["knockout"], found


def judge(bias: float = 0.0) -> ToyModel:
    """Each a doubles the odds of a solution, and being shown first multiplies them by exp(bias)."""

    def replies(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
        first, second = re.findall(r"Solution [AB]:\n(\w*)", asked(messages))
        return {"A": 2.0 ** first.count("a") * np.exp(bias), "B": 2.0 ** second.count("a")}

    return talker(replies, PRINTABLE)


def scored(spec: str, bias: float = 0.0, n: int = 8) -> tuple[list[int], list[float], int]:
    s = Search(problem(), {"generate": letters(), "judge": judge(bias)}, Budget(), sampling=Sampling(temperature=1.0))

    async def work() -> tuple[list[int], list[float]]:
        nodes = await s.extend(s.root, n)
        return [node.solution.count("a") for node in nodes], await s.score(nodes, spec)

    counts, scores = run(work())
    asked_ = sum(node.label == "option" for node in s.tree.nodes) // 2
    return counts, scores, asked_


@pytest.mark.parametrize("spec", ["pairwise", "pairwise?tournament=knockout", "pairwise?both_orders=true"])
def test_conformance(spec: str) -> None:
    check_scorer(spec)


@pytest.mark.parametrize("kind", ["pivot", "knockout", "round_robin"])
def test_the_best_solution_wins(kind: str) -> None:
    counts, scores, comparisons = scored(f"pairwise?tournament={kind}")
    assert counts[scores.index(max(scores))] == max(counts)
    assert comparisons == {"pivot": 8 + 2 * 6 + 1, "knockout": 7, "round_robin": 28}[kind]


def test_asked_in_both_orders_a_judge_that_only_sees_places_has_no_opinion() -> None:
    _, scores, comparisons = scored("pairwise?tournament=round_robin&both_orders=true", bias=20.0)
    assert scores == pytest.approx([0.5] * 8) and comparisons == 56
    _, scores, _ = scored("pairwise?tournament=round_robin", bias=20.0)
    assert len(set(scores)) > 1, "in one order its bias decides"
