"""The operations that clew computes in llama.cpp's place: exact where they can be, and really in use."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clew.budget import Budget
from clew.ledger import Ledger
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.llamacpp import format as formats
from clew.models.llamacpp.binding import library
from clew.models.pull import pull
from clew.problem import Message, Problem
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.tasks import load_problems
from clew.tree import Segment

F32, F16, Q8_0 = 0, 1, 8
BLOCK = np.dtype([("scale", np.float16), ("quants", np.int8, 32)])

TEXT = "A cat has four legs. 3 * 4 = 12 legs. The answer is 12."


class Params(ctypes.Structure):
    """The head of ggml_compute_params."""

    _fields_ = (("thread", ctypes.c_int), ("threads", ctypes.c_int))


class Tensor(ctypes.Structure):
    """The head of ggml_tensor."""


Tensor._fields_ = (
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("size", ctypes.c_int64 * 4),
    ("stride", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_float * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offset", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
)


@pytest.fixture
def compiled() -> Iterator[ctypes.CDLL]:
    library()
    found = ops.replacements()
    if found is None:
        able = sys.platform == "linux" and "avx512_vnni" in formats.processor_flags() and shutil.which("cc")
        assert not able, "this processor could use them, and there is a compiler"
        pytest.skip("this processor has no AVX-512 VNNI, or there is no compiler")
    assert ops.in_use()
    found.clew_matmul.restype = found.clew_attention.restype = ctypes.c_bool
    yield found


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The embedded model in Q8_0, whatever this processor would compute in."""
    shipped = pull("smollm2-135m")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "processor_flags", lambda: frozenset({"avx2"}))
        patch.setenv("CLEW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield formats.compute_file(shipped)


def blocks(rng: np.random.Generator, rows: int, count: int) -> np.ndarray:
    """Q8_0 [rows, count], with the extremes of what a byte holds."""
    found = np.zeros((rows, count), BLOCK)
    found["scale"] = rng.uniform(-2, 2, (rows, count))
    found["quants"] = rng.integers(-128, 128, (rows, count, 32))
    found["quants"][0, 0] = -128
    return found


def at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("m", "n", "k"), [(16, 1, 1), (64, 5, 18), (48, 8, 48), (32, 13, 70), (96, 300, 65)])
def test_products_are_exact_within_a_block(compiled: ctypes.CDLL, m: int, n: int, k: int, threads: int) -> None:
    rng = np.random.default_rng(m + n)
    a, b = blocks(rng, m, k + 2)[:, :k], blocks(rng, n, k)
    c = np.full((n, m + 8), np.nan, np.float32)
    for thread in range(threads):
        sizes = (ctypes.c_int64(i) for i in (m, n, k))
        strides = [ctypes.c_int64(i) for i in (k + 2, k, m + 8)]
        params = ctypes.byref(Params(thread, threads))
        assert compiled.clew_matmul(params, *sizes, at(a), strides[0], at(b), strides[1], at(c), strides[2])
    dots = np.einsum("mkq,nkq->nmk", a["quants"].astype(np.int64), b["quants"].astype(np.int64))
    terms = dots * b["scale"].astype(np.float64)[:, None] * a["scale"].astype(np.float64)
    assert np.isnan(c[:, m:]).all()
    assert np.abs(c[:, :m] - terms.sum(2)).max() <= 1e-6 * np.abs(terms).sum(2).max()


def tensor(array: np.ndarray, sizes: tuple[int, ...], strides: tuple[int, ...], **more: object) -> Tensor:
    """`array` as ggml sees it: sizes and strides (in bytes) innermost first."""
    kind = F16 if array.dtype == np.float16 else F32
    return Tensor(type=kind, size=sizes, stride=strides, data=array.ctypes.data, **more)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    ("width", "queries", "heads", "groups", "sequences"),
    [(64, 1, 9, 3, 16), (64, 1, 9, 1, 1), (64, 70, 9, 3, 1), (128, 3, 4, 4, 2), (256, 1, 2, 1, 2), (64, 2, 14, 2, 3)],
)
def test_attention_is_the_softmax_over_what_the_mask_lets_through(
    compiled: ctypes.CDLL, width: int, queries: int, heads: int, groups: int, sequences: int, masked: bool
) -> None:
    rng = np.random.default_rng(width + heads)
    cells, scale = 256, 0.3
    q = rng.normal(0, 1, (sequences, queries, heads, width)).astype(np.float32)
    k, v = (rng.normal(0, 1, (sequences, cells, groups, width)).astype(np.float16) for _ in range(2))
    mask = np.where(rng.random((sequences, queries, cells)) < 0.3, 0, -np.inf).astype(np.float16)
    mask[:, :, 64:128], mask[:, :, 200] = -np.inf, -1.5
    out = np.full((sequences, queries, heads, width), np.nan, np.float32)
    row, cell = 4 * width, 2 * width
    cache = ((width, cells, groups, sequences), (2, cell * groups, cell, cell * groups * cells))
    sources = [
        tensor(q, (width, queries, heads, sequences), (4, row * heads, row, row * heads * queries)),
        tensor(k, *cache),
        tensor(v, *cache),
    ]
    if masked:
        sources.append(
            tensor(mask, (cells, queries, 1, sequences), (2, 2 * cells, 2 * cells * queries, 2 * cells * queries))
        )
    found = tensor(out, (width, heads, queries, sequences), (4, row, row * heads, row * heads * queries))
    found.op_params[0] = scale
    for i, source in enumerate(sources):
        found.src[i] = ctypes.pointer(source)
    for thread in range(2):
        assert compiled.clew_attention(ctypes.byref(Params(thread, 2)), ctypes.byref(found))
    share = heads // groups
    keys, values = (np.repeat(x.astype(np.float64), share, axis=2) for x in (k, v))
    scores = scale * np.einsum("sqhw,schw->sqhc", q.astype(np.float64), keys)
    if masked:
        scores += mask.astype(np.float64)[:, :, None]
    weights = np.exp(scores - scores.max(3, keepdims=True))
    expected = np.einsum("sqhc,schw->sqhw", weights / weights.sum(3, keepdims=True), values)
    assert np.abs(out - expected).max() < 1e-5


def test_the_engine_computes_with_them_and_says_the_same(compiled: ctypes.CDLL, model_file: Path) -> None:
    """llama.cpp's calls really end here, and a continuation is as probable as by its own operations."""

    async def read(use: bool) -> np.ndarray:
        ops.start(use)
        model = LlamaCppModel(model_file, format="as shipped")
        context = model.render([Message("user", "How many legs do three cats have?")])
        gauge = Ledger(Budget()).open(model.name, "score", model.cost, fresh=0, reused=0)
        (found,) = await model.score([context], [model.encode(TEXT)], gauges=[gauge])
        await model.close()
        assert found.logprob is not None
        return found.logprob

    try:
        before = ops.counts()
        own = asyncio.run(read(False))
        assert ops.counts() == before
        replaced = asyncio.run(read(True))
    finally:
        ops.start()
    assert all(now > then for now, then in zip(ops.counts(), before, strict=True))
    assert 0 < np.abs(replaced - own).mean() < 0.2 and abs((replaced - own).mean()) < 0.1


def test_the_same_seed_gives_the_same_tree_at_any_concurrency(compiled: ctypes.CDLL, model_file: Path) -> None:
    """To the last bit, by any number of threads; what is scored afterwards has the statistics it was drawn with."""
    problems = [Problem(p.id, p.messages, max_tokens=24) for p in load_problems("word", count=3, difficulty=2)]

    async def drawn(model: LlamaCppModel) -> list[Segment]:
        async def one(problem: Problem) -> list[Segment]:
            search = Search(problem, {GENERATE: model}, Budget(), seed=5, sampling=Sampling(temperature=0.8))
            return [node.segment async for node in search.rollouts(n=4)]

        return [segment for found in await asyncio.gather(*map(one, problems)) for segment in found]

    async def scored(model: LlamaCppModel, segments: list[Segment]) -> list[Segment]:
        ledger = Ledger(Budget())
        contexts = [model.render(p.messages) for p in problems for _ in range(4)]
        gauges = [ledger.open(model.name, "score", model.cost, fresh=0, reused=0) for _ in contexts]
        return await model.score(contexts, segments, gauges=gauges)

    async def at(live: int, threads: int) -> tuple[list[Segment], list[Segment]]:
        model = LlamaCppModel(model_file, format="as shipped", live=live, threads=threads)
        found = await drawn(model)
        read = await scored(model, found)
        await model.close()
        return found, read

    (alone, _), (together, read) = asyncio.run(at(1, 1)), asyncio.run(at(64, 2))
    for a, b, again in zip(alone, together, read, strict=True):
        np.testing.assert_array_equal(a.token_ids, b.token_ids)
        for name in ("logprob", "entropy", "certainty"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        np.testing.assert_array_equal(again.logprob, b.logprob)
