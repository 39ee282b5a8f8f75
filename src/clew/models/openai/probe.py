"""Finding out what a server can do, once a server and model."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

from clew.errors import ContextOverflow, UsageError
from clew.models.openai.reply import pieces, text_of
from clew.models.openai.wire import Event, Refusal, Wire, blocking
from clew.models.pull import cache_dir

_VERSION = 1
_HELLO = [{"role": "user", "content": "Write eight random words."}]
_WEEK = {"role": "user", "content": "Name the days of the week."}
# Cut within a word: whoever goes on writes "day", whoever begins a new turn does not; and whoever says it all again in
# fewer tokens than it has is echoing it.
_BEGUN = "The days of the week are Monday, Tuesday, Wednes"
_REST = "day"
_FEW = 4


@dataclass(frozen=True, slots=True)
class Probe:
    """What a server was found to do.

    server: `llama.cpp`, `vllm` or ''. context_length in tokens, params in weights: None where it does not tell.
    limit_field: what it calls the most tokens of a reply. streams: whether it streams. logprobs: whether it gives the
    log-probability of each token, top_logprobs: and of how many alternatives. token_ids: whether tokens come with ids.
    many: whether it accepts n>1. seeds: whether equal seeds give equal text and others other text. usage: `exact`,
    `one choice only` (counts one choice of n), or `missing`. samplers: whether it takes top_k, min_p and the like.
    tokenise: whether it tokenises text. render: how it renders a conversation (`apply-template`, `tokenize`, '').
    raw: what its raw completions take as a rendered prompt (`tokens`, `text`, '').
    prefill: how a chat goes on from a begun assistant turn (`continues`, `echoes` what it was given first, `final
    message` when asked to in the way of vLLM, '' not at all). forces: teacher forcing by echo with log-probabilities.
    caches: whether it was seen to reuse a prompt that it has computed before. vision: whether it says it sees images.
    """

    url: str
    model: str
    server: str = ""
    context_length: int | None = None
    params: float | None = None
    limit_field: str = "max_tokens"
    streams: bool = False
    logprobs: bool = False
    top_logprobs: int = 0
    token_ids: bool = False
    many: bool = False
    seeds: bool = False
    usage: str = "missing"
    samplers: bool = False
    tokenise: bool = False
    render: str = ""
    raw: str = ""
    prefill: str = ""
    forces: bool = False
    caches: bool = False
    vision: bool = False

    @property
    def continuation(self) -> str:
        """How a partial solution is continued, '' when it cannot be."""
        if self.raw:
            return f"raw completion of {'its tokens' if self.raw == 'tokens' else 'the rendered text'}"
        return f"assistant prefill ({self.prefill})" if self.prefill else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "continuation": self.continuation}

    def rows(self) -> list[tuple[str, str]]:
        """What was found, in words, for a table."""
        top = f"yes, of {self.top_logprobs} alternatives" if self.top_logprobs else "of the chosen token only"
        return [
            ("server", self.server or "unknown"),
            ("model", self.model),
            ("context", f"{self.context_length} tokens" if self.context_length else "not told"),
            ("continues a partial solution", f"yes, by {self.continuation}" if self.continuation else "no"),
            ("tokens", ("with ids" if self.token_ids else "without ids") + (", streamed" if self.streams else "")),
            ("log-probabilities", top if self.logprobs else "no"),
            ("n in one request", "accepted" if self.many else "refused: parallel requests instead"),
            ("seeds", "repeatable" if self.seeds else "not honoured"),
            ("usage", {"exact": "reported truthfully"}.get(self.usage, self.usage)),
            ("top-k, min-p, repetition penalty", _yes(self.samplers)),
            ("tokeniser", _yes(self.tokenise)),
            ("teacher forcing", _yes(self.forces)),
            ("prompt cache", "seen at work" if self.caches else "not seen"),
        ]


def probe(
    url: str, *, model: str | None = None, api_key: str | None = None, timeout: float = 120.0, fresh: bool = False
) -> Probe:
    """What the server at `url` can do. Asked with some twenty tiny requests the first time, or when `fresh`; kept in
    the cache folder for later, for as long as the server describes its model in the same way.

    api_key: OPENAI_API_KEY or CLEW_API_KEY by default.

    Raises UsageError for a bad URL, or several models to choose from; ModelError when there is no server or it refuses.
    """
    wire = Wire(url, api_key=key_for(api_key), timeout=timeout, retries=2)
    return blocking(lambda: _probe(wire, model, fresh))


def key_for(given: str | None) -> str | None:
    """The given key, or the one in the environment."""
    return given or os.environ.get("CLEW_API_KEY") or os.environ.get("OPENAI_API_KEY")


async def _probe(wire: Wire, model: str | None, fresh: bool) -> Probe:
    try:
        described = await _describe(wire, model)
        name = hashlib.blake2b(json.dumps([_VERSION, wire.base, described], sort_keys=True).encode(), digest_size=12)
        path = cache_dir() / "servers" / f"{name.hexdigest()}.json"
        if not fresh and path.exists():
            with suppress(ValueError, TypeError):
                kept = json.loads(path.read_text())
                return Probe(**{f.name: kept[f.name] for f in fields(Probe) if f.name in kept})
        found = Probe(**await _Prober(wire, described).run())
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(found.as_dict(), file)
        os.replace(file.name, path)  # noqa: PTH105 - the same in one call
        return found
    finally:
        await wire.close()


async def _describe(wire: Wire, model: str | None) -> dict[str, Any]:
    """What the server says of the model, without what changes from day to day."""
    try:
        listed = (await wire.json("models", patient=False)).get("data") or []
    except Refusal as refusal:
        if model is None or refusal.status in (401, 403):
            raise
        listed = []
    entries = [e for e in listed if isinstance(e, dict) and "id" in e]
    ids = [str(e["id"]) for e in entries]
    if model is None:
        if len(ids) != 1:
            some = ", ".join(ids[:8]) + (", …" if len(ids) > 8 else "")
            raise UsageError(
                f"{wire.base} serves {'several models' if ids else 'no model that it names'}",
                f"Choose one with model=NAME: {some}" if ids else "Name one with model=NAME",
            )
        model = ids[0]
    entry = next((e for e in entries if e["id"] == model), {"id": model})
    return {k: v for k, v in entry.items() if k not in ("created", "permission")}


class _Prober:
    def __init__(self, wire: Wire, described: Mapping[str, Any]) -> None:
        self.wire = wire
        self.described = described
        self.model = described["id"]
        self.found: dict[str, Any] = {"url": wire.base, "model": self.model}
        self.prompt: Any = None

    async def run(self) -> dict[str, Any]:
        found = self.found
        meta = self.described.get("meta") or {}
        owner = str(self.described.get("owned_by", "")).replace("llamacpp", "llama.cpp")
        found["server"] = owner if owner in ("llama.cpp", "vllm") else ""
        found["context_length"] = meta.get("n_ctx") or self.described.get("max_model_len")
        found["params"] = meta.get("n_params")
        if found["server"] == "llama.cpp":
            props = await self._ask("/props", None)
            found["vision"] = bool(((props or {}).get("modalities") or {}).get("vision"))
        count = await self._basics()
        await self._raw(count)
        await self._prefill()
        await self._logprobs()
        found["samplers"] = bool(await self._say(top_k=-1, min_p=0.0, repetition_penalty=1.0))
        await self._many()
        await self._seeds()
        if found["raw"]:
            await self._forcing()
        return found

    async def _ask(self, path: str, body: Mapping[str, Any] | None) -> Event | None:
        """The reply, or None for a refusal."""
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
        """The events of a reply on the path that will be used; none for a refusal."""
        chat = self.prompt is None
        about = {"messages": _HELLO, self.found["limit_field"]: count} if chat else {"prompt": self.prompt}
        body = {**about, **({} if chat else {"max_tokens": count}), "stream": self.found["streams"], **more}
        if body["stream"] and self.found["usage"] != "missing":
            body["stream_options"] = {"include_usage": True}
        try:
            return await self._stream("chat/completions" if chat else "completions", body)
        except (Refusal, ContextOverflow):
            return []

    async def _basics(self) -> int | None:
        """Whether it answers at all, streams, and reports usage; the prompt's length in tokens if it tells."""
        found = self.found
        body: dict[str, Any] = {"messages": _HELLO, "stream": True, "stream_options": {"include_usage": True}}
        events: list[Event] = []
        attempts = [(f, o) for f in ("max_tokens", "max_completion_tokens") for o in (body, {"messages": _HELLO})]
        for field, options in attempts:
            try:
                events = await self._stream("chat/completions", {**options, field: 8})
            except Refusal:
                if (field, options) == attempts[-1]:
                    raise
                continue
            found["limit_field"] = field
            break
        choices = [c for e in events for c in e.get("choices") or ()]
        found["streams"] = any("delta" in c for c in choices)
        usage = _usage(events)
        found["usage"] = "exact" if usage.get("completion_tokens") is not None else "missing"
        return usage.get("prompt_tokens")

    async def _raw(self, count: int | None) -> None:
        """How a rendered conversation can be had, and continued through raw completions."""
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
        # A rendering that is not as long as what the chat endpoint makes of the same messages is not the same prompt.
        if ids and (count is None or len(ids) == count) and found["render"]:
            found["raw"] = "tokens" if await self._completes(ids) else ""
        if not found["raw"] and text is not None:
            found["raw"] = "text" if await self._completes(text) else ""

    async def _completes(self, prompt: Any) -> bool:
        reply = await self._ask("completions", {"model": self.model, "prompt": prompt, "max_tokens": 1})
        if not reply or not reply.get("choices"):
            return False
        counted = (reply.get("usage") or {}).get("prompt_tokens")
        if isinstance(prompt, list) and counted is not None and counted != len(prompt):
            return False
        self.prompt = prompt
        return True

    async def _prefill(self) -> None:
        begun = [_WEEK, {"role": "assistant", "content": _BEGUN}]
        body = {"messages": begun, self.found["limit_field"]: _FEW, "temperature": 0, "stream": self.found["streams"]}
        self.found["prefill"] = ""
        vllm = {"add_generation_prompt": False, "continue_final_message": True}
        for more, how in (({}, "continues"), (vllm, "final message")):
            try:
                events = await self._stream("chat/completions", {**body, **more})
            except (Refusal, ContextOverflow):
                continue
            text = "".join(text_of(c)[1] for e in events for c in e.get("choices") or ())
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
            got = [p for e in events for c in e.get("choices") or () for p in pieces(c, "".join(text_of(c)))]
            known = [p for p in got if p.logprob == p.logprob]
            if known:
                found["logprobs"] = True
                found["top_logprobs"] = min(top, max(len(p.top) for p in known))
                found["token_ids"] = all(p.id >= 0 for p in known)
                return

    async def _many(self) -> None:
        found = self.found
        events = await self._say(4, n=2, stream=False)
        choices = [c for e in events for c in e.get("choices") or ()]
        found["many"] = len(choices) == 2
        counted = _usage(events).get("completion_tokens")
        full = all(c.get("finish_reason") == "length" for c in choices)
        if found["many"] and full and counted is not None and counted < 8:
            found["usage"] = "one choice only"

    async def _seeds(self) -> None:
        replies = [await self._say(12, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
        texts = ["".join("".join(text_of(c)) for e in r for c in e.get("choices") or ()) for r in replies]
        self.found["seeds"] = bool(texts[0]) and texts[0] == texts[1] != texts[2]
        cached = (_usage(replies[1]).get("prompt_tokens_details") or {}).get("cached_tokens")
        self.found["caches"] = bool(cached)

    async def _forcing(self) -> None:
        body = {"model": self.model, "prompt": self.prompt, "max_tokens": 1, "echo": True, "logprobs": 1}
        reply = await self._ask("completions", body)
        choices = (reply or {}).get("choices") or [{}]
        got = pieces(choices[0], choices[0].get("text") or "")
        self.found["forces"] = sum(p.logprob == p.logprob for p in got) > 1


async def tokenise(wire: Wire, model: str, what: str | list[Any], *, special: bool) -> list[int] | None:
    """Text, or a conversation up to the assistant's turn, as token ids; None where the server does not tokenise it.

    special: with what the model's prompts begin with.
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
    good = isinstance(tokens, list) and bool(tokens) and all(isinstance(t, int) for t in tokens)
    return tokens if good else None


def _usage(events: list[Event]) -> dict[str, Any]:
    """The last usage that was reported."""
    return next((e["usage"] for e in reversed(events) if e.get("usage")), {})


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
