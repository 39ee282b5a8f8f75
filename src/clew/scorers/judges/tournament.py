"""Tournaments: which of many is best, told from comparisons of two, with as few comparisons as may be.

A tournament is a generator. It yields a round of pairs, is sent how probably the first of each pair is the better one,
and returns a number from 0 to 1 for each participant, of which the greatest wins. So the same rules serve a judge that
is asked and a simulation that is not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import combinations

import numpy as np

Pair = tuple[int, int]
"""Two participants, in the order in which they are shown: a judge may favour a place (slot bias)."""

Tournament = Generator[list[Pair], Sequence[float], list[float]]
"""Yields the pairs of a round, is sent P(the first is better) for each, returns the standing of each participant."""


CERTAIN = 6.0
"""Log-odds that are as good as certain (p = 0.9975): what lies beyond is a matter of rounding, not of strength."""
PRIOR = 0.1
"""How much a strength is drawn to the average, in comparisons. It also makes strengths finite where all was certain."""


def strengths(n: int, pairs: Sequence[Pair], told: Sequence[float]) -> list[float]:
    """The Bradley-Terry strengths of n participants, from 0 to 1: how probably each is better than an average one.

    pairs: who was compared. told: how probably the first of each pair is the better one.

    Fitted by least squares to the log-odds, which are the differences of two strengths. Unlike the mean share of wins,
    this does not punish who happened to meet the strong ones.
    """
    normal, differences = np.eye(n) * PRIOR, np.zeros(n)
    for (a, b), p in zip(pairs, told, strict=True):
        odds = float(np.clip(np.log(p) - np.log1p(-p), -CERTAIN, CERTAIN)) if 0 < p < 1 else CERTAIN * (2 * p - 1)
        normal[[a, b], [a, b]] += 1.0
        normal[[a, b], [b, a]] -= 1.0
        differences[a] += odds
        differences[b] -= odds
    return [float(p) for p in 1 / (1 + np.exp(-np.linalg.solve(normal, differences)))]


def pivot(order: Sequence[int], pivots: int = 2) -> Tournament:
    """The pivot tournament of LLM-as-a-Verifier: N + k(N-k) + C(k,2) comparisons for the best of N.

    order: the participants 0 to N-1, in random order. pivots: k, at most N.

    1. Ring: each is compared with its neighbour in a circle, once in either place, so that slot bias cancels.
    2. The k strongest so far are the pivots.
    3. Each other one is compared with each pivot, and the pivots with each other. Who is shown first alternates.
    """
    n = len(order)
    if n < 2:
        return [1.0] * n
    pairs = [(order[i], order[(i + 1) % n]) for i in range(n)]
    told = [*(yield pairs)]
    so_far = strengths(n, pairs, told)
    leaders = sorted(range(n), key=lambda i: (-so_far[i], i))[:pivots]
    rest = [i for i in order if i not in leaders]
    met = [(i, leader) if (x + y) % 2 else (leader, i) for x, i in enumerate(rest) for y, leader in enumerate(leaders)]
    met += combinations(leaders, 2)
    if met:
        told += yield met
    return strengths(n, pairs + met, told)


def round_robin(order: Sequence[int]) -> Tournament:
    """Each against each, once: C(N,2) comparisons. Each is shown first in about half of its comparisons.

    order: the participants 0 to N-1, in random order.
    """
    n = len(order)
    if n < 2:
        return [1.0] * n
    pairs = [(order[i], order[j]) if (i + j) % 2 else (order[j], order[i]) for i, j in combinations(range(n), 2)]
    return strengths(n, pairs, (yield pairs))


def knockout(order: Sequence[int]) -> Tournament:
    """Two by two, and the better one goes on (Pairwise RM, arXiv:2501.13007): N-1 comparisons.

    order: the participants 0 to N-1, in random order; the last one of an odd round goes on unplayed.

    The standing of a participant is the share of the rounds that it survived.
    """
    survived = [0] * len(order)
    alive, rounds = list(order), 0
    while len(alive) > 1:
        pairs = list(zip(alive[::2], alive[1::2], strict=False))
        told = yield pairs
        through = [a if p >= 0.5 else b for (a, b), p in zip(pairs, told, strict=True)]
        alive = through + alive[2 * len(pairs) :]
        rounds += 1
        for i in alive:
            survived[i] += 1
    return [s / rounds if rounds else 1.0 for s in survived]
