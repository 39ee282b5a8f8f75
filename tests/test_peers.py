"""What the comparison with peers rests on: the counting proxy, and the reward that both sides are given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from benchmarks.peers.drivers.soundness import soundness
from benchmarks.peers.proxy import Proxy

QUESTION = "Ann has 4 boxes with 6 pens in each. How many pens does Ann have?"
EXAMPLES = [
    {"role": "user", "content": "What is 1 + 1?"},
    {"role": "assistant", "content": "1 + 1 = 2\n#### 2"},
    {"role": "user", "content": QUESTION},
]


class Upstream:
    """A server that answers with words, tells what it had cached, and reports one choice only, as llama-server does."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Upstream]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/tokenize", self._tokenize)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if body["messages"][-1]["content"] == "refuse":
            return web.json_response({"error": {"message": "no"}}, status=400)
        choices = [
            {"index": i, "message": {"content": "word " * (i + 1)}, "finish_reason": "stop" if i else "length"}
            for i in range(body.get("n", 1))
        ]
        usage = {"prompt_tokens": 20, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 15}}
        return web.json_response({"choices": choices, "usage": usage, "timings": {"cache_n": 15, "prompt_n": 5}})

    async def _tokenize(self, request: web.Request) -> web.Response:
        return web.json_response({"tokens": (await request.json())["content"].split()})


async def ask(url: str, content: str, **more: Any) -> int:
    """The status of the reply."""
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **more}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/chat/completions", json=body) as reply:
        await reply.read()
        return reply.status


def test_every_choice_that_came_back_is_counted_and_only_what_was_computed_counts_as_prefilled() -> None:
    async def scenario() -> Proxy:
        async with Upstream().running() as upstream, Proxy(upstream.url) as proxy:
            await ask(proxy.url, "one")
            await ask(proxy.url, "three", n=3)
            return proxy

    counts = asyncio.run(scenario()).counts
    # One word; then one, two and three words, the last two of which ended of themselves.
    assert counts.generated == 1 + (1 + 3 + 4)
    assert (counts.calls, counts.prompt, counts.prefilled) == (2, 40, 10)


def test_calls_that_are_in_flight_together_are_all_counted() -> None:
    async def scenario() -> Proxy:
        async with Upstream().running() as upstream, Proxy(upstream.url) as proxy:
            await asyncio.gather(*(ask(proxy.url, "three", n=3) for _ in range(8)))
            return proxy

    assert asyncio.run(scenario()).counts.generated == 8 * (1 + 3 + 4)


def test_seeds_and_settings_are_given_where_the_client_sends_none() -> None:
    async def scenario() -> list[dict[str, Any]]:
        async with (
            Upstream().running() as upstream,
            Proxy(upstream.url, seed=7, defaults={"temperature": 0.8, "max_tokens": 96}) as proxy,
        ):
            await ask(proxy.url, "a")
            await ask(proxy.url, "b", temperature=0.1, max_completion_tokens=5)
            await ask(proxy.url, "c", seed=99)
            return upstream.bodies

    first, second, third = asyncio.run(scenario())
    assert (first["seed"], first["temperature"], first["max_tokens"]) == (7, 0.8, 96)
    assert (second["seed"], second["temperature"], second["max_tokens"]) == (8, 0.1, 5)
    assert third["seed"] == 99


def test_a_flattened_question_gets_its_worked_examples_and_other_chats_are_left_alone() -> None:
    async def scenario() -> list[dict[str, Any]]:
        async with Upstream().running() as upstream, Proxy(upstream.url, conversations={QUESTION: EXAMPLES}) as proxy:
            empty = {"role": "system", "content": ""}
            begun = {"role": "assistant", "content": "Ann has 4"}
            asked = {"role": "user", "content": f"User: {QUESTION}"}
            await ask(proxy.url, "", messages=[empty, asked])
            await ask(proxy.url, "", messages=[{"role": "user", "content": QUESTION}, begun])
            await ask(proxy.url, "", messages=[{"role": "system", "content": "Criticise."}, asked])
            await ask(proxy.url, "Something else")
            return upstream.bodies

    flattened, continued, critic, other = (body["messages"] for body in asyncio.run(scenario()))
    assert flattened == EXAMPLES
    assert continued == [*EXAMPLES, {"role": "assistant", "content": "Ann has 4"}]
    assert critic[0]["content"] == "Criticise."
    assert len(critic) == 2
    assert other == [{"role": "user", "content": "Something else"}]


def test_a_refusal_reaches_the_client_and_is_counted_as_failed() -> None:
    async def scenario() -> tuple[int, int, Proxy]:
        async with Upstream().running() as upstream, Proxy(upstream.url) as proxy:
            return await ask(proxy.url, "refuse"), await ask(proxy.url, "x", stream=True), proxy

    status, streamed, proxy = asyncio.run(scenario())
    assert status == streamed == 400
    assert proxy.counts.failed == 1
    assert proxy.counts.generated == 0


@pytest.mark.parametrize("url", ["http://example.org/v1", "http://10.0.0.1:8080/v1", "https://0.0.0.0/v1"])
def test_only_servers_on_loopback_are_taken(url: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Proxy(url)


def test_sound_solutions_are_worth_more_than_those_with_a_false_claim_or_another_answer() -> None:
    sound = soundness(QUESTION, "Ann has 4 * 6 = 24 pens.\n#### 24")
    miscalculated = soundness(QUESTION, "Ann has 4 * 6 = 26 pens.\n#### 26")
    invented = soundness(QUESTION, "Ann has 5 * 9 = 45 pens.\n#### 45")
    elsewhere = soundness(QUESTION, "Ann has 4 * 6 = 24 pens.\n#### 10")
    assert sound == pytest.approx(0.9)
    assert max(miscalculated, invented, elsewhere) < sound
    assert 0 < soundness(QUESTION, "Ann has 5 * 9 = 44 pens.\n#### 10") < min(miscalculated, elsewhere)


def test_results_may_be_used_again_and_nothing_to_check_is_neither_good_nor_bad() -> None:
    assert soundness(QUESTION, "4 * 6 = 24\n24 + 6 = 30\n#### 30") == pytest.approx(0.9)
    assert soundness(QUESTION, "Well, let us see.") == 0.5
    assert soundness(QUESTION, "4 / 0 = 0") < 0.5
