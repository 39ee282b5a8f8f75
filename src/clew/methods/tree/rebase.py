"""REBASE: at each depth a fixed number of continuations, shared out by reward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from clew.methods.common.solutions import (
    SCORER,
    Bounds,
    Final,
    Scoring,
    Solutions,
    comparable_scores,
    distinct,
    multiplicity,
)
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import STEP
from clew.search import Search
from clew.tree import leave


def shares(rewards: Sequence[float], budget: int, balance: float, counts: Sequence[float] | None = None) -> list[int]:
    """How many children each node gets: `budget` · softmax(rewards / balance), rounded (arXiv:2408.00724, eq. 2).

    Rounded so that the sum is `budget`: what rounding down leaves goes to the largest remainders. A reward of -inf
    gets nothing, unless all are -inf: then all are equal.

    rewards: of the nodes, [N].
    budget: children in all.
    balance: the softmax temperature.
    counts: how many equal draws each node stands for, [N]: it gets as much as all of them together would. None: one.
    """
    scaled = np.asarray(rewards, np.float64) / balance
    top = scaled.max(initial=-math.inf)
    weights = np.exp(scaled - top) if math.isfinite(top) else np.ones(len(scaled))
    weights = weights if counts is None else weights * np.asarray(counts)
    exact = budget * weights / weights.sum()
    whole = np.floor(exact).astype(int)
    for i in np.argsort(whole - exact, kind="stable")[: budget - int(whole.sum())]:
        whole[i] += 1
    return [int(w) for w in whole]


@method(
    "rebase",
    family="tree",
    paper="arXiv:2408.00724",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_rebase.py",
    departs="The rounded shares of a depth always add up to its budget. Equal steps of one parent become one node with "
    "the share and the votes of all of them. Rewards of a scorer that leaves [0, 1] are scaled to it by the least and "
    "the greatest met.",
)
async def rebase(
    search: Search,
    *,
    n: Count = 16,
    balance: Annotated[float, Range(above=0)] = 0.1,
    scorer: Scoring = SCORER,
    final: Final = "vote",
    temperature: Temperature | None = None,
) -> Answer:
    """Reward-balanced search: n first steps; then each depth shares n, less what has ended, among its nodes by reward.

    n: the number of continuations in flight at the first depth, and so of solutions in all.
    balance: the softmax temperature T_b of the paper (0.1 there, for rewards in [0, 1]).
    scorer: the reward of a partial solution.
    """
    bounds = Bounds()
    async with Solutions(search, final, scorer) as found:
        left = n
        plan = [search.root] * n
        while left and plan:
            # 1. Draw the depth's continuations, merge equal ones, and score them.
            nodes = distinct(await search.extend_each(plan, until=STEP, sampling=search.at(temperature)))
            rewards = await comparable_scores(search, nodes, scorer)
            found.add(nodes, rewards)
            for reward in rewards:
                bounds.admit(reward)
            # 2. What has ended takes its part of the budget along.
            left -= sum(int(multiplicity(node)) for node in nodes if node.finished)
            going = [(node, reward) for node, reward in zip(nodes, rewards, strict=True) if not node.finished]
            # 3. The rest is shared out by reward among what can go on.
            scaled = [bounds.unit(reward) if math.isfinite(reward) else reward for _, reward in going]
            drawn = [multiplicity(node) for node, _ in going]
            counts = shares(scaled, left, balance, drawn) if going else []
            plan = [node for (node, _), count in zip(going, counts, strict=True) for _ in range(count)]
            leave((node for (node, _), count in zip(going, counts, strict=True) if not count), "given no share")
    return found.answer
