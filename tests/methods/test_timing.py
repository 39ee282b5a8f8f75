"""Searches with several branches in flight grow the same tree whatever the order in which the branches come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from clew.ledger import Gauge
from clew.models.base import Context
from clew.models.toy import ToyModel
from clew.registry import methods
from clew.sampling import Sampling, Stream, Until
from clew.search import Search
from clew.testing.toys import run
from clew.testing.toys.steps import LENGTH, LETTERS, ByText, noise, searching
from clew.tree import Segment

SPECS: list[tuple[str, dict[str, Any]]] = [
    ("beam", {}),
    ("dvts", {"n": 5}),
    ("lookahead", {"steps": 1}),
    ("alphamath", {}),
    ("rebase", {"n": 8}),
    ("best_first", {"parallel": 4}),
    ("a_star", {"parallel": 4}),
    ("dfs", {"backtracks": 5}),
    ("mcts", {"simulations": 30, "parallel": 8}),
    ("mcts", {"simulations": 12, "parallel": 4, "evaluate": "mixed", "rollouts": 2}),
    ("ab_mcts", {"n": 16, "parallel": 8}),
    ("graph_of_thought", {"parts": 3}),
    ("coat", {"simulations": 12}),
    ("tot_bfs", {"breadth": 2, "expand": 3}),
    ("rest_mcts", {"simulations": 12}),
    ("rethink_mcts", {"simulations": 8}),
    ("mcts_refine", {}),
    ("tree_planner", {"n": 8}),
    ("particle_filter", {}),
    ("entropic", {"look_ahead": True}),
    ("particle_gibbs", {}),
    ("constrained", {"n": 5, "regex": "[abc]*"}),
    ("antislop", {"n": 5, "regexes": ["ab", "cc"]}),
    ("guarded", {"n": 5, "guard": lambda text, ended: "ab" not in text}),
    ("guarded_exact", {"n": 5, "guard": lambda text, ended: "ab" not in text, "unit": "token"}),
    ("first_finish", {"n": 5}),
    ("backward_check", {}),
    ("parallel_distill_refine", {}),
    ("failed_step_pruning", {"n": 5}),
]


class Jittery(ToyModel):
    """Each call waits for a random time that has nothing to do with the search's seed."""

    def __init__(self, jitter: int) -> None:
        def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
            done = len(ids) >= LENGTH
            return [float(not done)] * 3 + [float(done)]

        super().__init__(list(LETTERS), source, name="jittery")
        self._chance = random.Random(jitter)

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        for _ in range(self._chance.randrange(12)):
            await asyncio.sleep(0)
        return await super().extend(context, until=until, sampling=sampling, streams=streams, gauges=gauges)


def shape(search: Search) -> list[tuple[str, str]]:
    return sorted((n.text, str(n.finish)) for n in search.tree.nodes)


@pytest.mark.parametrize("name,params", SPECS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(SPECS)])
def test_timing_decides_nothing(name: str, params: dict[str, Any]) -> None:
    given = dict(params)
    if "scorer" in methods[name].parameters:
        given["scorer"] = ByText(noise)
    seen = []
    for jitter in range(4):
        search = searching(model=Jittery(jitter), seed=7)
        answer = run(methods[name].make(search, **given))
        seen.append((shape(search), answer.value))
    assert all(other == seen[0] for other in seen[1:])
    assert len(seen[0][0]) > 5
