"""Reading of events: the tokens, texts and counts in a reply of any of the usual shapes.

A server may omit any field, or fill it with null or a value of another type; an unreadable field counts as absent.
Nothing here raises an exception for the shape of a reply.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from clew.models.openai.failures import Event

Top = tuple[int, float]
"""A token id (-1 where unknown) and its log-probability."""

ENDS = frozenset({"stop", "eos", "eos_token", "stop_sequence", "end_turn", "tool_calls", "function_call"})
"""Finish reasons that mean that the model ended its text. (Servers are sent no stop strings.)"""

_BELIEVED = 1 << 24
"""The greatest count of tokens in a reply that is believed."""
_LEAST = -1e30
"""Log-probabilities below this count as minus infinity: servers send such numbers for impossible tokens."""


class Piece(NamedTuple):
    """One received token.

    text: its text.
    id: -1 where the server does not report it.
    logprob: nats; NaN where the server does not report it.
    top: the most probable tokens at its place, most probable first.
    """

    text: str
    id: int = -1
    logprob: float = math.nan
    top: Sequence[Top] = ()


def choices_of(event: Event) -> list[tuple[int, dict[str, Any]]]:
    """The choices of an event as (index, choice); the index of a choice without one is its position."""
    listed = event.get("choices")
    found = []
    for place, choice in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(choice, dict):
            index = counted(choice.get("index"))
            found.append((place if index is None else index, choice))
    return found


def reason_of(choice: dict[str, Any]) -> str | None:
    """Why the server ended a choice; None where it gives no reason or has not ended it."""
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) and reason else None


def text_of(choice: dict[str, Any]) -> tuple[str, str]:
    """(reasoning, content) of a choice, which is a completion, a chat message, or a streamed part of one."""
    if "text" in choice:
        return "", _text(choice["text"])
    message = choice.get("delta") or choice.get("message")
    if not isinstance(message, dict):
        return "", ""
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    thoughts = [p for p in parts if isinstance(p, dict) and p.get("type") in ("thinking", "reasoning")]
    reasoning = message.get("reasoning_content") or message.get("reasoning") or thoughts
    return _text(reasoning), _text([p for p in parts if p not in thoughts] if thoughts else content)


def _text(value: Any, depth: int = 4) -> str:
    """The text of a string, a content part, or a list of parts, nested at most `depth` deep."""
    if isinstance(value, str):
        # Half of a surrogate pair is not a character: it can be neither encoded nor stored.
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list) and depth:
        return "".join(_text(part, depth - 1) for part in value)
    if isinstance(value, dict) and depth:
        return _text(next((value[k] for k in ("text", "thinking", "reasoning") if value.get(k)), ""), depth - 1)
    return ""


def counted(value: Any) -> int | None:
    """A count, index or token id; None for a value of another kind or an implausible one."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _BELIEVED and value == int(value) else None


class Told(NamedTuple):
    """The counts of a usage object, in tokens; None where absent. cached: prompt tokens that were not computed."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None


def usage_of(event: Event) -> Told:
    """The counts that an event reports."""
    usage = event.get("usage")
    if not isinstance(usage, dict):
        return Told()
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else usage.get("prompt_cache_hit_tokens")
    return Told(counted(usage.get("prompt_tokens")), counted(usage.get("completion_tokens")), counted(cached))


def pieces(choice: dict[str, Any], text: str) -> list[Piece]:
    """The tokens of `text`, the text of `choice`.

    Without log-probabilities token boundaries are unknown, and the text is one piece (none when it is empty).
    """
    entries = _entries(choice.get("logprobs"))
    listed = choice.get("token_ids")
    ids = [_id(i) for i in listed] if isinstance(listed, list) else []
    if not entries:
        if len(ids) > 1:
            return [*(Piece("", i) for i in ids[:-1]), Piece(text, ids[-1])]
        return [Piece(text, ids[0] if ids else -1)] if text or ids else []
    texts = _align(text, [e.text for e in entries])
    known = ids if len(ids) == len(entries) else [e.id for e in entries]
    return [Piece(t, i, e.logprob, e.top) for t, i, e in zip(texts, known, entries, strict=True)]


def spread(text: str, count: int) -> list[Piece]:
    """`text` in `count` pieces of nearly equal length, for a server that reports only the number of tokens."""
    marks = [round(i * len(text) / count) for i in range(count + 1)]
    return [Piece(text[a:b]) for a, b in pairwise(marks)]


def _entries(logprobs: Any) -> list[Piece]:
    if isinstance(logprobs, list):
        content: Any = logprobs
    elif isinstance(logprobs, dict):
        content = logprobs.get("content")
        if content is None:
            return _legacy(logprobs)
    else:
        return []
    return [_entry(e) for e in content if isinstance(e, dict)] if isinstance(content, list) else []


def _entry(entry: dict[str, Any]) -> Piece:
    listed = entry.get("top_logprobs")
    tops = [t for t in listed if isinstance(t, dict)] if isinstance(listed, list) else ()
    top = _ranked((_id(t.get("id")), _logprob(t.get("logprob"))) for t in tops)
    return Piece(_text(entry.get("token")), _id(entry.get("id")), _logprob(entry.get("logprob")), top)


def _legacy(logprobs: dict[str, Any]) -> list[Piece]:
    """The tokens of `logprobs` in the form of text completions, which is parallel lists."""
    tokens, chosen, tops = (
        found if isinstance(found := logprobs.get(name), list) else []
        for name in ("tokens", "token_logprobs", "top_logprobs")
    )
    read = []
    for i, token in enumerate(tokens):
        top = tops[i] if i < len(tops) and isinstance(tops[i], dict) else {}
        logprob = _logprob(chosen[i]) if i < len(chosen) else math.nan
        read.append(Piece(_text(token), -1, logprob, _ranked((-1, _logprob(v)) for v in top.values())))
    return read


def _ranked(top: Iterable[Top]) -> list[Top]:
    return sorted((t for t in top if t[1] == t[1]), key=lambda t: -t[1])


def _id(value: Any) -> int:
    found = counted(value)
    return -1 if found is None else found


def _logprob(value: Any) -> float:
    """A log-probability, which rounding may leave slightly above 0; NaN for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value < 0.01:
        return math.nan
    return float(value) if value > _LEAST else -math.inf


def _align(text: str, tokens: list[str]) -> list[str]:
    """`text` divided among its tokens.

    A token whose text does not occur in its place (a special token, a part of a character) gets no text, and the last
    token gets the text that is left.
    """
    parts: list[str] = []
    at = 0
    for token in tokens:
        fits = text.startswith(token, at)
        parts.append(token if fits else "")
        at += len(token) if fits else 0
    if at < len(text):
        parts[-1] += text[at:]
    return parts
