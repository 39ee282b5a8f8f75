"""A model behind an OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext
from functools import lru_cache
from pathlib import PurePath
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from clew.budget import Cost, Gauge
from clew.errors import ContextOverflow, ModelError, UsageError
from clew.models.base import Context, require
from clew.models.openai.forcing import echoed
from clew.models.openai.growth import Growth
from clew.models.openai.probe import Probe, tokenise
from clew.models.openai.reply import pieces, spread, text_of
from clew.models.openai.wire import Event, Transient, Wire, blocking
from clew.needs import Capability
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from clew.tree import Finish, Segment

T = TypeVar("T")

_BYTES_A_TOKEN = 4
_TOKENS_A_TURN = 4
_PENALISED = 8192
"""How far back a repetition penalty looks where the length of the context is not known."""


class OpenAIModel:
    """See `clew.models.base.Model`. Made by `connect`.

    Replies are streamed, so that each token is charged as it arrives, a continuation that is given up ends at once (the
    connection is closed, which tells the server) and what had arrived is kept. Steps and stop strings are found here:
    the step's last token stays whole, as it would not if the server were given stop strings. The price is a token
    or two that the server may compute before it notices. A server that cannot stream is sent one request at a time
    while a token budget runs, and is paid for whole replies.

    Each continuation is a request of its own with its own seed. Only where a server takes n>1 and honours no
    seed do continuations share a request. A reply that breaks off is begun anew; its tokens are charged once.
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
        """The conversation as a context. Token ids are -1, and their number an estimate (a token for four bytes),
        where the server does not render and tokenise."""
        turns = tuple(messages)
        if self.probe.render and all(isinstance(m.content, str) for m in turns):
            prompt, ids = self._rendered(json.dumps(_plain(turns)))
            if ids is not None:
                return Context(turns, prompt, np.array(ids, np.int32))
        else:
            prompt = ""
        size = sum(_estimate(m.text) + _TOKENS_A_TURN for m in turns)
        return Context(turns, prompt, np.full(size, -1, np.int32))

    def _render(self, messages: str) -> tuple[str, list[int] | None]:
        turns = json.loads(messages)

        async def ask() -> tuple[str, list[int] | None]:
            model = self.probe.model
            if self.probe.render == "apply-template":
                prompt = str((await self._wire.json("/apply-template", {"messages": turns}))["prompt"])
                return prompt, await tokenise(self._wire, model, prompt, special=True)
            ids = await tokenise(self._wire, model, turns, special=True)
            text = await self._wire.json("/detokenize", {"model": model, "tokens": ids}) if ids else {}
            return str(text.get("prompt", "")), ids

        return blocking(ask)

    def encode(self, text: str) -> Segment:
        """`text` as a segment; with estimated length and ids of -1 where the server does not tokenise."""
        ids = np.array(self._encoded(text), np.int32)
        parts = spread(text, len(ids)) if len(ids) else []
        offsets = np.cumsum([0, *(len(p.text) for p in parts)], dtype=np.int32)[: len(ids)]
        return Segment(ids, text, offsets, exact=False)

    def _encode(self, text: str) -> list[int]:
        ids = None
        if text and self.probe.tokenise:
            ids = blocking(lambda: tokenise(self._wire, self.probe.model, text, special=False))
        return [-1] * _estimate(text) if ids is None else ids

    def count(self, text: str) -> int:
        """Tokens in `text`; an estimate (a token for four bytes) where the server does not tokenise."""
        return len(self._encoded(text))

    # --- generation -----------------------------------------------------------------------------------------------

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.extend`.

        Raises UsageError for a way of sampling that the server does not offer, and ModelError where a partial solution
        would have to be continued and the server has no way to.
        """
        path, body, echo = self._request(context, sampling)
        if self.context_length is not None and self.probe.raw and len(context) >= self.context_length:
            raise ContextOverflow(
                f"{len(context)} tokens do not fit into the context of {self.context_length} of {self.name}",
                "Shorten the prompt, or give the server a longer context",
            )
        room = None if self.context_length is None else max(1, self.context_length - len(context))
        if len(streams) > 1 and self.probe.many and not self.probe.seeds and self.probe.streams:
            work = [self._receive(path, body, context.text, echo, until, sampling, room, list(streams), list(gauges))]
        else:
            work = [
                self._receive(path, body, context.text, echo, until, sampling, room, [stream], [gauge])
                for stream, gauge in zip(streams, gauges, strict=True)
            ]
        return [segment for group in await _all(work) for segment in group]

    def _request(self, context: Context, sampling: Sampling) -> tuple[str, dict[str, Any], str]:
        """Endpoint, body (but for seed and length), and the text that the reply may echo."""
        found = self.probe
        body: dict[str, Any] = {"model": found.model, "temperature": sampling.temperature, "top_p": sampling.top_p}
        top = min(max(self._top, sampling.top), found.top_logprobs)
        echo = ""
        if found.raw == "tokens" and context.token_ids.size and context.token_ids.min() >= 0:
            path, body["prompt"] = "completions", context.token_ids.tolist()
        elif found.raw and context.prompt:
            path, body["prompt"] = "completions", context.prompt + context.text
        else:
            path, body["messages"] = "chat/completions", _plain(context.messages)
            if context.text:
                body["messages"].append({"role": "assistant", "content": context.text})
                echo = context.text if found.prefill == "echoes" else ""
                if found.prefill == "final message":
                    body |= {"add_generation_prompt": False, "continue_final_message": True}
                elif not found.prefill:
                    raise ModelError(
                        f"{self.name} cannot continue a partial solution",
                        "Use a method that samples whole solutions, or a server with raw completions (llama.cpp, vLLM)",
                    )
        if found.logprobs and path == "completions":
            body["logprobs"] = top
        elif found.logprobs:
            body |= {"logprobs": True, "top_logprobs": top}
        if found.streams:
            body["stream"] = True
            if found.usage != "missing":
                body["stream_options"] = {"include_usage": True}
        if sampling.logit_bias:
            body["logit_bias"] = {str(k): v for k, v in sampling.logit_bias.items()}
        return path, body | self._beyond(sampling), echo

    def _beyond(self, sampling: Sampling) -> dict[str, Any]:
        """What goes beyond the OpenAI interface."""
        if sampling.bans:
            raise UsageError("a server cannot ban tokens at single positions", "Use the embedded engine")
        if not self.probe.samplers:
            if sampling.top_k or sampling.min_p or sampling.repetition_penalty != 1:
                raise UsageError(
                    f"{self.name} takes no top_k, min_p or repetition_penalty",
                    "Leave them out; temperature and top_p work",
                )
            return {}
        # Sent even when off: servers have defaults of their own.
        more: dict[str, Any] = {"top_k": sampling.top_k or -1, "min_p": sampling.min_p}
        if sampling.repetition_penalty != 1:
            more |= {"repetition_penalty": sampling.repetition_penalty, "repeat_penalty": sampling.repetition_penalty}
            more["repeat_last_n"] = self.context_length or _PENALISED
        if self.probe.server == "llama.cpp":
            # Counts every token, also those whose text waits for the rest of a character.
            more["timings_per_token"] = True
            more["samplers"] = ["penalties", "temperature", "top_k", "top_p", "min_p"]
        elif self.probe.server == "vllm" and self.probe.token_ids:
            more["return_token_ids"] = True
        return more

    async def _receive(
        self,
        path: str,
        body: dict[str, Any],
        before: str,
        echo: str,
        until: Until,
        sampling: Sampling,
        room: int | None,
        streams: list[Stream],
        gauges: list[Gauge],
    ) -> list[Segment]:
        """The continuations that one request brings."""
        # What cannot be stopped once it is asked for must not be asked for twice on one budget.
        alone = not self.probe.streams and gauges[0].left is not None
        async with self._turn() if alone else nullcontext():
            caps = [c for c in (until.cap, gauges[0].left, room) if c is not None]
            asked = max(1, min(caps)) if caps else None
            growths = [Growth(until, gauge, asked=asked, before=before, echo=echo) for gauge in gauges]
            if asked is not None:
                body = {**body, "max_tokens" if path == "completions" else self.probe.limit_field: asked}
            body = {**body, "seed": streams[0].seed} if len(streams) == 1 else {**body, "n": len(streams)}
            await self._until_closed(self._persist(path, body, growths, gauges[0]), growths)
        return [g.segment(sampling, None if g.finish else Finish.CANCELLED) for g in growths]

    def _turn(self) -> asyncio.Lock:
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def _until_closed(self, work: Coroutine[Any, Any, None], growths: list[Growth]) -> None:
        """Await `work`, but end it when every continuation is given up or the time is spent."""
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
            # A gauge keeps its callbacks: were they to keep the growths, each call would leave a cycle behind.
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
        """Feed one reply to the growths. Returns how many prompt tokens the server computed, if it told."""
        usage: dict[str, Any] = {}
        timings: dict[str, Any] = {}
        reasons: dict[int, str | None] = {}

        def take(event: Event) -> bool:
            nonlocal usage, timings
            usage = event.get("usage") or usage
            timings = event.get("timings") or timings
            for choice in event.get("choices") or ():
                index = choice.get("index", 0)
                if index < len(growths):
                    self._feed(growths[index], choice, timings, usage)
                    reasons[index] = choice.get("finish_reason") or reasons.get(index)
            # One that has just as many tokens as were asked for is about to end: its usage is worth the wait.
            return any(g.finish is None or len(g.tokens) == g.asked for g in growths)

        try:
            await self._wire.stream(path, body, take)
        except Transient:
            if not all(g.finish or reasons.get(i) for i, g in enumerate(growths)):
                raise
        if not all(growth.tokens or reasons.get(i) for i, growth in enumerate(growths)):
            raise Transient("the reply held too few choices" if any(reasons.values()) else "the reply held no choices")
        # Of several choices some servers count one only; an echo may be counted or not.
        used = usage.get("completion_tokens") if len(growths) == 1 and not growths[0].echo else None
        for index, growth in enumerate(growths):
            growth.ended(reasons.get(index), used)
        if "prompt_n" in timings:
            return int(timings["prompt_n"])
        if "prompt_tokens" in usage:
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            return int(usage["prompt_tokens"]) - int(cached)
        return None

    def _feed(self, growth: Growth, choice: dict[str, Any], timings: dict[str, Any], usage: dict[str, Any]) -> None:
        if growth.finish is not None:
            return
        text = growth.think(*text_of(choice))
        got = pieces(choice, text)
        if not got:
            return
        if "message" in choice and len(got) == 1 and got[0].logprob != got[0].logprob:
            got = spread(text, max(1, usage.get("completion_tokens") or _estimate(text)))
        generated = timings.get("predicted_n")
        if generated is not None and not choice.get("finish_reason"):
            growth.missed(generated - len(growth.tokens) - len(got))
        growth.feed(got)
        if "delta" not in choice and not self.probe.streams and len(growth.tokens) < len(got):
            growth.gauge.take(len(got) - len(growth.tokens))

    # --- teacher forcing ------------------------------------------------------------------------------------------

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.score`. A request each, all at once. The segments are in the server's tokens where it cannot be
        given tokens."""
        require(self, Capability.SCORE)
        return await _all([self._read(*each) for each in zip(contexts, continuations, gauges, strict=True)])

    async def _read(self, context: Context, given: Segment, gauge: Gauge) -> Segment:
        nothing = np.zeros(0, np.float32)
        read = given.scored(nothing, nothing, nothing)

        async def ask() -> None:
            nonlocal read
            path, body, _ = self._request(context, Sampling(temperature=1.0, top=self._top))
            read = await echoed(self._wire, path, body, context, given, gauge)

        if len(given):
            await self._until_closed(ask(), [Growth(Until(), gauge)])
        return read

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()


async def _all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; when one fails, the others are given up first."""
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


def _plain(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"role": m.role, "content": m.content if isinstance(m.content, str) else [dict(p) for p in m.content]}
        for m in messages
    ]


def _estimate(text: str) -> int:
    return -(-len(text.encode()) // _BYTES_A_TOKEN)
