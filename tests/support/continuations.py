"""Continuing texts with the embedded engine, and comparing what it says of them."""

from __future__ import annotations

import asyncio

import numpy as np

from clew.budget import Budget
from clew.ledger import Gauge, Ledger
from clew.models.base import Context, Model
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.llamacpp.format import format_choice
from clew.problem import Message
from clew.sampling import END, GREEDY, Sampling, Stream, Until
from clew.tree import Segment


def noise() -> tuple[float, float]:
    """What other batch shapes may change in a log-probability: in most, and in one of many. Nothing where the engine's
    operations are clew's own; call it once a model is loaded."""
    return (0.0, 0.0) if ops.in_use() and format_choice().format == "q8_0" else (0.35, 1.0)


def prompt(model: Model, text: str = "Count from one to twenty in words.") -> Context:
    return model.render([Message("user", text)])


async def grow(
    model: Model,
    context: Context,
    n: int = 1,
    *,
    until: Until = END,
    sampling: Sampling = GREEDY,
    seed: int = 0,
    ledger: Ledger | None = None,
) -> list[Segment]:
    ledger = ledger or Ledger(Budget())
    gauges = [ledger.open(model.name, "generate", model.cost, fresh=0, reused=len(context)) for _ in range(n)]
    streams = [Stream("test", seed, i) for i in range(n)]
    return await model.extend(context, until=until, sampling=sampling, streams=streams, gauges=gauges)


def grown(model: Model, context: Context, n: int = 1, **settings: object) -> list[Segment]:
    return asyncio.run(grow(model, context, n, **settings))  # type: ignore[arg-type]


def agrees(model: Model, context: Context, segment: Segment) -> None:
    """What was recorded of a segment is what the model says when it reads it."""
    read = scored(model, context, segment.text)
    same = next(
        (i for i, (a, b) in enumerate(zip(read.token_ids, segment.token_ids, strict=False)) if a != b), len(read)
    )
    assert same >= min(10, len(segment) - 1)  # a drawn text may be read as other tokens than it was written with
    for name in ("logprob", "entropy", "certainty"):
        off = np.abs(getattr(read, name)[:same] - getattr(segment, name)[:same])
        usual, rare = noise()
        assert np.quantile(off, 0.8) <= usual and off.max() <= rare, (name, off)


def scored(model: Model, context: Context, text: str) -> Segment:
    """A text as the model reads it after a context."""
    return asyncio.run(model.score([context], [model.encode(text)], gauges=[gauge_of(model)]))[0]


def gauge_of(model: Model) -> Gauge:
    return Ledger(Budget()).open(model.name, "score", model.cost, fresh=0, reused=0)


def ends_of(model: LlamaCppModel) -> frozenset[int]:
    return frozenset(np.flatnonzero(model._vocabulary.ends).tolist())
