"""A trace as a file of another tool holds it, and the readers that all such files share.

Files from elsewhere are data that nobody has checked: every value is checked for its type before it is used, and what
does not fit is a ValueError, which the reader of the file turns into a UsageError that names the file and the place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew.problem import Message, Role

LONGEST = 16 * 2**20
"""The most characters of one text of a trace. The longest solutions of today's models have about a million."""

_ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


@dataclass(frozen=True, slots=True)
class Imported:
    """One trace as a file holds it.

    id: names the problem. messages: the question. text: the solution, thinking within <think> tags.
    answer: the final answer, where the file states it beside the text. reference: the gold answer.
    grade: in [0, 1], where the file says. model: the name of the model that wrote it, '' where unknown.
    complete: whether the solution came to its own end.
    tokens: (text, log-probability in nats) of each token, where known; used only if their texts make up `text`.
    used: how many tokens the model wrote, where the file says.
    """

    id: str
    messages: tuple[Message, ...]
    text: str
    answer: str | None = None
    reference: str | None = None
    grade: float | None = None
    model: str = ""
    complete: bool = True
    tokens: tuple[tuple[str, float], ...] = ()
    used: int | None = None


def messages_of(content: Any) -> tuple[Message, ...]:
    """A question as turns: a text, or a list of messages. Raises ValueError for something else."""
    if content is None:
        return ()
    if isinstance(content, str):
        return (Message("user", content),)
    if not isinstance(content, list) or not all(
        isinstance(m, dict) and isinstance(m.get("role"), str) for m in content
    ):
        raise ValueError("the question is neither a text nor a list of messages")
    return tuple(Message(_ROLES[m["role"]], text_of(m.get("content"))) for m in content if m["role"] in _ROLES)


def text_of(content: Any) -> str:
    """The content of a message as text; its reasoning parts stand within <think> tags.

    Where a provider has redacted the reasoning (the field then holds a cipher), its summary is taken.
    Raises ValueError for what is neither a text nor a list of parts, and for a text of more than `LONGEST` characters.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return _bounded([content])
    if not isinstance(content, list):
        raise ValueError("the content of a message is neither a text nor a list of parts")
    pieces = []
    for part in content:
        if not isinstance(part, dict):
            raise ValueError("a part of a message is not an object")
        kind = part.get("type")
        if kind == "reasoning":
            readable = None if part.get("redacted") else part.get("reasoning")
            pieces.append(with_thinking(string(readable or part.get("summary"), "the reasoning"), ""))
        elif kind == "text":
            pieces.append(string(part.get("text"), "the text of a message"))
    return _bounded(pieces)


def _bounded(pieces: Sequence[str]) -> str:
    """The pieces as one text. One attachment may be named many times: they are counted before they are joined."""
    if sum(map(len, pieces)) > LONGEST:
        raise ValueError(f"a text has more than {LONGEST:,} characters")
    return "".join(pieces)


def with_thinking(reasoning: str, text: str) -> str:
    """Reasoning and the text after it as one solution."""
    return f"<think>\n{reasoning.strip()}\n</think>\n\n{text}" if reasoning else text


def string(value: Any, what: str) -> str:
    """A text, '' where there is none. what: names it. Raises ValueError for anything else."""
    if value is None or isinstance(value, str):
        return value or ""
    raise ValueError(f"{what} is not a text")


def scalar(value: Any, what: str) -> str | None:
    """A text, a number or a truth value as text; of a list with one, that one; None for null, NaN or an empty list.

    what: names it. Raises ValueError for anything else: an object is not an answer.
    """
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{what} is neither a text nor a number")


def grouped(traces: Sequence[Imported]) -> dict[str, list[Imported]]:
    """Traces by problem: those of one question (and one reference) are of one problem, whatever their ids.

    Different problems with the same id are told apart by a number after it.
    """
    found: dict[tuple[tuple[tuple[str, str], ...], str | None], list[Imported]] = {}
    for trace in traces:
        key = (tuple((m.role, m.text) for m in trace.messages), trace.reference)
        found.setdefault(key, []).append(trace)
    named: dict[str, list[Imported]] = {}
    uses: dict[str, int] = {}
    for group in found.values():
        name = group[0].id
        while name in named:
            uses[group[0].id] = uses.get(group[0].id, 1) + 1
            name = f"{group[0].id} ({uses[group[0].id]})"
        named[name] = group
    return named
