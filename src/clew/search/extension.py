"""One call to a model, paid for and carried out; and what is left of a segment that is cut or re-opened."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clew.errors import BudgetExhausted
from clew.ledger import Gauge
from clew.models.base import Context, Model, require
from clew.needs import Capability
from clew.sampling import Sampling, Stream, Until
from clew.tree import Finish, Node, Segment

Running = MutableMapping["asyncio.Future[list[Segment]]", Sequence[Gauge]]
"""The calls in flight, and the gauges by which they can be given up."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One call to a model that is paid for: a gauge for each stream, or for the first few if the budget ended there."""

    node: Node
    model: Model
    context: Context
    until: Until
    sampling: Sampling
    label: str
    role: str
    streams: Sequence[Stream]
    gauges: Sequence[Gauge]

    @property
    def cut(self) -> bool:
        """Whether fewer continuations could be paid for than were asked for."""
        return len(self.gauges) < len(self.streams)

    async def call(self, running: Running) -> tuple[list[Segment], asyncio.CancelledError | None]:
        """What the model returned; and the cancellation to raise, if there was one (see `carried_out`).

        Raises UsageError for a grammar that the model cannot follow.
        """
        if self.sampling.grammar is not None:
            require(self.model, Capability.GRAMMAR)
        work = self.model.extend(
            self.context,
            until=self.until,
            sampling=self.sampling,
            streams=self.streams[: len(self.gauges)],
            gauges=self.gauges,
        )
        segments, cancelled = await carried_out(work, self.gauges, running)
        return [_truncated(segment, self.until) for segment in segments], cancelled


async def carried_out(
    call: Coroutine[Any, Any, list[Segment]], gauges: Sequence[Gauge], running: Running
) -> tuple[list[Segment], asyncio.CancelledError | None]:
    """What a call to a model returned; and the cancellation to raise, if the caller was cancelled meanwhile.

    A cancelled caller still wants what was computed, to record and to charge it: so the model is told to stop at its
    next token, and waited for.

    gauges: the call's, which are released at its end. running: where the call is listed while it is in flight.
    """
    work = asyncio.ensure_future(call)
    running[work] = gauges
    cancelled: asyncio.CancelledError | None = None
    try:
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError as error:
                if work.cancelled():
                    raise
                cancelled = error
                for gauge in gauges:
                    gauge.close()
        return work.result(), cancelled
    finally:
        del running[work]
        for gauge in gauges:
            gauge.release()


async def together(*work: Any) -> list[Any]:
    """Run coroutines at once and return their results in order. Unlike `asyncio.gather` it waits for all of them before
    it raises, so that what the budget has paid for is kept; if the caller is cancelled, all are."""
    done = await asyncio.gather(*work, return_exceptions=True)
    failures = [r for r in done if isinstance(r, BaseException)]
    # A real failure outweighs the end of the budget.
    for failure in sorted(failures, key=lambda f: isinstance(f, BudgetExhausted)):
        raise failure
    return done


def resolved(until: Until, *, steps: Sequence[str], stop: Sequence[str], spare: int) -> Until:
    """`until` with what the problem says: the delimiters of a step, stop strings, and `spare` tokens left at most."""
    limit = spare if until.limit is None else min(spare, until.limit)
    return replace(
        until,
        step=False,
        delimiters=until.delimiters + (tuple(steps) if until.step else ()),
        stop=until.stop + tuple(stop),
        # A text inserted at the very limit may be answered by one token.
        limit=max(limit, 1),
    )


def _truncated(segment: Segment, until: Until) -> Segment:
    """A step that ends where the solution may grow no longer is the last one: it is cut there."""
    full = until.limit is not None and len(segment) >= until.limit
    return replace(segment, finish=Finish.LENGTH) if full and segment.finish is Finish.STEP else segment


def point_before(path: Sequence[Node], *, tokens: int | None, chars: int | None) -> tuple[Node, int]:
    """So many tokens, or characters, from the end of a path: a node on it, and how many of its tokens stay; of
    characters, those up to the last token boundary at or before the point.

    Raises ValueError for a negative amount, and when the point is beyond the beginning of the path.
    """
    left = tokens if tokens is not None else chars
    assert left is not None
    if left < 0:
        raise ValueError("cannot rewind by a negative amount")
    for node in reversed(path):
        segment = node.segment
        size = len(segment) if tokens is not None else len(segment.text)
        if left == 0:
            return node, len(segment)
        if left <= size:
            return node, size - left if tokens is not None else _tokens_within(segment, size - left)
        left -= size
    raise ValueError("cannot rewind beyond the prompt")


def _tokens_within(segment: Segment, chars: int) -> int:
    ends = [*segment.offsets[1:].tolist(), len(segment.text)]
    return sum(1 for end in ends if end <= chars)


def reopened(segment: Segment) -> tuple[int, str]:
    """How many tokens of an ended segment stay when the solution goes on, and the text that goes with the others: its
    end-of-text token is left out, and the token in which a stop string cut the text."""
    kept = len(segment)
    while kept and int(segment.offsets[kept - 1]) >= len(segment.text):
        kept -= 1
    if segment.cut and kept:
        kept -= 1
    return kept, segment.text[int(segment.offsets[kept]) :] if kept < len(segment) else ""
