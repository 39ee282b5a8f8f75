"""Probing: finding out what a server can do, once for each server and model."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from clew.errors import ContextOverflow, UsageError
from clew.models.openai.address import authorization, parse_address
from clew.models.openai.facts import Probe
from clew.models.openai.failures import Event, Refusal, one_line
from clew.models.openai.reply import Told, choices_of, counted, pieces, reason_of, text_of, usage_of
from clew.models.openai.wire import Wire, blocking
from clew.models.pull import cache_dir

_VERSION = 2  # of the kept findings: raise it when a probe finds out more
_HELLO = [{"role": "user", "content": "Write eight random words."}]
_WEEK = {"role": "user", "content": "Name the days of the week."}
# Cut within a word: whoever goes on writes "day", whoever begins a new turn does not; and whoever says it all again in
# fewer tokens than it has is echoing it.
_BEGUN = "The days of the week are Monday, Tuesday, Wednes"
_REST = "day"
_FEW = 4  # tokens of such a reply
_MOST_PARAMS = 1e15  # the greatest reported number of weights that is believed
_SHOWN = 20
"""The most names of models that a message lists."""
# Some 600 tokens: servers that cache by the block, of up to 128 tokens, see nothing to keep in a short prompt.
_LONG = [{"role": "user", "content": "Say yes. " + "one two three four five six " * 100}]


def probe(
    url: str,
    *,
    model: str | None = None,
    api_key: str | None = None,
    key_env: str | None = None,
    timeout: float = 120.0,
    fresh: bool = False,
) -> Probe:
    """What the server at `url` can do.

    The first time this takes some twenty small requests. The findings are kept in the cache folder, and used as long as
    the server describes its model in the same way.

    url: an address, as `parse_address` takes it.
    model: the model's name there; not needed when the server has only one.
    api_key, key_env: the server's key, as for `connect`.
    timeout: seconds without a byte after which a request counts as lost.
    fresh: probe again.

    Raises UsageError for a malformed address, several models to choose from, or an unknown name; ModelError when the
    server cannot be reached or refuses.
    """
    address = parse_address(url)
    model, key_env = model or address.options.get("model"), key_env or address.options.get("key_env")
    wire = Wire(address, authorization(address, api_key=api_key, key_env=key_env), timeout=timeout, retries=2)
    return blocking(lambda: _probe(wire, model, fresh))


async def _probe(wire: Wire, model: str | None, fresh: bool) -> Probe:
    try:
        described = await _describe(wire, model)
        name = hashlib.blake2b(json.dumps([_VERSION, wire.base, described], sort_keys=True).encode(), digest_size=12)
        path = cache_dir() / "servers" / f"{name.hexdigest()}.json"
        if not fresh and path.exists():
            with suppress(ValueError, TypeError, KeyError):
                return Probe.from_dict(json.loads(path.read_text()))
        found = Probe(**await _Prober(wire, described).run())
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(found.as_dict(), file)
        os.replace(file.name, path)  # noqa: PTH105 - the same in one call
        return found
    finally:
        await wire.close()


async def _describe(wire: Wire, model: str | None) -> dict[str, Any]:
    """The server's description of the model, without the fields that change from day to day."""
    try:
        listed = (await wire.json("models", patient=False)).get("data")
    except Refusal as refusal:
        if model is None or refusal.status in (401, 403):
            raise
        listed = []
    entries = {str(e["id"]): e for e in listed or () if isinstance(e, dict) and e.get("id")}
    name = _chosen(wire.base, list(entries), model)
    return {k: v for k, v in entries.get(name, {"id": name}).items() if k not in ("created", "permission")}


def _chosen(base: str, names: list[str], wanted: str | None) -> str:
    """The name of the wanted model among those that a server lists; it may list none.

    Raises UsageError when it is not among them, or when none is wanted and there is not exactly one.
    """
    some = ", ".join(names[:_SHOWN]) + (f", … ({len(names)} in all)" if len(names) > _SHOWN else "")
    if wanted is None:
        if len(names) != 1:
            raise UsageError(
                f"{base} serves {'several models' if names else 'no model that it names'}",
                f"Choose one by {base}#NAME: {some}" if names else f"Name one by {base}#NAME",
            )
        return names[0]
    # Ollama lists llama3 as `llama3:latest`; OpenRouter takes `NAME:nitro` for a model that it lists as NAME.
    if not names or wanted in names or wanted.rpartition(":")[0] in names:
        return wanted
    if f"{wanted}:latest" in names:
        return f"{wanted}:latest"
    near = difflib.get_close_matches(wanted, names, n=1)
    raise UsageError(
        f"{base} serves no model called {wanted!r}", (f"Did you mean {near[0]!r}? " if near else "") + f"It has: {some}"
    )


class _Prober:
    def __init__(self, wire: Wire, described: Mapping[str, Any]) -> None:
        self.wire = wire
        self.described = described
        self.model = described["id"]
        self.found: dict[str, Any] = {"url": wire.base, "model": self.model}
        self.refused: list[str] = []
        self.prompt: Any = None

    async def run(self) -> dict[str, Any]:
        found = self.found
        meta = _dict(self.described.get("meta"))
        owner = str(self.described.get("owned_by", "")).replace("llamacpp", "llama.cpp")
        found["server"] = owner if owner in ("llama.cpp", "vllm") else ""
        found["context_length"] = counted(meta.get("n_ctx")) or counted(self.described.get("max_model_len"))
        params = meta.get("n_params")
        found["params"] = float(params) if isinstance(params, int | float) and 0 < params < _MOST_PARAMS else None
        if found["server"] == "llama.cpp":
            props = await self._ask("/props", None)
            found["vision"] = bool(_dict((props or {}).get("modalities")).get("vision"))
        count = await self._basics()
        await self._raw(count)
        await self._sampled()
        await self._prefill()
        await self._logprobs()
        found["samplers"] = bool(await self._say(top_k=-1, min_p=0.0, repetition_penalty=1.0))
        await self._many()
        await self._seeds()
        await self._caches()
        if found["raw"]:
            await self._forcing()
        found["refused"] = tuple(self.refused)
        return found

    async def _ask(self, path: str, body: Mapping[str, Any] | None) -> Event | None:
        """The reply; None for a refusal."""
        try:
            return await self.wire.json(path, body)
        except (Refusal, ContextOverflow) as refusal:
            if isinstance(refusal, Refusal) and refusal.status in (401, 403):
                raise
            return None

    async def _stream(self, path: str, body: Mapping[str, Any]) -> list[Event]:
        async def attempt() -> list[Event]:
            events: list[Event] = []

            def take(event: Event) -> bool:
                events.append(event)
                return True

            await self.wire.stream(path, {"model": self.model, **body}, take)
            return events

        return await self.wire.persist(attempt)

    async def _say(self, count: int = 8, **more: Any) -> list[Event]:
        """The events of a reply from the endpoint that will be used; none for a refusal."""
        chat = self.prompt is None
        about = {"messages": _HELLO, self.found["limit_field"]: count} if chat else {"prompt": self.prompt}
        body = {**about, **({} if chat else {"max_tokens": count}), "stream": self.found["streams"], **more}
        if body["stream"] and self.found["usage"] != "missing" and "stream_options" not in self.refused:
            body["stream_options"] = {"include_usage": True}
        try:
            return await self._stream("chat/completions" if chat else "completions", body)
        except (Refusal, ContextOverflow):
            return []

    async def _basics(self) -> int | None:
        """Find out whether it answers, streams and reports usage; the length of the prompt in tokens, if reported."""
        found = self.found
        streamed: dict[str, Any] = {"messages": _HELLO, "stream": True}
        ways = ({**streamed, "stream_options": {"include_usage": True}}, streamed, {"messages": _HELLO})
        attempts = [(field, body) for field in ("max_tokens", "max_completion_tokens") for body in ways]
        events: list[Event] = []
        for field, body in attempts:
            try:
                events = await self._stream("chat/completions", {**body, field: 8})
            except Refusal as refusal:
                if (field, body) == attempts[-1] or refusal.status in (401, 403):
                    raise
                continue
            found["limit_field"] = field
            if body is streamed:
                self.refused.append("stream_options")
            break
        found["streams"] = any("delta" in choice for choice in _choices(events))
        usage = _usage(events)
        found["usage"] = "missing" if usage.completion is None else "exact"
        return usage.prompt

    async def _sampled(self) -> None:
        """Find out which sampling parameters it refuses."""
        asked: dict[str, Any] = {"temperature": 0.7, "top_p": 0.9, "seed": 1}
        if await self._say(1, **asked):
            return
        for name, value in asked.items():
            if not await self._say(1, **{name: value}):
                self.refused.append(name)
        both = {name: asked[name] for name in ("temperature", "top_p")}
        if not both.keys() & set(self.refused) and not await self._say(1, **both):
            self.refused.append("temperature with top_p")

    async def _raw(self, count: int | None) -> None:
        """Find out how it renders a conversation, and whether raw completions continue the rendering."""
        found = self.found
        text, ids = None, None
        applied = await self._ask("/apply-template", {"messages": _HELLO})
        if applied and isinstance(applied.get("prompt"), str):
            found["render"], text = "apply-template", applied["prompt"]
        ids = await tokenise(self.wire, self.model, text or "one two", special=True)
        found["tokenise"] = ids is not None
        if text is None:
            ids = await tokenise(self.wire, self.model, _HELLO, special=True) if ids is not None else None
            found["render"] = "tokenize" if ids else ""
        found["raw"] = ""
        # A rendering with another length than the chat endpoint's prompt for these messages is another prompt.
        if ids and (count is None or len(ids) == count) and found["render"]:
            found["raw"] = "tokens" if await self._completes(ids) else ""
        if not found["raw"] and text is not None:
            found["raw"] = "text" if await self._completes(text) else ""

    async def _completes(self, prompt: Any) -> bool:
        reply = await self._ask("completions", {"model": self.model, "prompt": prompt, "max_tokens": 1})
        if not reply or not choices_of(reply):
            return False
        told = usage_of(reply).prompt
        if isinstance(prompt, list) and told is not None and told != len(prompt):
            return False
        self.prompt = prompt
        return True

    async def _prefill(self) -> None:
        begun = [_WEEK, {"role": "assistant", "content": _BEGUN}]
        body = {"messages": begun, self.found["limit_field"]: _FEW, "stream": self.found["streams"]}
        if "temperature" not in self.refused:
            body["temperature"] = 0
        self.found["prefill"] = ""
        vllm = {"add_generation_prompt": False, "continue_final_message": True}
        for more, how in (({}, "continues"), (vllm, "final message")):
            try:
                events = await self._stream("chat/completions", {**body, **more})
            except (Refusal, ContextOverflow):
                continue
            text = "".join(text_of(c)[1] for c in _choices(events))
            if text.startswith(_BEGUN + _REST) and not more:
                self.found["prefill"] = "echoes"
                return
            if text.startswith(_REST):
                self.found["prefill"] = how
                return

    async def _logprobs(self) -> None:
        found = self.found
        ids = {"return_token_ids": True} if found["server"] == "vllm" else {}
        for top in (20, 5, 1, 0):
            asked = {"logprobs": top} if self.prompt is not None else {"logprobs": True, "top_logprobs": top}
            events = await self._say(**asked, **ids)
            got = [p for c in _choices(events) for p in pieces(c, "".join(text_of(c)))]
            known = [p for p in got if p.logprob == p.logprob]
            if known:
                found["logprobs"] = True
                found["top_logprobs"] = min(top, max(len(p.top) for p in known))
                found["token_ids"] = all(p.id >= 0 for p in known)
                return

    async def _many(self) -> None:
        found = self.found
        events = await self._say(4, n=2, stream=False)
        choices = _choices(events)
        found["many"] = len(choices) == 2
        told = _usage(events).completion
        full = all(reason_of(c) == "length" for c in choices)
        if found["many"] and full and told is not None and told < 8:
            found["usage"] = "one choice only"

    async def _seeds(self) -> None:
        drawn = {} if "temperature" in self.refused else {"temperature": 1.0}
        replies = [] if "seed" in self.refused else [await self._say(12, **drawn, seed=seed) for seed in (1, 1, 2)]
        texts = ["".join("".join(text_of(c)) for c in _choices(r)) for r in replies]
        self.found["seeds"] = bool(texts and texts[0]) and texts[0] == texts[1] != texts[2]

    async def _caches(self) -> None:
        """Find out from its usage whether it reuses a prompt that it has just computed."""
        cached: int | None = None
        for _ in range(2):
            reply = await self._ask(
                "chat/completions", {"model": self.model, "messages": _LONG, self.found["limit_field"]: 1}
            )
            cached = usage_of(reply or {}).cached
        self.found["caches"], self.found["tells_caches"] = bool(cached), cached is not None

    async def _forcing(self) -> None:
        body = {"model": self.model, "prompt": self.prompt, "max_tokens": 1, "echo": True, "logprobs": 1}
        reply = await self._ask("completions", body)
        got = [p for c in _choices([reply or {}]) for p in pieces(c, text_of(c)[1])]
        self.found["forces"] = sum(p.logprob == p.logprob for p in got) > 1


async def tokenise(wire: Wire, model: str, what: str | list[Any], *, special: bool) -> list[int] | None:
    """The token ids of a text, or of a conversation up to the assistant's turn; None where it cannot be tokenised.

    wire: the server.
    model: the model's name there.
    what: a text, or messages as plain data.
    special: whether the special tokens with which the model's prompts begin are added.
    """
    if isinstance(what, str):
        # One body for both: llama.cpp reads `content`, vLLM reads `prompt`.
        body: dict[str, Any] = {"content": what, "parse_special": True, "add_special": special}
        body |= {"model": model, "prompt": what, "add_special_tokens": special}
    else:
        body = {"model": model, "messages": what, "add_generation_prompt": True}
    try:
        tokens = (await wire.json("/tokenize", body)).get("tokens")
    except (Refusal, ContextOverflow):
        return None
    ids = [counted(t) for t in tokens] if isinstance(tokens, list) else []
    known = [i for i in ids if i is not None]
    return known if known and len(known) == len(ids) else None


def _choices(events: list[Event]) -> list[Event]:
    return [choice for event in events for _, choice in choices_of(event)]


async def told_version(wire: Wire, server: str) -> str:
    """The version that the server reports; empty where it reports none."""
    # llama.cpp reports its build among its properties, vLLM and SGLang at the first of the other paths, Ollama at the
    # second.
    properties, versions = [("/props", "build_info")], [("/version", "version"), ("/api/version", "version")]
    for path, name in properties if server == "llama.cpp" else versions:
        told = (await wire.told(path) or {}).get(name)
        if isinstance(told, str):
            return one_line(told)
    return ""


def _usage(events: list[Event]) -> Told:
    """The last usage that these events report."""
    return next((usage_of(e) for e in reversed(events) if e.get("usage")), Told())


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
