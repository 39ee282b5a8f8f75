"""RPC: reasoning pruning and perplexity consistency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clew.parameters import Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Array = NDArray[np.float64]
_CAP = 50.0  # exponents beyond it change nothing but overflow


def rpc_vote(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """Each distinct path votes with its probability, unless it is pruned (arXiv:2502.00511, sections 3.3 and 3.4)."""
    logs = np.array([leaf.stat("logprob").sum(dtype=np.float64) for leaf in leaves])
    if params.get("per_token", False):
        logs /= np.array([max(1, leaf.tokens) for leaf in leaves])
    # Votes and pruning are unchanged by a common factor, and long paths would underflow without one.
    probability = np.exp(logs - logs.max()) if len(logs) else logs
    weights = np.where(pruned(probability), 0.0, probability)
    seen: set[tuple[int, ...]] = set()
    for i, leaf in enumerate(leaves):
        path = tuple(int(t) for node in leaf.solution_path for t in node.segment.token_ids)
        if path in seen:
            weights[i] = 0.0
        seen.add(path)
    return vote(problem, leaves, weights.tolist())


def pruned(probability: Array) -> NDArray[np.bool_]:
    """Which paths reasoning pruning removes, bool[N]: those that are more probably of the lower component of a
    mixture of two Weibull distributions fitted to the paths' probabilities, and below their mean (section 3.4)."""
    if len(probability) < 3 or np.ptp(probability) == 0:
        return np.zeros(len(probability), bool)
    scaled = np.maximum(probability / probability.mean(), 1e-12)
    w, k, lam = _fit_mixture(scaled)
    log_parts = np.log(w) + _log_weibull(scaled[:, None], k, lam)
    from scipy.special import gamma

    high = int(np.argmax(lam * gamma(1 + 1 / k)))
    low_is_likelier: NDArray[np.bool_] = log_parts[:, 1 - high] > log_parts[:, high]
    below: NDArray[np.bool_] = probability < probability.mean()
    return low_is_likelier & below


def _log_weibull(x: Array, k: Array, lam: Array) -> Array:
    z = np.log(x) - np.log(lam)
    out: Array = np.log(k) - np.log(lam) + (k - 1) * z - np.exp(np.minimum(k * z, _CAP))
    return out


def _fit_mixture(x: Array) -> tuple[Array, Array, Array]:
    """Weights, shapes and scales, each float64[2], by maximum likelihood; start and bounds as the authors' code has
    them (weight in [0.2, 0.8], start at 0.5, shapes 1 and 1.5, scales 1 and 2)."""
    from scipy.optimize import minimize

    log_x = np.log(x)[:, None]

    def loss(theta: Array) -> tuple[float, Array]:
        w, k = np.array([theta[0], 1 - theta[0]]), np.exp(theta[1:3])
        z = k * (log_x - theta[3:5])
        e = np.exp(np.minimum(z, _CAP))
        parts = np.log(w) + theta[1:3] - log_x + z - e
        total = np.logaddexp(parts[:, 0], parts[:, 1])
        share = np.exp(parts - total[:, None])
        by_weight = (share / w).sum(0)
        by_shape = (share * (1 + z - z * e)).sum(0)
        by_scale = (share * k * (e - 1)).sum(0)
        return -float(total.sum()), -np.array([by_weight[0] - by_weight[1], *by_shape, *by_scale])

    start = np.array([0.5, 0.0, np.log(1.5), 0.0, np.log(2.0)])
    bounds = [(0.2, 0.8), (-3.0, 4.0), (-3.0, 4.0), (-30.0, 5.0), (-30.0, 5.0)]
    with _blas().limit(limits=1):
        theta = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 60}).x
    return np.array([theta[0], 1 - theta[0]]), np.exp(theta[1:3]), np.exp(theta[3:5])


@cache
def _blas() -> ThreadpoolController:
    """BLAS threads spin on a 5 × 5 matrix while an engine wants the processors: 180 ms a fit instead of 1."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@method(
    "rpc",
    family="sample",
    paper="arXiv:2502.00511",
    needs={"text", "logprobs"},
    proof="tests/methods/sample/test_rpc.py",
    departs="Shapes and scales are fitted in logarithms, to probabilities divided by their mean: the same optimum "
    "without underflow for long paths.",
    aggregate=rpc_vote,
)
async def rpc(
    search: Search, *, n: Samples | None = None, per_token: bool = False, temperature: Temperature | None = None
) -> Answer:
    """Sample n solutions; each distinct path votes with its probability after improbable paths are pruned.

    per_token: use the geometric mean of the token probabilities instead of the path's.
    """
    return await search.aggregate(
        n, partial(rpc_vote, search.problem, params={"per_token": per_token}), temperature=temperature
    )
