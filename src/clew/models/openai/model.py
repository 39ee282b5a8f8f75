"""`OpenAIModel`, a model on an OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from pathlib import PurePath
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from clew.budget import Cost
from clew.errors import ContextOverflow, ModelError
from clew.ledger import Gauge
from clew.models.base import Context, require
from clew.models.openai.facts import Probe
from clew.models.openai.failures import Transient
from clew.models.openai.forcing import echoed
from clew.models.openai.growth import Growth
from clew.models.openai.listen import Reply, estimate
from clew.models.openai.probe import tokenise, told_version
from clew.models.openai.reply import spread
from clew.models.openai.request import Request, plain, request
from clew.models.openai.wire import Wire, blocking
from clew.needs import Capability
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from clew.tree import Finish, Segment

T = TypeVar("T")

_TOKENS_A_TURN = 4
"""Tokens that a template is assumed to add to each message, where the server does not render."""


class OpenAIModel:
    """A `Model` (see there) on a server. `connect` makes it.

    Replies are streamed: each token is charged as it arrives, a cancelled continuation ends at once (closing the
    connection tells the server), and what has arrived is kept. Steps and stop strings are found on this side, so that
    the last token of a step stays whole, at the price of a token or two that the server computes before it notices. A
    server that cannot stream gets one request at a time under a token budget, and whole replies are charged.

    Each continuation is a request with its own seed. Continuations share a request only where the server takes n > 1
    and does not honour seeds. A reply that breaks off is requested again; its tokens are charged once.

    wire: the connection to the server.
    found: the result of probing it.
    cost: what its tokens cost.
    top_logprobs: alternatives to ask for at each position.
    """

    def __init__(self, wire: Wire, found: Probe, cost: Cost, *, top_logprobs: int) -> None:
        short = PurePath(found.model).name if found.model.endswith(".gguf") else found.model
        self.name = f"{short}@{wire.host}"
        self.probe = found
        self.cost = cost
        self.context_length = found.context_length
        self.capabilities = _capabilities(found)
        self.vocabulary: str | None = None  # a server names its tokens, if at all, by numbers that only it knows
        self._wire = wire
        self._top = top_logprobs
        self._rendered = lru_cache(maxsize=1024)(self._render)
        self._encoded = lru_cache(maxsize=1024)(self._encode)
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    # --- text and tokens ------------------------------------------------------------------------------------------

    def render(self, messages: Sequence[Message]) -> Context:
        """See `Model.render`. Where the server does not render and tokenise, token ids are -1 and their number is an
        estimate (see `estimate`)."""
        turns = tuple(messages)
        if self.probe.render and all(isinstance(m.content, str) for m in turns):
            prompt, ids = self._rendered(json.dumps(plain(turns)))
            if ids is not None:
                return Context(turns, prompt, np.array(ids, np.int32))
        else:
            prompt = ""
        size = sum(estimate(m.text) + _TOKENS_A_TURN for m in turns)
        return Context(turns, prompt, np.full(size, -1, np.int32))

    def _render(self, messages: str) -> tuple[str, list[int] | None]:
        turns = json.loads(messages)

        async def ask() -> tuple[str, list[int] | None]:
            model = self.probe.model
            if self.probe.render == "apply-template":
                prompt = (await self._wire.json("/apply-template", {"messages": turns})).get("prompt")
                if not isinstance(prompt, str):
                    raise ModelError(f"{self.name} did not render the conversation", "Run `clew doctor URL --fresh`")
                return prompt, await tokenise(self._wire, model, prompt, special=True)
            ids = await tokenise(self._wire, model, turns, special=True)
            text = await self._wire.json("/detokenize", {"model": model, "tokens": ids}) if ids else {}
            return str(text.get("prompt", "")), ids

        return blocking(ask)

    def encode(self, text: str) -> Segment:
        """See `Model.encode`. Where the server does not tokenise, the length is estimated, and the ids are -1."""
        ids = np.array(self._encoded(text), np.int32)
        parts = spread(text, len(ids)) if len(ids) else []
        offsets = np.cumsum([0, *(len(p.text) for p in parts)], dtype=np.int32)[: len(ids)]
        return Segment(ids, text, offsets, exact=False)

    def _encode(self, text: str) -> list[int]:
        ids = None
        if text and self.probe.tokenise:
            ids = blocking(lambda: tokenise(self._wire, self.probe.model, text, special=False))
        return [-1] * estimate(text) if ids is None else ids

    def count(self, text: str) -> int:
        """See `Model.count`. Where the server does not tokenise, it is an estimate."""
        return len(self._encoded(text))

    # --- generation -----------------------------------------------------------------------------------------------

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.extend`.

        Raises also UsageError for sampling parameters that the server does not offer, and ModelError where a partial
        solution is to be continued and the server cannot.
        """
        asked = request(self.name, self.probe, context, sampling, top=self._top)
        if self.context_length is not None and self.probe.raw and len(context) >= self.context_length:
            raise ContextOverflow(
                f"{len(context)} tokens do not fit into the context of {self.context_length} of {self.name}",
                "Shorten the prompt, or give the server a longer context",
            )
        room = None if self.context_length is None else max(1, self.context_length - len(context))
        groups = [([stream], [gauge]) for stream, gauge in zip(streams, gauges, strict=True)]
        if len(streams) > 1 and self.probe.together:
            groups = [(list(streams), list(gauges))]
        work = [self._receive(asked, until, room, some, theirs) for some, theirs in groups]
        return [segment for group in await _all(work) for segment in group]

    async def _receive(
        self, asked: Request, until: Until, room: int | None, streams: list[Stream], gauges: list[Gauge]
    ) -> list[Segment]:
        """The continuations that one request brings."""
        # A reply that is not streamed cannot be stopped, so two must not run on one budget at the same time.
        alone = not self.probe.streams and gauges[0].left is not None
        async with self._turn() if alone else nullcontext():
            caps = [c for c in (until.cap, gauges[0].left, room) if c is not None]
            most = max(1, min(caps)) if caps else None
            growths = [Growth(until, gauge, asked=most, before=asked.before, echo=asked.echo) for gauge in gauges]
            body = asked.sized(self.probe, most, streams)
            await self._until_closed(self._persist(asked.path, body, growths, gauges[0]), growths)
        return [g.segment(asked.sampling, None if g.finish else Finish.CANCELLED) for g in growths]

    def _turn(self) -> asyncio.Lock:
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def _until_closed(self, work: Coroutine[Any, Any, None], growths: list[Growth]) -> None:
        """Await `work`, but cancel it when every continuation is closed or the seconds are spent."""
        if all(g.gauge.closed for g in growths):
            work.close()
            return
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        others = task.cancelling()
        waiting = growths
        ended = False

        def check() -> None:
            nonlocal ended
            if waiting and not ended and all(g.finish or g.gauge.closed for g in waiting):
                ended = task.cancel()

        def closed() -> None:
            # The gauge may be closed from another thread, or outlive this event loop.
            if waiting:
                loop.call_soon_threadsafe(check)

        for growth in growths:
            growth.gauge.on_close(closed)
        seconds = growths[0].gauge.seconds_left
        timer = None if seconds is None else loop.call_later(seconds + 0.001, check)
        try:
            await work
        except asyncio.CancelledError:
            if not ended or task.uncancel() > others:
                raise
        finally:
            # A gauge keeps its callbacks. If these kept the growths, each call would leave a reference cycle behind.
            waiting = []
            if timer is not None:
                timer.cancel()

    async def _persist(self, path: str, body: dict[str, Any], growths: list[Growth], gauge: Gauge) -> None:
        computed: int | None = None

        async def attempt() -> None:
            nonlocal computed
            for growth in growths:
                growth.restart()
            computed = await self._listen(path, body, growths)

        await self._wire.persist(attempt)
        gauge.computed(gauge.context - gauge.generated if computed is None else computed)

    async def _listen(self, path: str, body: dict[str, Any], growths: list[Growth]) -> int | None:
        """Receive one reply; returns how many prompt tokens the server computed, None where it did not say."""
        reply = Reply(growths, streams=self.probe.streams)
        try:
            await self._wire.stream(path, body, reply.take)
        except Transient:
            # A stream that breaks off after its last token is complete.
            if not reply.whole:
                raise
        return reply.end()

    # --- teacher forcing ------------------------------------------------------------------------------------------

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.score`. Each continuation is a request; all run at once. Where the server takes text only, the
        segments are in its own tokens."""
        require(self, Capability.SCORE)
        return await _all([self._read(*each) for each in zip(contexts, continuations, gauges, strict=True)])

    async def _read(self, context: Context, given: Segment, gauge: Gauge) -> Segment:
        nothing = np.zeros(0, np.float32)
        read = given.scored(nothing, nothing, nothing)

        async def ask() -> None:
            nonlocal read
            sampling = Sampling(temperature=1.0, top=self._top)
            asked = request(self.name, self.probe, context, sampling, top=self._top)
            read = await echoed(self._wire, asked.path, asked.body, context, given, gauge)

        if len(given):
            await self._until_closed(ask(), [Growth(Until(), gauge)])
        return read

    async def provenance(self) -> Mapping[str, str]:
        """See `Model.provenance`: the server's address without credentials, and what it reports of itself."""
        found, model = self.probe, PurePath(self.probe.model)
        told = {
            "server": found.server,
            "version": await told_version(self._wire, found.server),
            "model": model.name if model.is_absolute() or model.suffix == ".gguf" else found.model,
            "context": str(found.context_length or ""),
            "params": f"{found.params:g}" if found.params else "",
            "left_out": ", ".join(found.refused),
            "prompts": "" if found.caches else "billed at every call",
        }
        return {"engine": "server", "url": self._wire.base} | {name: value for name, value in told.items() if value}

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; where one fails, the others are cancelled first."""
    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(w) for w in work]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _capabilities(found: Probe) -> frozenset[Capability]:
    has = {
        Capability.TEXT: True,
        Capability.LOGPROBS: found.logprobs,
        Capability.CONTINUE: bool(found.continuation),
        Capability.PREFIX_SHARING: found.caches,
        Capability.SCORE: found.forces,
        Capability.VISION: found.vision,
    }
    return frozenset(c for c, there in has.items() if there)
