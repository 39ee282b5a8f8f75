"""Resampling schemes against what each promises."""

from __future__ import annotations

import numpy as np
import pytest

from clew.methods.common.resampling import Scheme, effective_sample_size, resample

SCHEMES: tuple[Scheme, ...] = ("systematic", "stratified", "multinomial", "residual")
WEIGHTS = np.array([0.0, 0.55, 0.02, 0.13, 0.3, 0.0])


def counts(scheme: Scheme, n: int, runs: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([np.bincount(resample(WEIGHTS, n, rng, scheme), minlength=len(WEIGHTS)) for _ in range(runs)])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("n", [1, 7])
def test_copies_are_unbiased(scheme: Scheme, n: int) -> None:
    drawn = counts(scheme, n, 4000)
    assert (drawn.sum(axis=1) == n).all()
    assert (drawn[:, WEIGHTS == 0] == 0).all()
    error = np.sqrt(n * WEIGHTS * (1 - WEIGHTS) / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - n * WEIGHTS) <= 4.5 * error + 1e-12).all()


def test_variance_falls_from_multinomial_over_residual_and_stratified_to_systematic() -> None:
    spread = {s: counts(s, 8, 3000).var(axis=0).sum() for s in SCHEMES}
    assert spread["systematic"] < 0.6 * spread["multinomial"]
    assert spread["stratified"] < 0.9 * spread["multinomial"]
    assert spread["residual"] < 0.9 * spread["multinomial"]


@pytest.mark.parametrize("scheme", ["systematic", "residual"])
def test_whole_shares_are_certain(scheme: Scheme) -> None:
    n = 8
    drawn = counts(scheme, n, 500)
    assert (drawn >= np.floor(n * WEIGHTS)).all()


def test_systematic_is_not_multinomial() -> None:
    drawn = counts("systematic", 8, 2000)
    assert (drawn <= np.ceil(8 * WEIGHTS)).all()
    assert (counts("multinomial", 8, 2000) > np.ceil(8 * WEIGHTS)).any()


def test_equal_weights_are_kept_as_they_are() -> None:
    for scheme in ("systematic", "stratified", "residual"):
        assert sorted(resample(np.ones(5), 5, np.random.default_rng(3), scheme)) == list(range(5))


def test_effective_sample_size() -> None:
    assert effective_sample_size(np.array([2.0, 2.0, 2.0])) == pytest.approx(3)
    assert effective_sample_size(np.array([1.0, 0.0])) == pytest.approx(1)
    assert effective_sample_size(np.array([0.5, 0.25, 0.25])) == pytest.approx(1 / 0.375)
