"""The statistics of scorers, against all subsets, closed forms and simulated truths."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from clew.lab import judging
from clew.lab.stats import maj_at_k


def test_auroc_counts_ties_half_and_missing_scores_as_the_least() -> None:
    assert judging.auroc([3, 2, 1], [True, False, False]) == 1.0
    assert judging.auroc([1, 1], [True, False]) == 0.5
    assert judging.auroc([math.nan, -5.0], [False, True]) == 1.0
    assert judging.auroc([math.nan, math.nan], [False, True]) == 0.5
    assert math.isnan(judging.auroc([1, 2], [True, True]))
    draw = np.random.default_rng(0)
    scores, right = draw.integers(0, 4, 30), draw.random(30) < 0.4
    pairs = [
        (a > b) + (a == b) / 2
        for a, r in zip(scores, right, strict=True)
        if r
        for b, s in zip(scores, right, strict=True)
        if not s
    ]
    assert judging.auroc(scores, right) == pytest.approx(np.mean(pairs))


def cases() -> list[tuple[list[float], list[str | None], list[float]]]:
    """Scores, answers and grades of 3 to 9 solutions, with ties, missing scores and solutions without an answer."""
    draw = np.random.default_rng(1)
    made = []
    for n in (3, 5, 7, 9):
        for _ in range(4):
            scores = [math.nan if x == 5 else float(x) for x in draw.integers(0, 6, n)]
            values = [None if x == 4 else "abcd"[x] for x in draw.integers(0, 5, n)]
            made.append((scores, values, [float(v == "a") + 0.5 * (v == "b") for v in values]))
    return made


def by_subsets_best(scores: list[float], values: list[str | None], grades: list[float], k: int) -> float:
    found = []
    for chosen in combinations(range(len(scores)), k):
        stated = [i for i in chosen if values[i] is not None]
        if not stated:
            found.append(0.0)
            continue
        keys = [-math.inf if math.isnan(scores[i]) else scores[i] for i in stated]
        found.append(np.mean([grades[i] for i, key in zip(stated, keys, strict=True) if key == max(keys)]))
    return float(np.mean(found))


def by_subsets_vote(weights: list[float], values: list[str | None], grades: list[float], k: int) -> float:
    found = []
    for chosen in combinations(range(len(values)), k):
        votes: dict[str, float] = {}
        for i in chosen:
            value = values[i]
            if value is not None:
                votes[value] = votes.get(value, 0.0) + weights[i]
        winners = [a for a, v in votes.items() if math.isclose(v, max(votes.values()))]
        found.append(np.mean([grades[values.index(a)] for a in winners]) if winners else 0.0)
    return float(np.mean(found))


def test_best_of_n_and_the_weighted_vote_are_exact_over_all_subsets() -> None:
    for scores, values, grades in cases():
        stated = [v is not None for v in values]
        weights = [0.0 if math.isnan(s) else s for s in scores]
        for k in range(1, len(scores) + 1):
            best = judging.best_at_k(scores, stated, grades, k)
            assert best == pytest.approx(by_subsets_best(scores, values, grades, k), abs=1e-12)
            vote = judging.weighted_at_k(values, grades, weights, k)
            assert vote == pytest.approx(by_subsets_vote(weights, values, grades, k), abs=1e-12)
            alike = judging.weighted_at_k(values, grades, [1.0] * len(values), k)
            assert alike == pytest.approx(maj_at_k(values, grades, k), abs=1e-9)


def test_many_solutions_are_drawn_where_there_are_too_many_subsets() -> None:
    values: list[str | None] = ["a"] * 14 + ["b"] * 10
    grades = [1.0] * 14 + [0.0] * 10
    drawn = judging.weighted_at_k(values, grades, [1.0] * 24, 9)
    assert drawn == pytest.approx(maj_at_k(values, grades, 9), abs=0.015)


def test_calibration_and_brier_of_a_known_judge() -> None:
    draw = np.random.default_rng(2)
    p = draw.random(20_000)
    right = draw.random(20_000) < p
    assert judging.calibration_error(p, right) < 0.02
    assert judging.calibration_error(p**3, right) == pytest.approx(1 / 2 - 1 / 4, abs=0.02)
    assert judging.brier(p, right) == pytest.approx(1 / 6, abs=0.01)
    assert judging.brier([math.nan, 1.0], [True, False]) == 1.0 and math.isnan(judging.brier([math.nan], [True]))


def test_a_score_that_only_is_length_knows_nothing_once_length_is_out() -> None:
    draw = np.random.default_rng(3)
    lengths = draw.permutation(200).astype(float)
    right = draw.random(200) < lengths / 200
    assert judging.rank_correlation(2 * lengths, lengths) == pytest.approx(1.0)
    assert judging.auroc(2 * lengths, right) > 0.75
    assert judging.auroc(judging.without_length(2 * lengths, lengths).round(9), right) == pytest.approx(0.5, abs=0.05)
    skill = right + draw.normal(0, 0.5, 200)
    assert judging.auroc(judging.without_length(skill, lengths), right) > 0.75
    assert math.isnan(judging.rank_correlation([1, 1, 1], [1, 2, 3]))


def test_a_planted_effect_of_the_stated_minimum_is_found_in_four_of_five_audits() -> None:
    draw = np.random.default_rng(4)
    found = 0
    for _ in range(500):
        noise = draw.normal(0, 0.3, 40)
        effect = (1.96 + 0.85) * 0.3 / math.sqrt(40)
        found += judging.p_value(noise + effect) < 0.05
    assert 0.75 <= found / 500 <= 0.85
    told = judging.detectable(draw.normal(0.1, 0.3, 40))
    assert told.effect == pytest.approx(effect, rel=0.3) and told.problems is not None
    assert judging.detectable([0.2]).problems is None and judging.p_value([0.0, 0.0]) == 1.0


def test_false_discoveries_are_corrected_for() -> None:
    assert judging.q_values([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert judging.q_values([]) == []


def test_resampling_with_an_imperfect_verifier_has_a_ceiling_and_a_best_number_of_tries() -> None:
    right, wrong = judging.resampled_until_pass([0.2], 0.9, 0.3, [1, 3, math.inf])
    passed = 0.2 * 0.9 + 0.8 * 0.3
    assert right == pytest.approx([0.18, 0.18 * (1 - (1 - passed) ** 3) / passed, 0.18 / passed])
    assert right[-1] + wrong[-1] == pytest.approx(1.0)
    perfect, nothing = judging.resampled_until_pass([0.2, 0.0], 1.0, 0.0, [math.inf])
    assert perfect == [0.5] and nothing == [0.0], "a problem that is never solved is abstained from"
    # Easy problems pass early; who goes on answers the hard ones, mostly wrong.
    mixed = [0.9, 0.9, 0.05, 0.0]
    assert judging.best_tries(mixed, 1.0, 0.3, 0.0) is None, "where wrong answers cost nothing, more never hurts"
    few, fewer = judging.best_tries(mixed, 1.0, 0.3, 1.0), judging.best_tries(mixed, 1.0, 0.3, 2.0)
    assert few is not None and fewer is not None and 1 <= fewer <= few <= 3
    assert judging.best_tries([0.1], 1.0, 0.5, 5.0) == 0, "there it is better to say nothing"
    assert judging.best_tries(mixed, 1.0, 0.0, 5.0) is None, "a verifier that is never wrong may be asked for ever"
