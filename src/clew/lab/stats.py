"""Intervals, paired differences, pass@k, maj@k and the Pareto front: what turns grades into statements.

The unit that is resampled is the problem. Runs of one problem under several seeds are not independent of one another,
so their mean is taken first and the seeds stay within their problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clew.errors import UsageError, how_to_install

LEVEL = 0.95
"""The confidence level of every interval."""

RESAMPLES = 4000


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def _scipy_stats() -> ModuleType:
    try:
        from scipy import stats
    except ImportError:
        raise UsageError("intervals need SciPy, which is not installed", how_to_install("report")) from None
    module: ModuleType = stats
    return module


def wilson(right: int, n: int) -> Interval:
    """Wilson's score interval for `right` successes in `n` independent trials (Wilson, JASA 22, 1927)."""
    interval = _scipy_stats().binomtest(right, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def clustered(means: ArrayLike, *, lowest: float = 0.0, seed: int = 0) -> list[Interval]:
    """Bootstrap intervals for the mean over problems.

    means: [problems, columns], each problem's mean over its seeds, for each of several quantities in [lowest, 1]. Every
        column sees the same resamples, so intervals of one call can be compared. One interval a column comes back.

    The interval is the expanded percentile interval (Hesterberg, arXiv:1411.5279, section on small samples): percentile
    limits at Φ(-√(n/(n-1))·t), which undoes the narrowness of the bootstrap with few problems. Where all problems have
    the same mean a bootstrap knows no doubt; there the interval allows for a share of unseen, different problems as
    large as Wilson's upper limit for 0 of n: for all right or all wrong it is Wilson's interval.

    Raises ValueError without any problem.
    """
    table = np.asarray(means, np.float64)
    n, columns = table.shape
    if n == 0:
        raise ValueError("no problems to take an interval over")
    same = np.ptp(table, axis=0) < 1e-12
    found: list[Interval] = []
    if not same.all():
        stats = _scipy_stats()
        tail = float(stats.norm.cdf(np.sqrt(n / (n - 1)) * stats.t.ppf((1 - LEVEL) / 2, n - 1)))
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n
        lows, highs = np.quantile(weights @ table, [tail, 1 - tail], axis=0)
    unseen = wilson(0, n).high
    for j in range(columns):
        if same[j]:
            seen = (1 - unseen) * float(table[0, j])
            found.append(Interval(seen + unseen * lowest, seen + unseen))
        else:
            found.append(Interval(float(lows[j]), float(highs[j])))
    return found


def pass_at_k(n: int, right: int, k: int) -> float:
    """The probability that at least one of `k` samples is right, from `right` right ones among `n`.

    The unbiased estimator 1 - C(n-right, k) / C(n, k) (Chen et al., arXiv:2107.03374, eq. 1).

    Raises ValueError when k is not in 1…n.
    """
    _check_k(n, k)
    if n - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - right + 1, n + 1)))


def maj_at_k(values: Sequence[str | None], grades: Sequence[float], k: int) -> float:
    """The expected grade of the majority answer of `k` of these samples drawn without replacement; exact.

    values: canonical answers; None has no vote. grades: of each sample's answer. Ties are shared equally among the tied
    answers, which is what "the first stated wins" comes to in a random order.

    Raises ValueError when k is not in 1…len(values).
    """
    n = len(values)
    _check_k(n, k)
    counts: dict[str | None, int] = {}
    grade: dict[str | None, float] = {}
    for value, g in zip(values, grades, strict=True):
        counts[value] = counts.get(value, 0) + 1
        grade[value] = 0.0 if value is None else float(g)
    # Independent binomials given their sum are the multivariate hypergeometric; unlike binomial coefficients they
    # never overflow.
    binomial = _scipy_stats().binom
    chance = {value: binomial.pmf(np.arange(count + 1), count, k / n) for value, count in counts.items()}
    expected = 0.0
    for top in range(1, max((c for v, c in counts.items() if v is not None), default=0) + 1):
        expected += _with_top(chance, grade, top, k)
    return expected / float(binomial.pmf(k, n, k / n))


def _with_top(chance: dict[str | None, NDArray[np.float64]], grade: dict[str | None, float], top: int, k: int) -> float:
    """The part of the expectation in which the winner has exactly `top` votes.

    weight[t, s]: probability that the answers so far have s samples, t of them having `top` votes and none more.
    credit[t, s]: the same times the summed grades of those t.
    """
    ties = k // top
    weight = np.zeros((ties + 1, k + 1))
    weight[0, 0] = 1.0
    credit = np.zeros_like(weight)
    for value, pmf in chance.items():
        below = pmf if value is None else pmf[:top]
        new_weight, new_credit = np.zeros_like(weight), np.zeros_like(weight)
        for votes, p in enumerate(below[: k + 1]):
            new_weight[:, votes:] += p * weight[:, : k + 1 - votes]
            new_credit[:, votes:] += p * credit[:, : k + 1 - votes]
        if value is not None and top < len(pmf) and ties:
            p = pmf[top]
            new_weight[1:, top:] += p * weight[:-1, : k + 1 - top]
            new_credit[1:, top:] += p * (credit[:-1, : k + 1 - top] + grade[value] * weight[:-1, : k + 1 - top])
        weight, credit = new_weight, new_credit
    return float((credit[1:, k] / np.arange(1, ties + 1)).sum())


def _check_k(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k={k} is not between 1 and the {n} samples")


def pareto_front(costs: Sequence[float], values: Sequence[float]) -> list[bool]:
    """Which points are on the Pareto front: no other is at most as costly and at least as good, and better in one."""
    points = list(zip(costs, values, strict=True))

    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    return [not any(beats(other, point) for other in points) for point in points]
