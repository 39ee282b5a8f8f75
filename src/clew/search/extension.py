"""One call to a model that extends a node; and what stays of a solution that is rewound or re-opened."""

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
"""The calls in flight, each with the gauges of its continuations, by which it can be cancelled."""


@dataclass(frozen=True, slots=True)
class Extension:
    """One call to a model, already paid for, that samples continuations of a node.

    node: the partial solution that is continued.
    model: the model that writes.
    context: the tokens of the path to the node, as that model reads them.
    until: where each continuation ends.
    sampling: how tokens are drawn.
    label: why the new nodes exist.
    role: the role of the model, to which the tokens are charged.
    streams: the random stream of each continuation that was asked for.
    gauges: what each continuation is charged to; there are fewer than streams if the budget does not pay for all.
    """

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
        """What the model wrote; and the cancellation to raise, if there was one (see `await_call`).

        running: the calls in flight, among which this one is listed while it runs.

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
        segments, cancelled = await await_call(work, self.gauges, running)
        return [_truncated(segment, self.until) for segment in segments], cancelled


async def await_call(
    call: Coroutine[Any, Any, list[Segment]], gauges: Sequence[Gauge], running: Running
) -> tuple[list[Segment], asyncio.CancelledError | None]:
    """Wait for a call to a model, also where the waiting task is cancelled meanwhile.

    What a cancelled call has computed is still recorded and charged. So when the task is cancelled, the model is told
    to stop at its next token, and waited for.

    call: the call to the model.
    gauges: the gauges of its continuations, which are released at the end.
    running: the calls in flight, among which this one is listed while it runs.

    Returns what the model returned, and the cancellation that the caller has to raise after recording it, or None.
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
    """Run coroutines concurrently and return their results in order.

    Unlike `asyncio.gather`, it waits for all of them before it raises, so that what the budget has paid for is kept.
    If several raise, an error is raised before BudgetExhausted. If the caller is cancelled, all of them are.
    """
    done = await asyncio.gather(*work, return_exceptions=True)
    failures = [r for r in done if isinstance(r, BaseException)]
    for failure in sorted(failures, key=lambda f: isinstance(f, BudgetExhausted)):
        raise failure
    return done


def resolved(until: Until, *, steps: Sequence[str], stop: Sequence[str], spare: int) -> Until:
    """`until` with everything that the problem decides filled in.

    until: where an extension ends, as the method says.
    steps: the delimiters that end a step.
    stop: the strings that end a solution.
    spare: how many tokens the solution may still have.
    """
    limit = spare if until.limit is None else min(spare, until.limit)
    return replace(
        until,
        step=False,
        delimiters=until.delimiters + (tuple(steps) if until.step else ()),
        stop=until.stop + tuple(stop),
        # Where an inserted text has filled the solution to its limit, one more token may still follow it.
        limit=max(limit, 1),
    )


def _truncated(segment: Segment, until: Until) -> Segment:
    """The segment, with the finish `length` for a step that ends where the solution has reached its limit.

    Nothing can follow such a step, so the solution is truncated there.
    """
    full = until.limit is not None and len(segment) >= until.limit
    return replace(segment, finish=Finish.LENGTH) if full and segment.finish is Finish.STEP else segment


def rewind_point(path: Sequence[Node], *, tokens: int | None, chars: int | None) -> tuple[Node, int]:
    """Where a rewind ends: the node of the path that it ends in, and how many of that node's tokens stay.

    path: the nodes of a solution, from its beginning.
    tokens: how many tokens to go back.
    chars: how many characters to go back; the rewind ends at the last token boundary at or before that point.

    Raises ValueError for a negative amount, and for one that goes back beyond the beginning of the path.
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
    """How many tokens of a segment end within the first `chars` characters of its text."""
    ends = [*segment.offsets[1:].tolist(), len(segment.text)]
    return sum(1 for end in ends if end <= chars)


def kept_on_reopening(segment: Segment) -> tuple[int, str]:
    """What stays of a segment that ended its solution when text is appended after it.

    The end-of-text token goes, because the model would take what follows it for another text. So does the token in
    which a stop string cut the text, because the rest of that token is not part of the solution.

    Returns how many tokens stay, and the text of the others that is still part of the solution.
    """
    kept = len(segment)
    while kept and int(segment.offsets[kept - 1]) >= len(segment.text):
        kept -= 1
    if segment.cut and kept:
        kept -= 1
    return kept, segment.text[int(segment.offsets[kept]) :] if kept < len(segment) else ""
