"""The architectures and formats that people have keep what the engine promises: shared prefixes, exact branches.

The models are tiny and random; each has what is special about its family: norms of queries and keys (Qwen 3), factors
of rotations (Llama 3), sliding windows, more norms and tied embeddings (Gemma 3), layers without rotations (SmolLM 3).
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from clew.budget import Budget
from clew.ledger import Ledger
from clew.models.base import Context
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.llamacpp.binding import library
from clew.models.llamacpp.format import convert
from clew.sampling import Sampling, tokens
from clew.tree import Segment
from support.continuations import gauge_of, grown, prompt
from support.tiny_models import SIZES, tiny_model

FORMATS = {"f32": None, "q8_0": 7, "q4_k_m": 15, "q6_k": 18}
NOISE = {"f32": 0.003, "q8_0": 0.5, "q4_k_m": 0.5, "q6_k": 0.5}
"""What other batch shapes may change in a log-probability: the quantised ones round activations too."""


@pytest.fixture(scope="module", params=list(SIZES))
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(request.param, tmp_path_factory.mktemp("tiny") / f"{request.param}.gguf")


@pytest.fixture(params=list(FORMATS))
def file(request: pytest.FixtureRequest, shipped: Path, tmp_path: Path) -> Path:
    library()
    kind = FORMATS[request.param]
    target = tmp_path / f"{shipped.stem}-{request.param}.gguf"
    if kind is None:
        shutil.copyfile(shipped, target)
    else:
        assert convert(shipped, target, kind)
    return target


def read_again(file: Path, context: Context, segments: list[Segment]) -> list[Segment]:
    """The segments as a model reads them that keeps nothing of what it computed for another one."""

    async def read() -> list[Segment]:
        model = LlamaCppModel(file, format="as shipped")
        found = []
        for segment in segments:
            model._scheduler._cache.clear()
            found += await model.score([context], [segment], gauges=[gauge_of(model)])
        await model.close()
        return found

    return asyncio.run(read())


def test_prefixes_are_shared_and_branches_say_what_a_fresh_reading_says(file: Path) -> None:
    model = LlamaCppModel(file, format="as shipped")
    context = prompt(model, "Tell me of the sea and of the wind. " * 3)
    assert len(context) > 128, "longer than a sliding window"
    products, attentions = ops.counts()
    ledger = Ledger(Budget())
    # One branch, then more than there are slots, so that what is held moves to another cache.
    segments = grown(model, context, 1, until=tokens(16), sampling=Sampling(), ledger=ledger)
    segments += grown(model, context, 10, until=tokens(16), sampling=Sampling(), seed=1, ledger=ledger)
    # A copy of a text that is longer than the window does not hold all that its prompt is gone on from.
    windows = file.stem.startswith("gemma3")
    assert ledger.usage.total.computed <= len(context) * (2 if windows else 1)
    kept = segments[0].head(9)
    back = Ledger(Budget())
    (again,) = grown(model, context.extended([kept]), until=tokens(8), sampling=Sampling(), ledger=back)
    assert windows or back.usage.total.computed <= 1
    asyncio.run(model.close())

    format = file.stem.partition("-")[2]
    own = ops.in_use() and format == "q8_0"
    if ops.in_use():
        assert ops.counts()[1] > attentions, "attention is computed by clew's own operation"
        assert (ops.counts()[0] > products) == own
    # Cells that left a sliding window are used again, so that sums over them come in another order.
    allowed = 0 if own and not windows else NOISE[format]
    fresh = read_again(file, context, segments) + read_again(file, context.extended([kept]), [again])
    for segment, read in zip([*segments, again], fresh, strict=True):
        assert segment.logprob is not None and read.logprob is not None
        assert np.abs(segment.logprob - read.logprob).max() <= allowed
