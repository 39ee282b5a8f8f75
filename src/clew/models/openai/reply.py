"""Reading what servers send: the tokens of one event, whichever of the usual shapes it has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

Top = tuple[int, float]
"""A token id (-1 where unknown) and its log-probability."""


class Piece(NamedTuple):
    """One received token. id: -1 where the server does not tell. top: the most probable tokens, best first."""

    text: str
    id: int = -1
    logprob: float = math.nan
    top: Sequence[Top] = ()


def text_of(choice: dict[str, Any]) -> tuple[str, str]:
    """The (reasoning, content) text of a choice: of a completion, a chat message, or a streamed delta of one."""
    if "text" in choice:
        return "", choice["text"] or ""
    message = choice.get("delta") or choice.get("message") or {}
    return message.get("reasoning_content") or message.get("reasoning") or "", message.get("content") or ""


def pieces(choice: dict[str, Any], text: str) -> list[Piece]:
    """The tokens that `text`, the text of `choice`, came with.

    Without log-probabilities the text is one piece (none when it is empty), for token boundaries are then unknown.
    """
    logprobs = choice.get("logprobs")
    entries = _entries(logprobs) if logprobs else ()
    ids: Sequence[int] = choice.get("token_ids") or ()
    if not entries:
        if len(ids) > 1:
            return [*(Piece("", i) for i in ids[:-1]), Piece(text, ids[-1])]
        return [Piece(text, ids[0] if ids else -1)] if text or ids else []
    texts = _align(text, [e.text for e in entries])
    known = ids if len(ids) == len(entries) else [e.id for e in entries]
    return [Piece(t, i, e.logprob, e.top) for t, i, e in zip(texts, known, entries, strict=True)]


def spread(text: str, count: int) -> list[Piece]:
    """`text` in `count` pieces of nearly equal length: where a server tells how many tokens it was and nothing else."""
    marks = [round(i * len(text) / count) for i in range(count + 1)]
    return [Piece(text[a:b]) for a, b in pairwise(marks)]


def legacy(logprobs: dict[str, Any]) -> list[Piece]:
    """The tokens of `logprobs` as text completions have them (parallel lists)."""
    tokens = logprobs.get("tokens") or []
    chosen = logprobs.get("token_logprobs") or [None] * len(tokens)
    tops = logprobs.get("top_logprobs") or [None] * len(tokens)
    return [
        Piece(token, -1, _number(lp), _ranked((-1, v) for v in (top or {}).values()))
        for token, lp, top in zip(tokens, chosen, tops, strict=False)
    ]


def _entries(logprobs: dict[str, Any]) -> list[Piece]:
    content = logprobs.get("content")
    if content is None:
        return legacy(logprobs)
    return [
        Piece(
            e.get("token", ""),
            e.get("id", -1),
            _number(e.get("logprob")),
            _ranked((t.get("id", -1), t["logprob"]) for t in e.get("top_logprobs") or ()),
        )
        for e in content
    ]


def _ranked(top: Any) -> list[Top]:
    return sorted(top, key=lambda t: -t[1])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _align(text: str, tokens: list[str]) -> list[str]:
    """`text` cut where its tokens begin.

    The text decides: a token that is not in it (a special token, a part of a character) gets none, and what no token
    accounts for goes to the last one.
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
