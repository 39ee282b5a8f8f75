"""REBASE: at each depth a fixed number of continuations, shared out by reward."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clew.methods.common.solutions import SCORER, Bounds, Final, Scoring, Solutions, at_least, distinct, worths
from clew.problem import Answer
from clew.registry import method
from clew.sampling import STEP
from clew.search import Search
from clew.tree import leave


def shares(rewards: Sequence[float], budget: int, balance: float) -> list[int]:
    """How many children each node gets: `budget` · softmax(rewards / balance), rounded (arXiv:2408.00724, eq. 2).

    Rounded so that the sum is `budget`: what rounding down leaves goes to the largest remainders. A reward of -inf
    gets nothing, unless all are -inf: then all are equal.
    """
    scaled = np.asarray(rewards, np.float64) / balance
    top = scaled.max(initial=-math.inf)
    weights = np.exp(scaled - top) if math.isfinite(top) else np.ones(len(scaled))
    exact = budget * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    for i in np.argsort(whole - exact, kind="stable")[: budget - int(whole.sum())]:
        whole[i] += 1
    return [int(w) for w in whole]


@method(
    "rebase",
    family="tree",
    paper="arXiv:2408.00724",
    needs={"text"},
    proof="tests/methods/tree/test_rebase.py",
    departs="The rounded shares of a depth always add up to its budget. Equal steps of one parent count once. Rewards "
    "of a scorer that leaves [0, 1] are scaled to it by the least and the greatest met.",
)
async def rebase(
    search: Search,
    *,
    n: int = 16,
    balance: float = 0.1,
    scorer: Scoring = SCORER,
    final: Final = "vote",
    temperature: float | None = None,
) -> Answer:
    """Reward-balanced search: n first steps; then each depth shares n, less what has ended, among its nodes by reward.

    balance: the softmax temperature T_b of the paper (0.1 there, for rewards in [0, 1]).
    """
    at_least(n=n)
    bounds = Bounds()
    async with Solutions(search, final, scorer) as found:
        left = n
        plan = [search.root] * n
        while left and plan:
            nodes = distinct(await search.extend_each(plan, until=STEP, sampling=search.at(temperature)))
            rewards = await worths(search, nodes, scorer)
            found.add(nodes, rewards)
            going = [(node, reward) for node, reward in zip(nodes, rewards, strict=True) if not node.finished]
            left -= len(nodes) - len(going)
            for reward in rewards:
                bounds.admit(reward)
            scaled = [bounds.unit(reward) if math.isfinite(reward) else reward for _, reward in going]
            counts = shares(scaled, left, balance) if going else []
            plan = [node for (node, _), count in zip(going, counts, strict=True) for _ in range(count)]
            leave((node for (node, _), count in zip(going, counts, strict=True) if not count), "given no share")
    return found.answer
