"""The statistics of comparisons: confidence intervals, pass@k, maj@k and the Pareto front.

The unit of resampling is the problem. Searches of one problem under several seeds are not independent, so their mean is
taken first.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
"""The confidence level of every interval."""

RESAMPLES = 4000
"""Bootstrap resamples of an interval."""


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def scipy_stats() -> ModuleType:
    """`scipy.stats`, which is imported only where it is needed, since that takes a good part of a second."""
    from scipy import stats

    module: ModuleType = stats
    return module


def wilson(right: int, n: int) -> Interval:
    """Wilson's score interval for `right` successes in `n` independent trials (Wilson, JASA 22, 1927)."""
    interval = scipy_stats().binomtest(right, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def clustered(means: ArrayLike, *, lowest: float = 0.0, seed: int = 0) -> list[Interval]:
    """Bootstrap intervals for means over problems, one for each column.

    means: [problems, columns], the mean over seeds of each problem, for several quantities in [lowest, 1]. All columns
        use the same resamples, so that the intervals of one call can be compared.
    lowest: the least possible value: 0 for accuracies, -1 for differences.
    seed: of the resamples.

    The interval is the expanded percentile interval (Hesterberg, arXiv:1411.5279, section on small samples), with
    percentile limits at Φ(-√(n/(n-1))·t); it corrects for the narrowness of the bootstrap with few problems. Where all
    problems have the same mean, a bootstrap interval would have no width. There the interval allows for a share of
    unseen problems with other means that is as large as Wilson's upper limit for 0 of n; for all right or all wrong it
    equals Wilson's interval.

    Raises ValueError without problems.
    """
    table = np.asarray(means, np.float64)
    n, columns = table.shape
    if n == 0:
        raise ValueError("no problems to take an interval over")
    same = np.ptp(table, axis=0) < 1e-12
    found: list[Interval] = []
    if not same.all():
        stats = scipy_stats()
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
    """pass@k: the probability that at least one of `k` samples is right, estimated from `right` right ones among `n`.

    It is the unbiased estimator 1 - C(n-right, k) / C(n, k) (Chen et al., arXiv:2107.03374, eq. 1).

    Raises ValueError when k is not in 1…n.
    """
    _check_k(n, k)
    if n - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - right + 1, n + 1)))


def maj_at_k(values: Sequence[str | None], grades: Sequence[float], k: int) -> float:
    """maj@k: the exact expected grade of the majority answer among `k` samples drawn without replacement.

    Ties are divided equally among the tied answers, which is the expectation of "the first stated wins" over random
    orders.

    values: [n], the canonical answer of each sample; None has no vote.
    grades: [n], the grade of each sample's answer.

    Raises ValueError when k is not in 1…len(values).
    """
    n = len(values)
    _check_k(n, k)
    counts: dict[str | None, int] = {}
    grade: dict[str | None, float] = {}
    for value, g in zip(values, grades, strict=True):
        counts[value] = counts.get(value, 0) + 1
        grade[value] = 0.0 if value is None else float(g)
    # Independent binomials conditioned on their sum have the multivariate hypergeometric distribution. Unlike binomial
    # coefficients they never overflow.
    binomial = scipy_stats().binom
    chance = {value: binomial.pmf(np.arange(count + 1), count, k / n) for value, count in counts.items()}
    expected = 0.0
    for top in range(1, max((c for v, c in counts.items() if v is not None), default=0) + 1):
        expected += _with_top(chance, grade, top, k)
    return expected / float(binomial.pmf(k, n, k / n))


def _with_top(chance: dict[str | None, NDArray[np.float64]], grade: dict[str | None, float], top: int, k: int) -> float:
    """The part of the expectation in which the winner has exactly `top` votes.

    weight[t, s]: the probability that the answers so far have s samples in all, t answers having `top` votes and none
        more.
    credit[t, s]: the same probability times the summed grades of those t answers.
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
    """For each point, whether it is on the Pareto front: no other one is at most as costly and at least as good, and
    better in one of the two."""
    points = list(zip(costs, values, strict=True))

    def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a[0] <= b[0] and a[1] >= b[1] and a != b

    return [not any(beats(other, point) for other in points) for point in points]
