"""Resampling: which of N weighted particles are kept, and in how many copies.

In every scheme the expected number of copies of particle i is n times its normalised weight, so estimates stay
unbiased. The schemes differ in the variance that they add (Douc, Cappé & Moulines 2005, arXiv:cs/0507025).
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from clew.parameters import Meaning, Share

Weights = NDArray[np.float64]
Indices = NDArray[np.intp]

Ess = Annotated[
    Share,
    Meaning(
        "Particles are resampled when their effective sample size is below this share of their number; 1 resamples "
        "after every step."
    ),
]
Scheme = Annotated[
    Literal["systematic", "stratified", "multinomial", "residual"],
    Meaning("How particles are drawn by weight when they are resampled."),
]
"""How particles are resampled (see `resample`)."""


def resample(weights: Weights, n: int, rng: np.random.Generator, scheme: Scheme = "systematic") -> Indices:
    """The indices of the n particles that are kept, intp[n]; a particle may be among them several times.

    weights: of the particles, float64[N], not negative, with a positive sum.
    n: how many particles are kept.
    rng: the source of randomness.
    scheme: how they are drawn.
        `multinomial`: n independent draws by weight. `stratified`: the cumulative weight is cut into n equal strata,
        and one point is drawn in each. `systematic`: the same, with the points in the same place of every stratum.
        `residual`: ⌊n·w⌋ copies of each particle of normalised weight w, and the rest by multinomial draws.
    """
    w = weights / weights.sum()
    if scheme == "residual":
        # 1e-9 makes up for rounding, where n·w is a whole number.
        certain = np.repeat(np.arange(len(w)), np.floor(n * w + 1e-9).astype(int))[:n]
        rest = np.maximum(n * w - np.floor(n * w + 1e-9), 0.0)
        left = n - len(certain)
        drawn = resample(rest, left, rng, "multinomial") if left else certain[:0]
        return np.concatenate([certain, drawn])
    if scheme == "multinomial":
        points = rng.random(n)
    elif scheme == "stratified":
        points = (np.arange(n) + rng.random(n)) / n
    else:
        points = (np.arange(n) + rng.random()) / n
    found = np.searchsorted(np.cumsum(w), points, side="right")
    # Rounding may leave the cumulative weight below the last point: it belongs to the last particle with weight.
    return np.asarray(np.minimum(found, np.flatnonzero(w)[-1]))


def effective_sample_size(weights: Weights) -> float:
    """How many equally weighted particles would estimate as well: (Σw)²/Σw², in [1, N] (Liu & Chen 1995).

    weights: of the particles, float64[N], with a positive sum.
    """
    return float(weights.sum() ** 2 / (weights**2).sum())
