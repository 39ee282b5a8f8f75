"""`rpc` (reasoning pruning and perplexity consistency): probable paths vote by their probability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clew.parameters import Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method
from clew.scorers.likelihood import mean_token_probability
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Array = NDArray[np.float64]
_CAP = 50.0
"""The greatest exponent that is computed: the density is 0 long before it, and greater ones would overflow."""

_EULER = 0.5772156649
"""Euler's constant γ: -ln of a Weibull variate of scale 1 has the mean γ/shape and the deviation π/(√6·shape)."""

_SPLITS = (0.2, 0.5, 0.9)
"""Quantiles of the data at which further starts of the fit divide it into the two components."""


def rpc_vote(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The vote in which each distinct path that is not pruned weighs exp(mean log-probability of its tokens).

    arXiv:2502.00511, sections 3.3 and 3.4; the mean is what the authors' code takes as a path's internal probability.

    problem: says how an answer is found in a text.
    leaves: the solutions.
    params: the parameters of `rpc`, none of which matters here.

    Raises UsageError where the model tells no log-probabilities.
    """
    probability = np.array([mean_token_probability("rpc", leaf) for leaf in leaves], np.float64)
    weights = np.zeros(len(leaves))
    written = np.flatnonzero(~np.isnan(probability))
    weights[written] = np.where(pruned(probability[written]), 0.0, probability[written])
    seen: set[tuple[str, bytes]] = set()
    for i, leaf in enumerate(leaves):
        # By its text too: a server that tells no token ids has -1 for each.
        path = (leaf.solution, b"".join(node.segment.token_ids.tobytes() for node in leaf.solution_path))
        if path in seen:
            weights[i] = 0.0
        seen.add(path)
    return vote(problem, leaves, weights.tolist())


def pruned(probability: Array) -> NDArray[np.bool_]:
    """Which paths reasoning pruning removes, bool[N] (section 3.4).

    A mixture of two Weibull distributions is fitted to the probabilities of the paths. A path is removed if it belongs
    more probably to the lower component, and if its probability is below the mean.

    probability: of the paths, float64[N], positive.
    """
    if len(probability) < 3 or np.ptp(probability) == 0:
        return np.zeros(len(probability), bool)
    w, k, lam = fitted(probability)
    log_parts = np.log(w) + _log_weibull(probability[:, None], k, lam)
    from scipy.special import gamma

    high = int(np.argmax(lam * gamma(1 + 1 / k)))
    low_is_likelier: NDArray[np.bool_] = log_parts[:, 1 - high] > log_parts[:, high]
    below: NDArray[np.bool_] = probability < probability.mean()
    return low_is_likelier & below


def log_likelihood(x: Array, w: Array, k: Array, lam: Array) -> float:
    """The log-likelihood of values under a mixture of two Weibull distributions.

    x: the values, float64[N], positive.
    w, k, lam: the weights, shapes and scales of the two components, each float64[2].
    """
    return float(np.logaddexp.reduce(np.log(w) + _log_weibull(x[:, None], k, lam), axis=1).sum())


def _log_weibull(x: Array, k: Array, lam: Array) -> Array:
    """The logarithm of the Weibull density of x, float64[N, 1], under each component, float64[N, 2]."""
    z = np.log(x) - np.log(lam)
    out: Array = np.log(k) - np.log(lam) + (k - 1) * z - np.exp(np.minimum(k * z, _CAP))
    return out


def fitted(x: Array) -> tuple[Array, Array, Array]:
    """The mixture that fits values best: the weights, shapes and scales of its two components, each float64[2].

    The likelihood has many local optima. So it is maximised from several starts: the published one (weight 0.5, shapes
    1 and 1.5, scales 1 and 2), and some that divide the data. The weight is bounded to [0.2, 0.8], as in the authors'
    code.

    x: the values, float64[N], positive.
    """
    from scipy.optimize import minimize

    log_x = np.log(x)[:, None]

    def loss(theta: Array) -> tuple[float, Array]:
        """Minus the log-likelihood, and its gradient. theta: weight, log-shapes and log-scales, float64[5]."""
        # e is (x/λ)^k. share is the posterior probability of each component, given x.
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

    least, most = float(log_x.min()), float(log_x.max())
    scales = (least - 10.0, max(most, np.log(2.0)) + 5.0)
    bounds = [(0.2, 0.8), (-3.0, 4.0), (-3.0, 4.0), scales, scales]
    with _blas().limit(limits=1):
        runs = [
            minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 200})
            for start in _starts(np.sort(log_x[:, 0]))
        ]
    theta = min(runs, key=lambda run: float(run.fun)).x
    return np.array([theta[0], 1 - theta[0]]), np.exp(theta[1:3]), np.exp(theta[3:5])


def _starts(log_x: Array) -> Iterator[Array]:
    """The published start, and then one for each split of the sorted data, with the moments of its two sides."""
    yield np.array([0.5, 0.0, np.log(1.5), 0.0, np.log(2.0)])
    for split in _SPLITS:
        at = min(max(1, round(split * len(log_x))), len(log_x) - 1)
        shapes = [np.clip(np.pi / np.sqrt(6) / max(float(part.std()), 1e-3), 0.05, 50.0) for part in _parts(log_x, at)]
        scales = [part.mean() + _EULER / k for part, k in zip(_parts(log_x, at), shapes, strict=True)]
        yield np.array([np.clip(1 - split, 0.2, 0.8), *np.log(shapes), *scales])


def _parts(log_x: Array, at: int) -> tuple[Array, Array]:
    return log_x[at:], log_x[:at]


@cache
def _blas() -> ThreadpoolController:
    """The control over the threads of BLAS, made once.

    On the 5 × 5 matrices of a fit these threads only wait for each other, while an engine needs the processors: a fit
    takes 180 ms instead of 1.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@method(
    "rpc",
    family="sample",
    paper="arXiv:2502.00511",
    needs={"text", "logprobs"},
    proof="tests/methods/sample/test_rpc.py",
    departs="The mixture is fitted from several starts, of which the published one is the first, and in logarithms of "
    "shapes and scales.",
    aggregate=rpc_vote,
)
async def rpc(search: Search, *, n: Samples | None = None, temperature: Temperature | None = None) -> Answer:
    """Sample n solutions, prune improbable ones, and let each distinct path vote by its mean token probability."""
    return await search.aggregate(n, partial(rpc_vote, search.problem, params={}), temperature=temperature)
