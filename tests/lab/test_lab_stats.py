"""Intervals, pass@k and maj@k against simulation, enumeration and SciPy."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from scipy import stats as scipy_stats

from clew.lab.stats import clustered, maj_at_k, pareto_front, pass_at_k, wilson


@pytest.mark.parametrize(
    ("n", "seeds", "alpha", "beta"), [(20, 1, 2, 2), (20, 3, 0.3, 0.3), (12, 4, 1, 1), (40, 2, 4, 1)]
)
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int, seeds: int, alpha: float, beta: float) -> None:
    rng = np.random.default_rng(7)
    truth, runs, hits = alpha / (alpha + beta), 400, 0
    for run in range(runs):
        # Seeds of one problem share its success rate: they are clustered.
        rates = rng.beta(alpha, beta, n)
        low, high = clustered((rng.binomial(seeds, rates) / seeds)[:, None], seed=run)[0]
        hits += low <= truth <= high
    # Four standard errors of the simulation below 95 %; a narrow interval is the fault to catch.
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / runs) <= hits / runs <= 0.995


def test_ignoring_the_clusters_would_be_too_sure() -> None:
    rng = np.random.default_rng(1)
    rates = rng.beta(0.3, 0.3, 20)
    grades = rng.random((20, 8)) < rates[:, None]
    by_problem = clustered(grades.mean(1)[:, None])[0]
    as_if_independent = clustered(grades.reshape(-1, 1))[0]
    assert by_problem.high - by_problem.low > 1.8 * (as_if_independent.high - as_if_independent.low)


def test_the_paired_difference_covers_the_truth_and_is_narrower_than_unpaired() -> None:
    rng = np.random.default_rng(3)
    runs, hits, narrower = 300, 0, 0
    for run in range(runs):
        rates = rng.beta(0.5, 0.5, 25)
        a = (rng.random(25) < rates * 0.9).astype(float)
        b = (rng.random(25) < rates * 0.9 + 0.1).astype(float)
        paired = clustered((b - a)[:, None], lowest=-1.0, seed=run)[0]
        hits += paired.low <= 0.1 <= paired.high
        alone = [clustered(x[:, None], seed=run)[0] for x in (a, b)]
        narrower += (paired.high - paired.low) < sum(i.high - i.low for i in alone)
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / runs) <= hits / runs <= 0.995
    assert narrower == runs


def test_where_all_problems_agree_the_interval_is_wilsons() -> None:
    n = 20
    right, wrong, even = (
        clustered(np.tile([1.0, 0.0, 0.0], (n, 1)))[0],
        clustered(np.zeros((n, 1)))[0],
        clustered(np.zeros((n, 1)), lowest=-1.0)[0],
    )
    assert right == pytest.approx(wilson(n, n), abs=1e-12)
    assert wrong == pytest.approx(wilson(0, n), abs=1e-12)
    assert even == pytest.approx((-wilson(0, n).high, wilson(0, n).high), abs=1e-12)
    assert clustered([[1.0]])[0].low < 0.25


def test_wilson_is_the_closed_formula() -> None:
    z, n, k = scipy_stats.norm.ppf(0.975), 20, 7
    p = k / n
    centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert wilson(k, n) == pytest.approx(((centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)))


def test_equal_seeds_give_equal_intervals() -> None:
    means = np.random.default_rng(0).random((10, 3))
    assert clustered(means, seed=4) == clustered(means, seed=4)
    assert clustered(means, seed=4) != clustered(means, seed=5)


def test_pass_at_k_is_the_share_of_subsets_with_a_right_one() -> None:
    for n in range(1, 8):
        for right in range(n + 1):
            for k in range(1, n + 1):
                subsets = list(itertools.combinations([1] * right + [0] * (n - right), k))
                assert pass_at_k(n, right, k) == pytest.approx(np.mean([any(s) for s in subsets]))
    assert pass_at_k(100_000, 1, 50_000) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="k=3"):
        pass_at_k(2, 1, 3)


def by_enumeration(values: list[str | None], grades: list[float], k: int) -> float:
    total, count = 0.0, 0
    for subset in itertools.combinations(range(len(values)), k):
        votes = Counter(values[i] for i in subset if values[i] is not None)
        top = max(votes.values(), default=0)
        tied = [v for v, c in votes.items() if c == top]
        total += sum(grades[values.index(v)] for v in tied) / len(tied) if tied else 0.0
        count += 1
    return total / count


def test_maj_at_k_is_the_mean_over_subsets() -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        n = int(rng.integers(1, 10))
        values = [[None, "a", "b", "c"][i] for i in rng.integers(0, 4, n)]
        worth = {"a": 1.0, "b": 0.0, "c": 0.4, None: 0.0}
        grades = [worth[v] for v in values]
        for k in range(1, n + 1):
            assert maj_at_k(values, grades, k) == pytest.approx(by_enumeration(values, grades, k), abs=1e-12)


def test_maj_at_k_does_not_overflow_and_tends_to_the_mode() -> None:
    values = ["a"] * 900 + ["b"] * 800 + [None] * 400
    grades = [1.0] * 900 + [0.0] * 1200
    small, large = maj_at_k(values, grades, 3), maj_at_k(values, grades, 64)
    assert 0.4 < small < large < 1.0


def test_pareto_front() -> None:
    costs, values = [1, 1, 2, 2, 4], [0.3, 0.2, 0.3, 0.5, 0.5]
    assert pareto_front(costs, values) == [True, False, False, True, False]
    assert pareto_front([1, 1], [0.5, 0.5]) == [True, True]
