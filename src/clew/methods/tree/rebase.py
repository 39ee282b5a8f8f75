"""`rebase` (reward-balanced search): each depth has a fixed number of continuations, shared out by reward."""

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
    """How many children each node gets, [N]: `budget` · softmax(rewards / balance), rounded (arXiv:2408.00724, eq. 2).

    The shares are rounded down, and what is left of the budget goes to those with the largest remainders, so that their
    sum is the budget. A node with the reward -inf gets nothing, unless all have it: then all get the same.

    rewards: of the nodes, [N].
    budget: the number of children in all.
    balance: the softmax temperature.
    counts: how many equal draws each node stands for, [N]; it gets as much as they would together. None: one each.
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
    departs="The rounded shares of a depth always add up to its budget. Equal steps of one parent are merged into one "
    "node, which has the share and the votes of all of them. Rewards outside [0, 1] are scaled to it by the least and "
    "the greatest so far.",
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

    n: the number of continuations at the first depth, which is the number of solutions in the end.
    balance: T_b of the paper, the softmax temperature (0.1 there, for rewards in [0, 1]).
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
            # 2. Each solution that has ended takes its continuation out of the budget.
            left -= sum(int(multiplicity(node)) for node in nodes if node.finished)
            going = [(node, reward) for node, reward in zip(nodes, rewards, strict=True) if not node.finished]
            # 3. The rest of the budget is shared out by reward among the partial solutions.
            scaled = [bounds.unit(reward) if math.isfinite(reward) else reward for _, reward in going]
            drawn = [multiplicity(node) for node, _ in going]
            counts = shares(scaled, left, balance, drawn) if going else []
            plan = [node for (node, _), count in zip(going, counts, strict=True) for _ in range(count)]
            leave((node for (node, _), count in zip(going, counts, strict=True) if not count), "given no share")
    return found.answer
