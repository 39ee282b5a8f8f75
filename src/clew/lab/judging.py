"""Statistics of scorers, computed from the scores and grades of independent solutions, for `clew audit`.

A missing score is NaN and counts as the lowest score, as it does in methods. Curves are exact expectations over subsets
of the solutions, not simulations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clew.lab.stats import LEVEL, scipy_stats

SUBSETS = 20_000
"""The most subsets that are enumerated; where there are more, this many random ones are drawn."""
BINS = 10
"""Groups of solutions for the calibration error."""
POWER = 0.8
"""The probability with which the minimum detectable effect is found."""


def comparable(scores: ArrayLike) -> NDArray[np.float64]:
    """Scores with -inf for missing ones, float64[n]."""
    given = np.asarray(scores, np.float64)
    return np.where(np.isnan(given), -np.inf, given)


def auroc(scores: ArrayLike, right: ArrayLike) -> float:
    """The probability that a right solution has a higher score than a wrong one; a tie counts half. NaN without both.

    scores: float64[n].
    right: bool[n].
    """
    given, good = comparable(scores), np.asarray(right, bool)
    n_good, n_bad = int(good.sum()), int((~good).sum())
    if not n_good or not n_bad:
        return math.nan
    ranks = scipy_stats().rankdata(given)
    return float((ranks[good].sum() - n_good * (n_good + 1) / 2) / (n_good * n_bad))


def calibration_error(scores: ArrayLike, right: ArrayLike) -> float:
    """The expected calibration error: the mean distance between the mean score and the share of right solutions.

    It is taken over `BINS` groups of about equal size, ordered by score. Missing scores are left out. NaN without
    scores.

    scores: float64[n], probabilities.
    right: bool[n].
    """
    given, good = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    known = ~np.isnan(given)
    order = np.argsort(given[known], kind="stable")
    groups = [g for g in np.array_split(order, BINS) if len(g)]
    if not groups:
        return math.nan
    given, good = given[known], good[known]
    return float(sum(len(g) * abs(given[g].mean() - good[g].mean()) for g in groups) / len(order))


def brier(scores: ArrayLike, right: ArrayLike) -> float:
    """The Brier score: the mean squared difference of probabilities and verdicts (1 or 0), without missing scores."""
    gaps = (np.asarray(scores, np.float64) - np.asarray(right, np.float64)) ** 2
    return float(np.nanmean(gaps)) if not np.isnan(gaps).all() else math.nan


def rank_correlation(scores: ArrayLike, lengths: ArrayLike) -> float:
    """Spearman's rank correlation of scores and lengths; NaN where all scores or all lengths are equal."""
    given, long = comparable(scores), np.asarray(lengths, np.float64)
    if len(set(given.tolist())) < 2 or len(set(long.tolist())) < 2:
        return math.nan
    rank = scipy_stats().rankdata
    return float(np.corrcoef(rank(given), rank(long))[0, 1])


def without_length(scores: ArrayLike, lengths: ArrayLike) -> NDArray[np.float64]:
    """The part of the scores' ranks that lengths do not explain: residuals of a linear regression on the ranks of the
    lengths, float64[n]."""
    rank = scipy_stats().rankdata
    given, long = rank(comparable(scores)), rank(np.asarray(lengths, np.float64))
    long = long - long.mean()
    spread = float(long @ long)
    centred = given - given.mean()
    return np.asarray(centred - (float(long @ centred) / spread if spread else 0.0) * long, np.float64)


def best_at_k(scores: ArrayLike, stated: ArrayLike, grades: ArrayLike, k: int) -> float:
    """Best-of-N: the exact expected grade of the solution with the highest score among `k` drawn without replacement.

    Solutions with equal scores are chosen with equal probability.

    scores: float64[n].
    stated: bool[n], whether a solution states an answer; one that does not is chosen last and has grade 0.
    grades: float64[n].

    Raises ValueError when k is not in 1…n.
    """
    given, says, grade = comparable(scores), np.asarray(stated, bool), np.asarray(grades, np.float64)
    n = len(given)
    if not 1 <= k <= n:
        raise ValueError(f"k={k} is not between 1 and the {n} solutions")
    # Groups of equal scores, from the lowest to the highest: the best of k is in a group if all k are in it or in lower
    # groups, and not all k in lower groups.
    groups: dict[tuple[bool, float], list[int]] = {}
    for i in range(n):
        groups.setdefault((bool(says[i]), float(given[i]) if says[i] else 0.0), []).append(i)
    expected, seen, all_worse = 0.0, 0, 0.0
    for key in sorted(groups):
        seen += len(groups[key])
        upto = math.comb(seen, k) / math.comb(n, k)
        expected += (upto - all_worse) * (float(grade[groups[key]].mean()) if key[0] else 0.0)
        all_worse = upto
    return expected


def weighted_at_k(
    values: Sequence[str | None], grades: ArrayLike, weights: ArrayLike, k: int, *, seed: int = 0
) -> float:
    """The weighted vote: the expected grade of the answer with the greatest weight among `k` solutions drawn without
    replacement.

    Answers of equal weight are chosen with equal probability. The expectation is exact where there are at most
    `SUBSETS` subsets, and else the mean over that many random ones.

    values: [n], canonical answers; None has no vote.
    grades: float64[n], of each solution's answer.
    weights: float64[n], at least 0.
    seed: of the random subsets.

    Raises ValueError when k is not in 1…n.
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"k={k} is not between 1 and the {n} solutions")
    answers = sorted({v for v in values if v is not None})
    if not answers:
        return 0.0
    grade = np.asarray(grades, np.float64)
    worth = np.array([grade[values.index(a)] for a in answers])
    votes = np.zeros((n, len(answers)))
    present = np.zeros((n, len(answers)))
    for i, value in enumerate(values):
        if value is not None:
            votes[i, answers.index(value)] = np.asarray(weights, np.float64)[i]
            present[i, answers.index(value)] = 1.0
    if math.comb(n, k) <= SUBSETS:
        chosen = np.array(list(combinations(range(n), k)))
    else:
        draw = np.random.default_rng(seed)
        chosen = np.argsort(draw.random((SUBSETS, n)), axis=1)[:, :k]
    sums = votes[chosen].sum(axis=1)
    there = present[chosen].sum(axis=1) > 0
    sums = np.where(there, sums, -1.0)  # an answer that no chosen solution states cannot win, even if all weights are 0
    top = sums.max(axis=1, keepdims=True)
    winners = np.isclose(sums, top, rtol=1e-12, atol=0.0) & (top >= 0)
    shares = winners.sum(axis=1)
    return float(np.mean(np.where(shares > 0, (winners @ worth) / np.maximum(shares, 1), 0.0)))


class Detectable(NamedTuple):
    """The sensitivity of a comparison.

    effect: the smallest difference that these problems show with probability `POWER`.
    problems: number of problems that would show the observed difference; None for more than a million.
    """

    effect: float
    problems: int | None


def detectable(differences: ArrayLike) -> Detectable:
    """The minimum detectable effect of a mean over problems, in a two-sided test at 5 %.

    differences: float64[problems].
    """
    given = np.asarray(differences, np.float64)
    n = len(given)
    if n < 2:
        return Detectable(math.inf, None)
    stats = scipy_stats()
    spread = float(given.std(ddof=1))
    factor = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) + stats.t.ppf(POWER, n - 1))
    seen = abs(float(given.mean()))
    needed = (float(stats.norm.ppf((1 + LEVEL) / 2) + stats.norm.ppf(POWER)) * spread / seen) ** 2 if seen else math.inf
    return Detectable(factor * spread / math.sqrt(n), max(2, math.ceil(needed)) if needed < 1e6 else None)


def p_value(differences: ArrayLike) -> float:
    """The two-sided p-value of Student's t-test for a mean of 0; 1 where all are 0 or there is one problem."""
    given = np.asarray(differences, np.float64)
    if len(given) < 2 or not given.any():
        return 1.0
    if not np.ptp(given):
        return 0.0
    return float(scipy_stats().ttest_1samp(given, 0.0).pvalue)


def q_values(p: Sequence[float]) -> list[float]:
    """The false discovery rates of p-values (Benjamini and Hochberg 1995)."""
    return [float(q) for q in scipy_stats().false_discovery_control(p)] if len(p) else []


TRIES = 1000
"""The most tries that `best_tries` weighs up; what lies beyond is as good as never stopping."""


def resampled_until_pass(
    right: ArrayLike, passes_right: float, passes_wrong: float, tries: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shares of problems that are answered right and wrong by sampling until a verifier passes a solution, with at
    most so many tries; the rest is abstained from. Exact for verifiers whose errors are independent.

    With tries without end the first share tends to the mean over problems of p·TPR / (p·TPR + (1-p)·FPR)
    (arXiv:2411.17501).

    right: float64[problems], p, each problem's share of right solutions.
    passes_right: TPR, the share of right solutions that the verifier passes.
    passes_wrong: FPR, the share of wrong solutions that it passes.
    tries: float64[k], at least 1; infinity is without end.
    """
    p = np.asarray(right, np.float64)[:, None]
    good, bad = p * passes_right, (1 - p) * passes_wrong
    passed = good + bad
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.where(passed > 0, 1 - (1 - passed) ** np.asarray(tries, np.float64)[None, :], 0.0)
        shares = np.where(passed > 0, ends / passed, 0.0)
    return (good * shares).mean(axis=0), (bad * shares).mean(axis=0)


def best_tries(right: ArrayLike, passes_right: float, passes_wrong: float, cost: float) -> int | None:
    """The number of tries after which to abstain, where a right answer is worth 1 and a wrong one costs `cost`.

    0 where any answer costs more than it is worth; None where more tries never hurt. Parameters: see
    `resampled_until_pass`.
    """
    tries = np.arange(1, TRIES + 1)
    good, wrong = resampled_until_pass(right, passes_right, passes_wrong, tries)
    worth = np.concatenate([[0.0], good - cost * wrong])
    best = int(worth.argmax())
    return None if best == TRIES or worth[best] - worth[-1] < 1e-12 < worth[-1] else best
