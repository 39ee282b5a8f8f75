"""Servers to test against, on loopback: a scripted one with faults, one that answers instantly, and llama.cpp's own.

The scripted server runs in a thread; the other two are processes:
`python tests/support/servers.py instant|llama MODEL`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

SOLUTION = "First, six times seven.\n\nThat is 42.\n\nThe answer is 42."
WEEK = "The days of the week are Monday, Tuesday, Wednesday, Thursday and so on."


def split(text: str) -> list[str]:
    """The scripted server's tokens."""
    return re.findall(r"\n+|[^\n ]+|(?: [^\n ]+)| ", text)


class Scripted:
    """A server whose model says `SOLUTION` to every question but two that a probe asks.

    prefill: what it makes of a begun assistant turn: `continues`, `echoes`, `ignores`. many, seeds, streams, logprobs,
    completions: whether it has these. reason: what it gives as the reason of an ordinary end. delay: seconds a token.
    key: the one that it wants; login: `name:password` instead. refuses: parameters that it answers with 400, `p+q` for
    two at once, `temperature` for one other than 1. names: the models that it lists. caches: prompt tokens that it says
    were cached. reshape: what to make of each event before it is sent.
    version: what it says of its version, where it says it.

    `faults` holds what goes wrong with the next generations, one each; `bodies` what was asked; `headers` what came
    with it; `busy` and `busiest` count requests at once; `dropped` those whose client went away.
    """

    def __init__(
        self,
        *,
        prefill: str = "ignores",
        many: bool = False,
        seeds: bool = True,
        streams: bool = True,
        logprobs: bool = False,
        completions: bool = False,
        reasoning: str = "",
        reason: str | None = "stop",
        usage: bool = True,
        delay: float = 0.0,
        key: str = "",
        login: str = "",
        refuses: tuple[str, ...] = (),
        names: tuple[str, ...] = ("scripted",),
        caches: int | None = None,
        reshape: Callable[[dict[str, Any]], Any] | None = None,
        version: str = "",
    ) -> None:
        self.prefill, self.many, self.seeds, self.streams = prefill, many, seeds, streams
        self.logprobs, self.completions, self.reasoning = logprobs, completions, reasoning
        self.reason, self.usage, self.delay = reason, usage, delay
        self.wanted = f"Basic {base64.b64encode(login.encode()).decode()}" if login else f"Bearer {key}" if key else ""
        self.refuses, self.names, self.caches, self.reshape = refuses, names, caches, reshape
        self.version = version
        self.faults: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.busy = self.busiest = self.dropped = self.sent = 0
        self.url = ""

    # --- running --------------------------------------------------------------------------------------------------

    def __enter__(self) -> Scripted:
        self._loop = asyncio.new_event_loop()
        started = threading.Event()

        async def start() -> None:
            app = web.Application()
            app.router.add_get("/v1/models", self._models)
            app.router.add_post("/v1/chat/completions", self._chat)
            if self.version:
                app.router.add_get("/version", self._version)
            if self.completions:
                app.router.add_post("/v1/completions", self._complete)
                app.router.add_post("/apply-template", self._template)
            self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
            started.set()

        def serve() -> None:
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # --- answering ------------------------------------------------------------------------------------------------

    async def _models(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        listed = {"data": [{"id": n, "created": 1} for n in self.names]}
        return self._unknown(request) or web.json_response(self.reshape(listed) if self.reshape else listed)

    def _unknown(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if not self.wanted or given == self.wanted:
            return None
        return web.json_response({"error": {"message": f"Incorrect API key provided: {given[7:]}"}}, status=401)

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": self.version})

    async def _template(self, request: web.Request) -> web.Response:
        messages = (await request.json())["messages"]
        return web.json_response({"prompt": "".join(f"[{m['role']}]{m['content']}" for m in messages) + "[assistant]"})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        begun = body["messages"][-1]["content"] if body["messages"][-1]["role"] == "assistant" else ""
        asked = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
        whole = self._says(asked, body.get("seed"))
        text = whole
        if begun and self.prefill != "ignores" and whole.startswith(begun):
            text = whole[len(begun) :]
        echo = begun if self.prefill == "echoes" else ""
        return await self._answer(request, body, text, echo, chat=True)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked, _, begun = body["prompt"].rpartition("[assistant]")
        whole = self._says(asked.rpartition("[user]")[2], body.get("seed"))
        if body.get("echo"):
            return self._forced(body)
        return await self._answer(request, body, whole[len(begun) :], "", chat=False)

    def _says(self, asked: str, seed: int | None) -> str:
        if asked.startswith("Write eight random"):
            return f"random words {seed if self.seeds else ''} of many kinds and sorts, and yet more of them"
        return WEEK if asked.startswith("Name the days") else SOLUTION

    def _forced(self, body: dict[str, Any]) -> web.Response:
        tokens = [*split(body["prompt"]), " x"]
        legacy = {
            "tokens": tokens,
            "token_logprobs": [None, *(-0.1 * len(t) for t in tokens[1:])],
            "top_logprobs": [None, *({t: -0.1 * len(t)} for t in tokens[1:])],
        }
        choice = {"text": "".join(tokens), "index": 0, "finish_reason": "length", "logprobs": legacy}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": len(tokens) - 1}})

    async def _answer(
        self, request: web.Request, body: dict[str, Any], text: str, echo: str, *, chat: bool
    ) -> web.StreamResponse:
        unknown = self._unknown(request)
        if unknown is not None:
            return unknown
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            return await self._generate(request, body, text, echo, chat=chat)
        except (ConnectionError, asyncio.CancelledError):
            self.dropped += 1
            raise
        finally:
            self.busy -= 1

    async def _generate(
        self, request: web.Request, body: dict[str, Any], text: str, echo: str, *, chat: bool
    ) -> web.StreamResponse:
        fault = self.faults.pop(0) if self.faults else ""
        refusal = self._refused(body, fault)
        if refusal is not None:
            return refusal
        if fault == "time-out":
            await asyncio.sleep(30)
        if fault == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        tokens = split(text)
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 999
        reason = "length" if len(tokens) > limit else self.reason
        tokens = tokens[:limit]
        count = body.get("n", 1)
        usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": len(tokens) * count + (reason == "stop")}
        if self.caches is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": self.caches}
        if not (self.streams and body.get("stream")):
            if fault == "malformed":
                return web.Response(text='{"choices": [{"message"', content_type="application/json")
            key, value = ("message", {"content": echo + "".join(tokens)}) if chat else ("text", "".join(tokens))
            one = {key: value, "finish_reason": reason, **self._told(body, tokens, chat)}
            choices = [] if fault == "empty" else [{"index": i, **one} for i in range(count)]
            reply = {"choices": choices, **({"usage": usage} if self.usage else {})}
            return web.json_response(self.reshape(reply) if self.reshape else reply)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(event: Any) -> None:
            if self.reshape is not None and isinstance(event, dict):
                event = self.reshape(event)
            data = event if isinstance(event, str) else json.dumps(event)
            await response.write(f"data: {data}\n\n".encode())

        if chat:
            await send({"choices": [{"index": 0, "delta": {"role": "assistant", "content": echo}}]})
        if self.reasoning and chat:
            await send({"choices": [{"index": 0, "delta": {"reasoning_content": self.reasoning}}]})
        if fault == "empty":
            tokens, count = [], 0
        for number, token in enumerate(tokens):
            await asyncio.sleep(self.delay)
            if number == 2 and fault == "broken":
                assert request.transport is not None
                request.transport.abort()
                return response
            if number == 2 and fault == "cut short":
                return response
            if number == 2 and fault == "malformed":
                await send('{"choices": [{"del')
            if number == 2 and fault == "error":
                await send({"error": {"message": "the engine died", "code": 500}})
            if number == 2 and fault == "error object":
                await send({"object": "error", "message": "the engine died", "code": 50001})
            for i in range(count):
                said = {"delta": {"content": token}} if chat else {"text": token}
                await send({"choices": [{"index": i, **said, **self._told(body, [token], chat)}]})
            self.sent += 1
        for i in range(count):
            await send(
                {"choices": [{"index": i, **({"delta": {}} if chat else {"text": ""}), "finish_reason": reason}]}
            )
        if body.get("stream_options") and self.usage:
            await send({"choices": [], "usage": usage})
        if fault != "no [DONE]":
            await send("[DONE]")
        return response

    def _refused(self, body: dict[str, Any], fault: str) -> web.Response | None:
        status, said, headers = 400, "", {}
        if fault == "429":
            status, said, headers = 429, "slow down", {"Retry-After": "1"}
        elif fault == "500":
            status, said = 500, "internal error"
        elif fault == "400":
            said = "temperature is not a colour"
        elif fault == "overflow":
            said = "This model's maximum context length is 16 tokens. However, your messages resulted in 99 tokens."
        elif body.get("n", 1) > 1 and not self.many:
            said = "n must be 1"
        elif body.get("logprobs") and not self.logprobs:
            said = "logprobs are not supported"
        elif not self.streams and body.get("stream_options"):
            said = "stream_options needs streaming"
        for name in self.refuses:
            if all(part in body and (part, body[part]) != ("temperature", 1) for part in name.split("+")):
                said = f"Unsupported parameter: {name}"
        return web.json_response({"error": {"message": said}}, status=status, headers=headers) if said else None

    def _told(self, body: dict[str, Any], tokens: list[str], chat: bool) -> dict[str, Any]:
        if not self.logprobs or not body.get("logprobs"):
            return {}
        count = body.get("top_logprobs") if chat else body["logprobs"]
        top = [{"token": f"<{i}>", "logprob": -1.0 - i} for i in range(min(count or 0, 5))]
        return {"logprobs": {"content": [{"token": t, "logprob": -0.5, "top_logprobs": top} for t in tokens]}}


class _Instant(asyncio.Protocol):
    """Answers every chat request at once with the same reply, streamed or not as asked; 404 to most else."""

    TEXT = "The answer is 42."

    def __init__(self) -> None:
        usage = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}
        common = {"id": "x", "created": 1, "model": "instant", "usage": usage}
        choice = {"index": 0, "message": {"role": "assistant", "content": self.TEXT}, "finish_reason": "stop"}
        body = json.dumps({**common, "object": "chat.completion", "choices": [choice]}).encode()
        chunk = {"id": "x", "created": 1, "model": "instant", "object": "chat.completion.chunk"}
        first = {"index": 0, "delta": {"role": "assistant", "content": self.TEXT}, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        events = [{**chunk, "choices": [first]}, {**chunk, "choices": [last]}, {**common, "choices": []}]
        stream = "".join(f"data: {json.dumps(e)}\n\n" for e in events).encode() + b"data: [DONE]\n\n"
        self.whole = _response(200, "application/json", body)
        self.stream = _response(200, "text/event-stream", stream)
        self.models = _response(200, "application/json", b'{"data": [{"id": "instant", "object": "model"}]}')
        self.none = _response(404, "application/json", b'{"error": {"message": "not here"}}')
        self.received = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = re.search(rb"content-length: (\d+)", head)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.received) < size:
                return
            body, self.received = self.received[end + 4 : size], self.received[size:]
            if head.startswith(b"get /v1/models"):
                self.transport.write(self.models)
            elif not head.startswith(b"post /v1/chat/completions") or b'"n": 2' in body:
                self.transport.write(self.none)
            else:
                self.transport.write(self.stream if b'"stream": true' in body else self.whole)


def _response(status: int, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _serve_instantly() -> None:
    server = await asyncio.get_running_loop().create_server(_Instant, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


def _serve_llama(model: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = 8192
    params.n_parallel = 4
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()


@contextmanager
def process(*arguments: str) -> Iterator[str]:
    """The URL of a server in a process of its own, for as long as the context lasts."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as server:
        try:
            assert server.stdout is not None
            url = next((line.strip() for line in server.stdout if line.startswith("http")), "")
            assert url, f"the server ended with status {server.wait()}"
            yield url
        finally:
            server.terminate()


if __name__ == "__main__":
    if sys.argv[1] == "instant":
        asyncio.run(_serve_instantly())
    else:
        _serve_llama(sys.argv[2])
