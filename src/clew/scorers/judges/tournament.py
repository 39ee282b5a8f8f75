"""Tournaments: the best of many solutions is found by few comparisons of two.

A tournament is a generator. It yields a round of pairs, is sent the probability that the first of each pair is the
better one, and returns a number from 0 to 1 for each participant, of which the greatest wins. So the same rules serve a
judge, which is asked, and a simulation, which is not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import combinations

import numpy as np

Pair = tuple[int, int]
"""Two participants in the order in which they are shown, since a judge may favour a place (position bias)."""

Tournament = Generator[list[Pair], Sequence[float], list[float]]
"""Yields the pairs of a round, is sent P(the first is better) for each, and returns the participants' standings."""

CERTAIN = 6.0
"""The greatest log-odds of a comparison (p = 0.9975): beyond it, differences come from rounding, not from strength."""

PRIOR = 0.1
"""How strongly a strength is drawn to the average, in comparisons; it also keeps the strengths finite."""


def strengths(n: int, pairs: Sequence[Pair], told: Sequence[float]) -> list[float]:
    """The Bradley-Terry strengths of n participants: the probability that each is better than an average one, [n].

    They are fitted by least squares to the log-odds of the comparisons, which are differences of two log-strengths.
    Unlike the share of wins, a strength does not suffer from strong opponents.

    n: the number of participants.
    pairs: who was compared with whom.
    told: for each pair, the probability that the first is the better one.
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

    order: the participants 0 to N-1, in random order.
    pivots: k, the number of pivots, at most N.
    """
    n = len(order)
    if n < 2:
        return [1.0] * n
    # 1. Each is compared with its neighbours in a ring, once in either place, so that position bias cancels.
    pairs = [(order[i], order[(i + 1) % n]) for i in range(n)]
    told = [*(yield pairs)]
    so_far = strengths(n, pairs, told)
    # 2. The k strongest so far are the pivots.
    leaders = sorted(range(n), key=lambda i: (-so_far[i], i))[:pivots]
    # 3. Every other one is compared with each pivot, and the pivots with each other. Who is shown first alternates.
    rest = [i for i in order if i not in leaders]
    further = [
        (i, leader) if (x + y) % 2 else (leader, i) for x, i in enumerate(rest) for y, leader in enumerate(leaders)
    ]
    further += combinations(leaders, 2)
    if further:
        told += yield further
    return strengths(n, pairs + further, told)


def round_robin(order: Sequence[int]) -> Tournament:
    """Compare each with each other one once, C(N,2) comparisons; each is shown first in about half of them.

    order: the participants 0 to N-1, in random order.
    """
    n = len(order)
    if n < 2:
        return [1.0] * n
    pairs = [(order[i], order[j]) if (i + j) % 2 else (order[j], order[i]) for i, j in combinations(range(n), 2)]
    return strengths(n, pairs, (yield pairs))


def knockout(order: Sequence[int]) -> Tournament:
    """Compare pairs, of which the better one reaches the next round (Pairwise RM, arXiv:2501.13007): N-1 comparisons.

    The standing of a participant is the share of the rounds that it survived.

    order: the participants 0 to N-1, in random order; in a round of odd size the last one is not compared.
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
