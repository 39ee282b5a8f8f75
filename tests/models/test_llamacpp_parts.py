"""The engine's parts that need no model: the prefix tree, the drawing kernel against its reference, UTF-8."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.models.llamacpp.prefix_tree import PrefixTree
from clew.models.llamacpp.sampler import NOT_A_NUMBER, Draw, Drawn, kernel, observe, sample
from clew.sampling import Sampling, Stream
from clew.tree import common

VOCAB = 5003  # no multiple of the kernel's blocks

paths = st.lists(st.integers(0, 2), max_size=8).map(lambda p: np.array(p, np.int32))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), paths), max_size=40), st.lists(paths, max_size=8))
@settings(max_examples=200, deadline=None)
def test_prefix_tree_finds_the_longest_held_prefix(
    changes: list[tuple[bool, int, np.ndarray]], asked: list[np.ndarray]
) -> None:
    tree: PrefixTree[int] = PrefixTree()
    held: dict[int, np.ndarray] = {}
    for put, number, path in changes:
        if put:
            tree.insert(number, number, path)
            held[number] = path
        else:
            tree.remove(number)
            held.pop(number, None)
    for path in asked:
        best = max((common(path, h) for h in held.values()), default=0)
        length, holder = tree.match_prefix(path)
        assert length == best
        if best:
            assert holder is not None and common(held[holder], path) == best
    for number, path in held.items():
        others = [h for n, h in held.items() if n != number]
        assert tree.covered(number) == (not len(path) or any(common(path, h) == len(path) for h in others))


def drawn(
    logits: np.ndarray, settings: list[Sampling], *, compiled: bool, at: int = 0, seen: list[int] | None = None
) -> Drawn:
    rows = (logits.ctypes.data + 4 * logits.shape[1] * np.arange(len(logits))).astype(np.uintp)
    history = np.array(seen or [], np.int32)
    draws = [Draw(s, Stream("row", i), history) for i, s in enumerate(settings)]
    for d in draws:
        for _ in range(at + 1):
            d.uniform()
            d.count += 1
        d.count -= 1
    return sample(rows, logits.shape[1], draws, [[]] * len(draws), compiled=compiled)


SETTINGS = [
    Sampling(temperature=0),
    Sampling(temperature=1),
    Sampling(temperature=0.8),
    Sampling(temperature=1.7),
    Sampling(top_k=1),
    Sampling(top_k=40),
    Sampling(top_k=VOCAB + 5),
    Sampling(top_p=0.9),
    Sampling(top_p=0.05),
    Sampling(temperature=1.5, top_p=0.99),
    Sampling(min_p=0.05),
    Sampling(top_k=30, top_p=0.8, min_p=0.02),
    Sampling(top=7),
    Sampling(repetition_penalty=1.3),
    Sampling(logit_bias={4: 9.0, 5: -9.0}),
    Sampling(temperature=0, bans={0: frozenset(range(0, VOCAB, 2))}),
    Sampling(top_p=0.9, bans={0: frozenset(range(100))}, repetition_penalty=1.2),
]


@pytest.mark.skipif(kernel() is None, reason="no compiled kernel here")
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: str(SETTINGS.index(s)))
def test_kernel_draws_as_the_reference_does(setting: Sampling) -> None:
    rng = np.random.default_rng(SETTINGS.index(setting))
    logits = (rng.standard_normal((60, VOCAB)) * rng.uniform(0.2, 6, (60, 1))).astype(np.float32)
    logits[:, :8] += 6
    seen = [1, 2, 3, 3, 4999, -1]
    fast = drawn(logits, [setting] * 60, compiled=True, seen=seen)
    slow = drawn(logits, [setting] * 60, compiled=False, seen=seen)
    same = np.array(fast.ids) == np.array(slow.ids)
    assert same.mean() > 0.97  # a uniform number within rounding of a token's border may fall to either side
    np.testing.assert_allclose(fast.stats[same], slow.stats[same], rtol=2e-5, atol=2e-5)
    if setting.top:
        assert fast.top_ids is not None and fast.top_logprob is not None
        np.testing.assert_array_equal(fast.top_ids, slow.top_ids)
        np.testing.assert_allclose(fast.top_logprob, slow.top_logprob, atol=2e-5)


@pytest.mark.parametrize("compiled", [True, False])
def test_ties_dead_ends_and_nan(compiled: bool) -> None:
    logits = np.zeros((4, 300), np.float32)
    logits[1, 100:] = -np.inf
    logits[2, 7] = np.nan
    settings = [Sampling(temperature=0), Sampling(), Sampling(), Sampling(bans={0: frozenset(range(300))})]
    out = drawn(logits, settings, compiled=compiled)
    assert out.ids[0] == 0
    assert 0 <= out.ids[1] < 100
    assert out.ids[2] == NOT_A_NUMBER
    assert out.ids[3] == -1
    np.testing.assert_allclose(out.stats[0], [-np.log(300), np.log(300), 0, 0], atol=1e-5)
    assert out.stats[1, 2] == pytest.approx(-np.log(300) + (np.log(100) * 100 + 100 * 200) / 300, rel=1e-5)


@pytest.mark.parametrize("compiled", [True, False])
def test_top_k_breaks_ties_by_the_lower_id(compiled: bool) -> None:
    logits = np.zeros((200, 300), np.float32)
    out = drawn(logits, [Sampling(top_k=5)] * 200, compiled=compiled)
    assert set(out.ids) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose(out.stats[:, 3], -np.log(5), atol=1e-5)


@pytest.mark.parametrize("compiled", [True, False])
def test_observed_tokens_get_their_own_log_probability(compiled: bool) -> None:
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((5, 1000)).astype(np.float32)
    rows = (logits.ctypes.data + 4000 * np.arange(5)).astype(np.uintp)
    out = observe(rows, 1000, [0, 1, 999, 3, 4], 0, compiled=compiled)
    expected = logits[np.arange(5), [0, 1, 999, 3, 4]] - np.log(np.exp(logits).sum(axis=1))
    np.testing.assert_allclose(out.stats[:, 0], expected, atol=1e-5)


def test_draws_do_not_depend_on_the_batch() -> None:
    logits = np.random.default_rng(1).standard_normal((8, VOCAB)).astype(np.float32)
    together = drawn(logits, [Sampling()] * 8, compiled=True, at=70)
    for i in range(8):
        rows = (logits.ctypes.data + 4 * VOCAB * np.arange(i, i + 1)).astype(np.uintp)
        state = Draw(Sampling(), Stream("row", i), np.zeros(0, np.int32))
        for _ in range(70):
            state.uniform()
            state.count += 1
        assert sample(rows, VOCAB, [state], [[]]).ids == together.ids[i : i + 1]
