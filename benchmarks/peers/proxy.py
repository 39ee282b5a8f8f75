"""A counting proxy in front of an OpenAI-compatible server: what peers really cost, whatever they say themselves."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

Messages = Sequence[Mapping[str, Any]]
FLATTENED = "User: "
"""What optillm puts before the only turn of a conversation."""


@dataclass(slots=True)
class Counts:
    """What went through. prompt, cached: tokens of prompts, and those of them that the server had in its cache.
    generated: tokens of all choices that came back. failed: calls that the server refused."""

    calls: int = 0
    prompt: int = 0
    cached: int = 0
    generated: int = 0
    failed: int = 0

    @property
    def prefilled(self) -> int:
        """Prompt tokens that were computed."""
        return self.prompt - self.cached


class Proxy:
    """An async context with a `url` for clients; `counts` says what they have cost.

    upstream: the server's URL, ending in `/v1`, on loopback. Each call gets a seed of its own, counted up from `seed`,
    and those of `defaults` that the client does not send. conversations: question → turns; a chat that begins with the
    question (after an empty system turn, or flattened) is given these turns instead, for peers that would flatten
    worked examples into one turn. At most `limit` calls are in flight (the server's slots), the others wait.

    Raises ValueError for an upstream that is not on loopback.
    """

    def __init__(
        self,
        upstream: str,
        *,
        seed: int = 0,
        defaults: Mapping[str, Any] | None = None,
        conversations: Mapping[str, Messages] | None = None,
        limit: int = 16,
    ) -> None:
        if not _on_loopback(upstream):
            raise ValueError(f"{upstream} is not on loopback")
        self.upstream = upstream.rstrip("/")
        self.counts = Counts()
        self.url = ""
        self._seed = seed
        self._defaults = dict(defaults or {})
        self._conversations = dict(conversations or {})
        self._limit = limit

    async def __aenter__(self) -> Self:
        # A connection for each call: the server closes idle ones, and a call sent into a closing one would be lost.
        calls, counting = TCPConnector(limit=self._limit, force_close=True), TCPConnector(force_close=True)
        self._session = ClientSession(connector=calls, timeout=ClientTimeout(total=None))
        self._counting = ClientSession(connector=counting)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()
        await self._counting.close()

    async def _models(self, request: web.Request) -> web.Response:
        async with self._session.get(f"{self.upstream}/models") as reply:
            return web.Response(body=await reply.read(), status=reply.status, content_type="application/json")

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("stream"):
            return web.json_response({"error": {"message": "streams are not counted here"}}, status=400)
        asked = {**self._defaults, "seed": self._seed + self.counts.calls, **body}
        if "max_completion_tokens" in body:
            asked["max_tokens"] = asked.pop("max_completion_tokens")
        asked["messages"] = self._restored(body["messages"])
        self.counts.calls += 1
        async with self._session.post(f"{self.upstream}/chat/completions", json=asked) as reply:
            payload, status = await reply.read(), reply.status
        if status == 200:
            await self._count(asked, json.loads(payload))
        else:
            self.counts.failed += 1
        return web.Response(body=payload, status=status, content_type="application/json")

    def _restored(self, messages: Messages) -> Messages:
        rest = [m for m in messages if m["role"] != "system" or m["content"]]
        if rest and rest[0]["role"] == "user":
            turns = self._conversations.get(str(rest[0]["content"]).removeprefix(FLATTENED))
            if turns is not None:
                return [*turns, *rest[1:]]
        return messages

    async def _count(self, asked: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        usage, timings = reply["usage"], reply.get("timings", {})
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        self.counts.prompt += usage["prompt_tokens"]
        self.counts.cached += timings.get("cache_n", cached)
        choices = reply["choices"]
        if len(choices) == 1:
            self.counts.generated += usage["completion_tokens"]
        else:
            # llama-server reports the tokens of one choice only. Other calls are counted while this one waits, so the
            # sum is read after it.
            tokens = await asyncio.gather(*(self._tokens(choice) for choice in choices))
            self.counts.generated += sum(tokens)

    async def _tokens(self, choice: Mapping[str, Any]) -> int:
        text = choice["message"]["content"] or ""
        url = f"{self.upstream.removesuffix('/v1')}/tokenize"
        async with self._counting.post(url, json={"content": text}) as reply:
            count = len((await reply.json())["tokens"])
        # A reply that ended of itself has a token for its end, which is not in the text.
        return count + (choice.get("finish_reason") == "stop")


def _on_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
