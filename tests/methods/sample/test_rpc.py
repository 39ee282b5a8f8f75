"""RPC: votes are probabilities of distinct paths, and improbable paths are pruned."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from clew.budget import Budget
from clew.methods.sample.rpc import fitted, log_likelihood, pruned, rpc_vote
from clew.methods.sample.self_consistency import consensus
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.search import Search
from clew.testing.toys import letters, problem, run, search
from clew.tree import Finish
from support.segments import add


def test_each_distinct_path_votes_once_with_its_mean_token_probability() -> None:
    async def go() -> None:
        toy = letters({"a": 0.6, "b": 0.4}, length=2)
        s = Search(problem(extract=lambda t: t[:1]), {"generate": toy}, sampling=Sampling(temperature=1.0))
        leaves = await s.extend(s.root, 40)
        answer = rpc_vote(s.problem, leaves, {})
        # Three tokens a path, the last one (its end) certain: the cube roots of aa .36, ab .24, ba .24, bb .16.
        p = {path: mass ** (1 / 3) for path, mass in {"aa": 0.36, "ab": 0.24, "ba": 0.24, "bb": 0.16}.items()}
        keep = ~pruned(np.array([p[n.solution] for n in leaves]))
        expected = {"a": 0.0, "b": 0.0}
        for path in {n.solution for n, k in zip(leaves, keep, strict=True) if k}:
            expected[path[0]] += p[path]
        assert {k: pytest.approx(v, rel=1e-4) for k, v in expected.items() if v} == {
            k: v for k, v in answer.votes.items() if v
        }

    run(go())


def test_where_a_server_tells_no_token_ids_the_text_tells_paths_apart() -> None:
    """And the tokens of which it tells the log-probability are those that count."""
    s = search(extract=lambda text: text[-1:])
    leaves = [add(s, ["x", end], logprob=[np.nan, math.log(0.5)], finish=Finish.END) for end in "abb"]
    for answer in (rpc_vote(s.problem, leaves, {}), consensus(s.problem, leaves[:2], {"weighting": "probability"})):
        assert answer.votes == pytest.approx({"a": 0.5, "b": 0.5})


def test_on_long_traces_no_path_takes_all_the_votes() -> None:
    """Whole paths of 60 tokens differ by many orders of magnitude; by mean token probability they are comparable."""

    async def go() -> float:
        toy = letters({"a": 0.5, "b": 0.3, "c": 0.2}, length=60)
        given = problem(extract=lambda text: text, max_tokens=100)
        s = Search(given, {"generate": toy}, sampling=Sampling(temperature=1.0))
        answer = rpc_vote(given, await s.extend(s.root, 32), {})
        return max(answer.votes.values()) / sum(answer.votes.values())

    assert run(go()) < 0.15


def test_pruning_removes_the_low_cluster_and_never_what_is_above_the_mean() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.weibull(6, 40) * 0.9, rng.weibull(1.2, 40) * 0.02
    gone = pruned(np.concatenate([high, low]))
    assert gone[40:].mean() > 0.8
    assert gone[:40].mean() < 0.2
    both = np.concatenate([high, low])
    assert not gone[both >= both.mean()].any()


def published(x: np.ndarray) -> float:
    """The log-likelihood at the optimum that the authors' procedure finds: from their start, with their bounds."""

    def loss(theta: np.ndarray) -> float:
        w = np.array([theta[0], 1 - theta[0]])
        return -log_likelihood(x, w, theta[[1, 3]], theta[[2, 4]])

    bounds = [(0.2, 0.8), *[(0.01, 50.0), (1e-30, None)] * 2]
    with threadpool_limits(1):
        return -float(minimize(loss, [0.5, 1.0, 1.0, 1.5, 2.0], bounds=bounds).fun)


@pytest.mark.parametrize("scale", ["mean token", "whole path"])
def test_the_fit_is_as_good_as_the_published_one_and_always_prunes(scale: str) -> None:
    """On 100 random sets: probabilities of tokens that differ by a factor, and of paths that differ by many orders."""
    shares, better = [], 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(8, 65))
        mean = -rng.gamma(2.0, 0.15, n) - 0.02
        x = np.exp(mean if scale == "mean token" else mean * rng.integers(10, 60, n))
        gained = log_likelihood(x, *fitted(x)) - published(x)
        assert gained > -0.05, f"seed {seed}: the published start leads further"
        gone = pruned(x)
        assert gone.any() and not gone[x >= x.mean()].any(), f"seed {seed} prunes nothing"
        shares.append(gone.mean())
        better += gained > 0.05
    assert 0.2 < np.mean(shares) < 0.6
    assert better > 10, "other starts find better optima"


def test_pruning_needs_something_to_compare() -> None:
    assert not pruned(np.array([0.3, 0.2])).any()
    assert not pruned(np.full(10, 0.5)).any()


def test_estimation_error_falls_faster_than_by_counting() -> None:
    """The paper's claim: with few distinct paths, summing probabilities finds the best answer with fewer samples."""
    toy = letters({"a": 0.28, "b": 0.24, "c": 0.24, "d": 0.24}, length=1)

    def right(method: str) -> float:
        trials = (Trial(problem(), method, seed) for seed in range(60))
        results = [
            run(run_trial(c, {"generate": toy}, Budget(tokens=10**6), sampling=Sampling(temperature=1.0)))
            for c in trials
        ]
        return float(np.mean([str(r) == "a" for r in results]))

    assert right("rpc?n=12") > right("self_consistency?n=12") + 0.2
