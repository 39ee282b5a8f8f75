"""Replies that are odd but legal are read; hostile and damaged ones are one clear error, and cost nothing."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import random
import tracemalloc
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from clew.budget import Budget, Cost
from clew.errors import ModelError
from clew.ledger import Gauge, Ledger
from clew.models.openai import OpenAIModel, Probe, connect, parse_address, probe
from clew.models.openai.failures import Transient, error_in, failure
from clew.models.openai.frames import Frames, Unpacker, checked
from clew.models.openai.growth import Growth
from clew.models.openai.listen import Reply
from clew.models.openai.reply import counted, pieces, text_of
from clew.models.openai.wire import Wire
from clew.problem import Message
from clew.sampling import GREEDY, Sampling, Stream, Until
from clew.tree import Finish, Segment
from support.raw_server import Raw, response
from support.servers import SOLUTION, Scripted

QUESTION = (Message("user", "What is six times seven?"),)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))


def gauge_of(model: OpenAIModel) -> Gauge:
    return Ledger(Budget()).open(model.name, "generate", model.cost, fresh=1, reused=0)


def extend(model: OpenAIModel, gauge: Gauge | None = None, *, limit: int = 60) -> Segment:
    async def go() -> Segment:
        try:
            (segment,) = await model.extend(
                model.render(QUESTION),
                until=Until(limit=limit),
                sampling=GREEDY,
                streams=[Stream("shapes")],
                gauges=[gauge or gauge_of(model)],
            )
            return segment
        finally:
            await model.close()

    return asyncio.run(go())


# --- odd but legal ----------------------------------------------------------------------------------------------------


def in_choices(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def reshape(event: dict[str, Any]) -> dict[str, Any]:
        for choice in event.get("choices", ()):
            change(choice)
        return event

    return reshape


def in_parts(choice: dict[str, Any]) -> None:
    said = choice.get("delta") or choice.get("message") or {}
    if "content" in said:
        said["content"] = [{"type": "text", "text": said["content"]}]


def without_index(choice: dict[str, Any]) -> None:
    del choice["index"]


def null_usage(event: dict[str, Any]) -> dict[str, Any]:
    if "usage" in event:
        event["usage"] = dict.fromkeys([*event["usage"], "prompt_tokens_details"])
    return event


SHAPES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "content in parts": in_choices(in_parts),
    "no index": in_choices(without_index),
    "index null": in_choices(lambda c: c.update(index=None)),
    "usage null": null_usage,
    "error null": lambda e: e | {"error": None},
    "reason on every event": in_choices(lambda c: c.setdefault("finish_reason", None)),
    "ids as strings": in_choices(lambda c: c.update(token_ids=["17"])),
    "logprobs null": in_choices(lambda c: c.update(logprobs=None)),
    "logprobs empty": in_choices(lambda c: c.update(logprobs={"content": None, "refusal": None})),
    "logprobs of nothing": in_choices(lambda c: c.update(logprobs={"content": [None]})),
    "logprobs of another kind": in_choices(lambda c: c.update(logprobs="none")),
    "logprobs legacy and null": in_choices(
        lambda c: c.update(logprobs={"tokens": None, "token_logprobs": None, "top_logprobs": None})
    ),
}


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_odd_shape_is_read(shape, streams):
    with Scripted(streams=streams, reshape=SHAPES[shape]) as server:
        model = connect(server.url)
        assert model.probe.streams == streams
        gauge = gauge_of(model)
        segment = extend(model, gauge)
        assert segment.text == SOLUTION
        assert segment.finish is Finish.END
        assert gauge.generated == len(segment)


@pytest.mark.parametrize(
    "reason", ["stop", "eos", "eos_token", "stop_sequence", "end_turn", "tool_calls", "function_call"]
)
def test_every_name_of_an_end_is_an_end(reason):
    with Scripted(reason=reason) as server:
        assert extend(connect(server.url)).finish is Finish.END


def test_a_stream_without_its_last_word_is_whole_when_the_text_has_ended():
    with Scripted() as server:
        model = connect(server.url)
        server.faults += ["no [DONE]"]
        server.bodies.clear()
        assert extend(model).text == SOLUTION
        assert len(server.bodies) == 1


def test_an_error_object_in_a_stream_is_an_error_that_may_pass():
    with Scripted() as server:
        model = connect(server.url, retries=0)
        server.faults += ["error object"]
        with pytest.raises(ModelError, match="the engine died"):
            extend(model)
        model = connect(server.url, retries=1)
        server.faults += ["error object"]
        assert extend(model).text == SOLUTION


def test_models_as_a_bare_array():
    with Scripted(reshape=lambda e: e.get("data", e)) as server:
        assert probe(server.url).model == "scripted"


def test_parts_may_be_strings_or_thoughts():
    assert text_of({"message": {"content": ["a", {"type": "text", "text": "b"}]}}) == ("", "ab")
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert text_of({"delta": {"content": [thought, {"type": "text", "text": "so"}]}}) == ("hm", "so")


def test_half_a_surrogate_pair_is_no_character():
    assert text_of({"delta": {"content": "a\ud83d"}}) == ("", "a�")
    assert text_of({"delta": {"content": "\ud83e\udd89"}}) == ("", "🦉")


@pytest.mark.parametrize("value", [None, True, -1, 1.5, 1e300, float("nan"), 10**400, "x", "²", "9" * 5000, [], {}])
def test_what_is_no_count_counts_as_not_told(value):
    assert counted(value) is None


def test_counts_may_be_spelled_otherwise():
    assert (counted("12"), counted(12.0), counted(0)) == (12, 12, 0)


def test_alternatives_that_are_none_are_left_out():
    top = [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": None}, {"token": "c"}, None]
    entry = {"token": "a", "logprob": -1.0, "id": "7", "top_logprobs": top}
    (piece,) = pieces({"logprobs": {"content": [entry]}}, "a")
    assert (piece.id, list(piece.top)) == (7, [(-1, -1.0)])


# --- bounds -----------------------------------------------------------------------------------------------------------


def raw_model(server: Raw, **options: Any) -> OpenAIModel:
    """A model on a server that needs no probing."""
    wire = Wire(parse_address(server.url), "", **{"retries": 0, "timeout": 5.0} | options)
    return OpenAIModel(wire, Probe(server.url, "m", streams=True, usage="exact"), Cost(), top_logprobs=0)


def told(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def test_a_line_without_end_is_given_up():
    async def endless() -> AsyncIterator[bytes]:
        yield response(b'data: {"choices": "')
        while True:
            yield b"x" * (1 << 20)

    tracemalloc.start()
    with Raw(endless) as server, pytest.raises(ModelError, match="sent more than 8 MB"):
        extend(raw_model(server))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 << 20


def test_a_body_that_unpacks_to_gigabytes_is_given_up():
    packed = gzip.compress(b" " * (300 << 20), 1)
    assert len(packed) < 3 << 20
    with (
        Raw(response(packed, "application/json", headers="Content-Encoding: gzip\r\n")) as server,
        pytest.raises(ModelError, match="sent more than 256 MB"),
    ):
        extend(raw_model(server))


def test_a_packed_reply_is_read_and_a_damaged_one_is_an_error():
    reply = json.dumps({"choices": [{"message": {"content": "42"}, "finish_reason": "stop"}]}).encode()
    packed = gzip.compress(reply)
    header = "Content-Encoding: gzip\r\n"
    with Raw(response(packed, "application/json", headers=header)) as server:
        assert extend(raw_model(server)).text == "42"
        server.answer = response(packed[:12] + b"\0" * 9, "application/json", headers=header)
        with pytest.raises(ModelError, match="damaged|not valid JSON"):
            extend(raw_model(server))
        server.answer = response(packed, "application/json", headers="Content-Encoding: br\r\n")
        with pytest.raises(ModelError, match="compresses its replies as .br."):
            extend(raw_model(server))


def test_an_error_page_without_end_is_given_up():
    async def endless() -> AsyncIterator[bytes]:
        yield response(b"", "text/html", 500)
        while True:
            yield b"<p>" * 100_000

    with Raw(endless) as server, pytest.raises(ModelError, match="sent more than 1 MB"):
        extend(raw_model(server))


def test_what_is_nested_a_thousand_deep_is_no_text_and_no_error_of_python():
    deep = "[" * 900 + "]" * 900
    message = f'{{"choices": [{{"message": {{"content": {deep}}}, "finish_reason": "stop"}}]}}'
    with Raw(response(message.encode(), "application/json")) as server:
        assert extend(raw_model(server)).text == ""
        for status, error in ((400, f'{{"message": {deep}}}'), (200, deep), (500, f'{{"code": {deep}}}')):
            server.answer = response(f'{{"error": {error}}}'.encode(), "application/json", status)
            with pytest.raises(ModelError):
                extend(raw_model(server))


@pytest.mark.parametrize("claim", [1e8, 10**8, "100000000", -5, 1e300])
def test_tokens_that_cannot_be_are_not_charged(claim):
    text = {"choices": [{"index": 0, "delta": {"content": "42"}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"completion_tokens": claim, "prompt_tokens": claim}}
    for timings in ({}, {"timings": {"predicted_n": claim, "prompt_n": claim}}):
        with Raw(response(told(text | timings) + told(usage) + b"data: [DONE]\n\n")) as server:
            model = raw_model(server)
            ledger = Ledger(Budget())
            gauge = ledger.open(model.name, "generate", model.cost, fresh=1, reused=0)
            segment = extend(model, gauge)
        assert (segment.text, len(segment), gauge.generated) == ("42", 1, 1)
        assert ledger.usage.total.computed <= 1


def test_a_reply_that_never_ends_is_given_up_after_the_longest_time():
    async def dripping() -> AsyncIterator[bytes]:
        yield response(b"")
        while True:
            yield b": still here\n\n"
            await asyncio.sleep(0.05)

    with Raw(dripping) as server, pytest.raises(ModelError, match=r"not finished a reply after 0\.5 seconds"):
        extend(raw_model(server, longest=0.5))


def test_a_server_s_words_are_one_line_that_a_terminal_can_show():
    said = {"error": {"message": "no\n\x1b[31mway\x07 " + "x" * 9999}}
    with (
        Raw(response(json.dumps(said).encode(), "application/json", 400)) as server,
        pytest.raises(ModelError) as caught,
    ):
        extend(raw_model(server))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


# --- mutated replies --------------------------------------------------------------------------------------------------

TOP = [{"id": 1, "token": "It", "logprob": -0.5, "bytes": [73, 116]}, {"token": "A", "logprob": -1.5, "id": "9"}]
CHAT = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": None}
LOGPROBS = {"content": [{"id": 1, "token": "It", "logprob": -0.5, "bytes": [73], "top_logprobs": TOP}]}
LEGACY = {
    "tokens": [" is"],
    "token_logprobs": [-0.1],
    "top_logprobs": [{" is": -0.1, " was": -3.0}],
    "text_offset": [0],
}
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
TIMINGS = {"prompt_n": 5, "predicted_n": 2, "predicted_ms": 3.5}
STREAMS: list[list[dict[str, Any]]] = [
    [
        {**CHAT, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {**CHAT, "choices": [{"index": 0, "delta": {"content": "It"}, "logprobs": LOGPROBS, "finish_reason": None}]},
        {**CHAT, "choices": [{"index": 0, "delta": {"content": " 42"}, "token_ids": [7, 8]}], "timings": TIMINGS},
        {**CHAT, "choices": [{"index": 0, "delta": {"reasoning_content": "hm"}, "finish_reason": None}]},
        {**CHAT, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**CHAT, "choices": [], "usage": USAGE},
    ],
    [
        {"choices": [{"index": 0, "text": " is", "logprobs": LEGACY, "finish_reason": None}], "usage": None},
        {"choices": [{"index": 0, "text": "x", "token_ids": [3], "finish_reason": "length"}], "usage": USAGE},
    ],
    [{**CHAT, "choices": [{"index": 0, "delta": {"content": [{"type": "text", "text": "42"}]}}], "error": None}],
    [{"object": "error", "message": "no", "type": "x", "code": 400}, {"error": {"message": "m", "code": "c"}}],
]
WHOLE: list[dict[str, Any]] = [
    {"choices": [{"index": 0, "message": {"content": "42"}, "logprobs": LOGPROBS, "finish_reason": "stop"}]},
    {"choices": [{"index": 0, "text": " is", "logprobs": LEGACY, "finish_reason": "eos"}], "usage": USAGE},
    {"error": {"message": "maximum context length is 16", "code": 400, "type": "x", "param": None}},
]
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2.5, 1e8, 1e308, -1e308, 10**30, 10**400, float("nan"), float("inf"), "", "x", "0",
    "²", "\ud800", "a\x00\x1b[0m", [], [None], {}, {"a": []}, [[[]]], "stop", "x" * 300, {"content": 3}, [{"text": 1}],
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) within a value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


def mutated(rng: random.Random) -> tuple[bytes, bool]:
    """A real reply, damaged in its shape, in its bytes, or in both; and whether it is streamed."""
    streamed = rng.random() < 0.7
    events = json.loads(json.dumps(rng.choice(STREAMS) if streamed else [rng.choice(WHOLE)]))
    for _ in range(rng.randint(0, 3)):
        found = list(places(events))
        if not found:
            break
        container, key = rng.choice(found)
        if rng.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(rng.choice(ODD))
    data = (
        b"".join(told(e) for e in events) + b"data: [DONE]\n\n" if streamed else json.dumps(events[:1]).encode()[1:-1]
    )
    raw = bytearray(data)
    for _ in range(rng.choice([0, 0, 1, 3])):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(4):
            case 0:
                raw[at : at + 1] = rng.randbytes(1)
            case 1:
                del raw[at : at + rng.randint(1, 20)]
            case 2:
                raw[at:at] = raw[at : at + rng.randint(1, 60)]
            case _:
                raw[at:at] = rng.choice([b"[" * 3000, b"\n", b"data:", b"\xff\xfe", b"9" * 400, b'"', b"\\ud800"])
    return bytes(raw), streamed


def read(data: bytes, streamed: bool, growths: list[Growth]) -> None:
    """What the client makes of a reply, but for the network. Raises ModelError, or Transient, which becomes one."""
    reply = Reply(growths, streams=streamed)

    def good(event: dict[str, Any]) -> dict[str, Any]:
        error = error_in(event)
        if error is not None:
            raise failure("http://x/v1", None, error)
        return event

    frames = Frames()
    for block in Unpacker("").feed(data):
        if not streamed:
            reply.take(good(checked(block)))
            continue
        for event in [*frames.feed(block), *frames.end()]:
            if not reply.take(good(event)):
                break
    if streamed and not frames.done and not reply.whole:
        raise Transient("the stream broke off before its end")
    reply.end()


def sound(segment: Segment, gauge: Gauge, limit: int) -> None:
    """What holds for any segment, whatever it was made of."""
    segment.text.encode()
    assert (np.diff(segment.offsets) >= 0).all()
    assert not len(segment) or segment.offsets[-1] <= len(segment.text)
    assert len(segment) <= limit + 1 and gauge.generated <= limit + 1
    assert segment.logprob is not None and not (segment.logprob > 0.01).any()


def test_no_reply_however_damaged_is_more_than_one_clear_error():
    rng = random.Random(20)
    outcomes = {"read": 0, "refused": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(20_000):
            data, streamed = mutated(rng)
            limit = 12
            gauges = [Ledger(Budget()).open("m", "generate", Cost(), fresh=0, reused=1) for _ in range(1 + number % 2)]
            until = Until(limit=limit, delimiters=("\n",) if number % 3 else (), stop=("§",) if number % 5 else ())
            growths = [Growth(until, gauge, asked=limit, echo="It" if number % 7 == 0 else "") for gauge in gauges]
            try:
                read(data, streamed, growths)
                outcomes["read"] += 1
            except (ModelError, Transient) as error:
                assert "\n" not in str(error)
                outcomes["refused"] += 1
            for growth, gauge in zip(growths, gauges, strict=True):
                sound(growth.segment(Sampling(top=3), None if growth.finish else Finish.CANCELLED), gauge, limit)
    assert min(outcomes.values()) > 2000, f"the damage is too one-sided to show anything: {outcomes}"


def test_damaged_replies_over_http_are_each_one_clear_error():
    rng = random.Random(4)
    with Raw() as server:
        model = raw_model(server)

        async def go() -> None:
            for _ in range(300):
                data, streamed = mutated(rng)
                server.answer = response(data, "text/event-stream" if streamed else "application/json")
                gauge = gauge_of(model)
                try:
                    (segment,) = await model.extend(
                        model.render(QUESTION),
                        until=Until(limit=12),
                        sampling=GREEDY,
                        streams=[Stream("fuzz")],
                        gauges=[gauge],
                    )
                except ModelError:
                    continue
                sound(segment, gauge, 12)
            await model.close()

        asyncio.run(go())
