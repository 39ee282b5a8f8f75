"""The reference sampler against its definitions, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.models.draw import draw, invert, log_softmax, proposal, statistics
from clew.sampling import GREEDY, Sampling

P = np.array([0.5, 0.25, 0.15, 0.1])
LOGITS = np.log(P) + 3.0
PLAIN = Sampling(temperature=1.0)


def chances(sampling: Sampling, **where: object) -> list[float]:
    return np.exp(proposal(LOGITS, sampling, **where)).tolist()  # type: ignore[arg-type]


def test_statistics_are_those_of_the_unmodified_distribution() -> None:
    drawn = draw(LOGITS[None], [Sampling(temperature=0.3, top_k=2, top=3)], [0.0])
    assert drawn.ids.tolist() == [0]
    assert drawn.logprob[0] == pytest.approx(math.log(0.5))
    assert drawn.entropy[0] == pytest.approx(-(P * np.log(P)).sum())
    assert drawn.certainty[0] == pytest.approx((0.25 * np.log(0.25 / P)).sum())
    weights = P[:2] ** (1 / 0.3)
    assert drawn.proposal_logprob[0] == pytest.approx(math.log(weights[0] / weights.sum()))
    assert drawn.top_ids[0].tolist() == [0, 1, 2]
    assert drawn.top_logprob[0] == pytest.approx(np.log(P[:3]))


def test_statistics_stay_finite_where_a_token_is_impossible() -> None:
    entropy, certainty = statistics(log_softmax([0.0, 0.0, -np.inf]))
    assert entropy == pytest.approx(math.log(2))
    assert certainty == pytest.approx(-math.log(3) + (2 * math.log(2) + 100) / 3)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (PLAIN, [0.5, 0.25, 0.15, 0.1]),
        (PLAIN.but(temperature=0.5), (P**2 / (P**2).sum()).tolist()),
        (PLAIN.but(top_k=2), [2 / 3, 1 / 3, 0, 0]),
        (PLAIN.but(top_k=9), [0.5, 0.25, 0.15, 0.1]),
        (PLAIN.but(top_p=0.45), [1, 0, 0, 0]),
        (PLAIN.but(top_p=0.6), [2 / 3, 1 / 3, 0, 0]),
        # Of the three that top-k leaves, the first two hold 0.83 of the mass.
        (PLAIN.but(top_k=3, top_p=0.8), [2 / 3, 1 / 3, 0, 0]),
        (PLAIN.but(min_p=0.4), [2 / 3, 1 / 3, 0, 0]),
        (PLAIN.but(logit_bias={3: math.log(5)}), [0.5 / 1.4, 0.25 / 1.4, 0.15 / 1.4, 0.5 / 1.4]),
        (GREEDY, [1, 0, 0, 0]),
        (GREEDY.but(logit_bias={2: 9.0}), [0, 0, 1, 0]),
    ],
)
def test_filters_follow_their_definitions(sampling: Sampling, expected: list[float]) -> None:
    assert chances(sampling) == pytest.approx(expected)


def test_repetition_penalty_falls_once_on_each_token_of_the_history() -> None:
    penalised = np.array([2.0, 1.0, -1.0])
    logq = proposal(penalised, PLAIN.but(repetition_penalty=2.0), history=[0, 2, 2, -1])
    assert logq == pytest.approx(log_softmax([1.0, 1.0, -2.0]))
    drawn = draw(penalised[None], [PLAIN.but(repetition_penalty=2.0)], [0.0], histories=[np.array([0, 2])])
    assert drawn.proposal_logprob[0] == pytest.approx(logq[0])


def test_bans_hold_at_their_offset_only() -> None:
    sampling = GREEDY.but(bans={1: frozenset({0})})
    drawn = draw(np.stack([LOGITS] * 3), [sampling] * 3, [0.9] * 3, offsets=[0, 1, 2])
    assert drawn.ids.tolist() == [0, 1, 0]


def test_a_dead_end_draws_nothing_and_is_not_nan() -> None:
    drawn = draw(LOGITS[None], [Sampling(bans={0: frozenset(range(4))})], [0.5])
    assert drawn.ids.tolist() == [-1]
    assert drawn.proposal_logprob[0] == -np.inf
    assert np.isfinite(drawn.entropy[0])


def test_inversion_never_draws_what_has_no_probability() -> None:
    cumulative = np.cumsum([0.0, 0.3, 0.0, 0.7, 0.0])
    assert [invert(cumulative, u) for u in (0.0, 0.29, 0.31, np.nextafter(1.0, 0.0))] == [1, 1, 3, 3]
    assert invert(np.zeros(4), 0.5) == -1


def test_draws_have_the_stated_frequencies() -> None:
    uniforms = (np.arange(2000) + 0.5) / 2000
    drawn = draw(np.stack([LOGITS] * 2000), [PLAIN] * 2000, uniforms.tolist())
    assert np.bincount(drawn.ids, minlength=4).tolist() == [1000, 500, 300, 200]
