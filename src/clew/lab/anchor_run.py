"""The work of `clew anchors`: measures the importance of each sentence of a stored trace, and keeps it in the run."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clew.analysis.anchors import Anchors, find_anchors
from clew.background import run_in_background
from clew.lab.stored_trace import StoredTrace
from clew.search import Search
from clew.store import Store

Progress = Callable[[int, int, int], None]
"""Called with (rollouts drawn, rollouts in all, tokens spent)."""
_TICK = 0.2  # seconds between two calls


def anchored(
    run: Path,
    stored: StoredTrace,
    *,
    rollouts: int,
    model: str | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total, tokens: None,
) -> dict[str, Any]:
    """Find the anchors of a trace and keep them in its run, in place of earlier ones; returns them as plain data.

    run: the run file.
    stored: the trace.
    rollouts: from each place.
    model: the spec of the model that draws the rollouts; the run's own by default.
    seed: of the rollouts.
    progress: is told how far the work is.

    Raises UsageError for a model that cannot be loaded or cannot continue a trace, ModelError when the model failed,
    StoreError when the run cannot be written.
    """
    search = stored.search(model, seed)
    found = run_in_background(_watched(search, stored, rollouts, progress))
    trace, spans = stored.trace, stored.trace.sentences
    sentences = [
        {"start": span.start, "end": span.end} | {k: _finite(v) for k, v in asdict(anchor).items()}
        for span, anchor in zip(spans, found.anchors, strict=True)
    ]
    with Store.open(run) as store:
        store.keep_anchors(stored.result, trace.node.id, search.model.name, rollouts, found.usage, sentences)
    return {
        "problem": trace.problem.id,
        "method": stored.result.method,
        "seed": stored.result.seed,
        "node": trace.node.id,
        "rollouts": rollouts,
        "answer": trace.answer,
        "decisive": found.decisive,
        "recompute_ratio": found.recompute_ratio,
        "tokens": found.usage.total.tokens,
        "sentences": sentences,
    }


async def _watched(search: Search, stored: StoredTrace, rollouts: int, progress: Progress) -> Anchors:
    places = len(stored.trace.sentences) + (0 if stored.trace.complete else 1)
    task = asyncio.ensure_future(find_anchors(search, stored.trace, n=rollouts))
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_TICK)
            done = sum(node.label == "rollout" for node in search.tree.nodes)
            progress(done, places * rollouts, search.ledger.tokens)
        return task.result()
    finally:
        task.cancel()
        await search.close()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
