"""Resampling: which of N weighted particles live on, and how often.

In every scheme the expected number of copies of particle i is n times its weight, so estimates stay unbiased; they
differ in variance (Douc, Cappé & Moulines 2005, arXiv:cs/0507025).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Indices = NDArray[np.intp]
Scheme = Literal["systematic", "stratified", "multinomial", "residual"]


def resample(weights: Weights, n: int, rng: np.random.Generator, scheme: Scheme = "systematic") -> Indices:
    """The indices of the n particles that live on, intp[n].

    weights: [N], not negative, with a positive sum. multinomial: n independent draws. stratified: one draw from each of
    n equal shares of the cumulative weight. systematic: the same draw in each share. residual: ⌊n·w⌋ copies for
    certain, the rest multinomially.
    """
    w = weights / weights.sum()
    if scheme == "residual":
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
    # Rounding may leave the total below a point; the last particle with any weight takes it.
    return np.asarray(np.minimum(found, np.flatnonzero(w)[-1]))


def effective_sample_size(weights: Weights) -> float:
    """How many equally weighted particles would be worth as much: (Σw)²/Σw² (Liu & Chen 1995), in [1, N]."""
    return float(weights.sum() ** 2 / (weights**2).sum())
