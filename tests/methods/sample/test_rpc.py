"""RPC: votes are probabilities of distinct paths, and improbable paths are pruned."""

from __future__ import annotations

import numpy as np
import pytest

from clew.budget import Budget
from clew.methods.sample.rpc import pruned, rpc_vote
from clew.runner import Cell, solve
from clew.sampling import Sampling
from clew.search import Search
from clew.testing.toys import letters, problem, run


def test_each_distinct_path_votes_once_with_its_probability() -> None:
    async def go() -> None:
        toy = letters({"a": 0.6, "b": 0.4}, length=2)
        s = Search(problem(extract=lambda t: t[:1]), {"generate": toy}, sampling=Sampling(temperature=1.0))
        leaves = await s.extend(s.root, 40)
        answer = rpc_vote(s.problem, leaves, {})
        # Four paths: aa .36, ab .24, ba .24, bb .16; votes are proportional to p(path), largest scaled to 1.
        keep = ~pruned(np.array([{"aa": 0.36, "ab": 0.24, "ba": 0.24, "bb": 0.16}[n.solution] for n in leaves]) / 0.36)
        expected = {"a": 0.0, "b": 0.0}
        for path in {n.solution for n, k in zip(leaves, keep, strict=True) if k}:
            expected[path[0]] += {"aa": 0.36, "ab": 0.24, "ba": 0.24, "bb": 0.16}[path] / 0.36
        assert {k: pytest.approx(v, rel=1e-4) for k, v in expected.items() if v} == {
            k: v for k, v in answer.votes.items() if v
        }

    run(go())


def test_pruning_removes_the_low_cluster_and_never_what_is_above_the_mean() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.weibull(6, 40) * 0.9, rng.weibull(1.2, 40) * 0.02
    gone = pruned(np.concatenate([high, low]))
    assert gone[40:].mean() > 0.8
    assert gone[:40].mean() < 0.2
    both = np.concatenate([high, low])
    assert not gone[both >= both.mean()].any()


def test_pruning_needs_something_to_compare() -> None:
    assert not pruned(np.array([0.3, 0.2])).any()
    assert not pruned(np.full(10, 0.5)).any()


def test_estimation_error_falls_faster_than_by_counting() -> None:
    """The paper's claim: with few distinct paths, summing probabilities finds the best answer with fewer samples."""
    toy = letters({"a": 0.28, "b": 0.24, "c": 0.24, "d": 0.24}, length=1)

    def right(method: str) -> float:
        cells = (Cell(problem(), method, seed) for seed in range(60))
        results = [
            run(solve(c, {"generate": toy}, Budget(tokens=10**6), sampling=Sampling(temperature=1.0))) for c in cells
        ]
        return float(np.mean([str(r) == "a" for r in results]))

    assert right("rpc?n=12") > right("self_consistency?n=12") + 0.2
