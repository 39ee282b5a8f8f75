"""A trace as a file of another tool tells it, and what readers of such files share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clew.problem import Message


@dataclass(frozen=True, slots=True)
class Imported:
    """One trace as a file tells it.

    text: the solution, thinking within <think> tags. answer: what it came to, where the file says so beside the text.
    tokens: (text, log-probability) of each, where known; their texts make up `text`. used: its tokens, where counted.
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
    if isinstance(content, str):
        return (Message("user", content),)
    if content is None:
        return ()
    if not isinstance(content, list) or not all(isinstance(m, dict) and "role" in m for m in content):
        raise ValueError("the question is neither a text nor a list of messages")
    known = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
    return tuple(
        Message(known[m["role"]], text_of(m.get("content")))  # type: ignore[arg-type]
        for m in content
        if m["role"] in known
    )


def text_of(content: Any) -> str:
    """A message's content as text; reasoning parts within <think> tags."""
    if isinstance(content, str):
        return content
    said = ""
    for part in content or []:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "reasoning":
            said += with_thinking(part.get("reasoning") or part.get("summary") or "", "")
        elif part.get("type") == "text":
            said += str(part.get("text", ""))
    return said


def with_thinking(reasoning: str | None, text: str | None) -> str:
    """Reasoning and the text after it as one solution."""
    if not reasoning:
        return text or ""
    return f"<think>\n{reasoning.strip()}\n</think>\n\n{text or ''}"


def grouped(traces: Sequence[Imported]) -> dict[str, list[Imported]]:
    """Traces by problem: those of one question (and one reference) are of one problem, whatever their ids."""
    found: dict[tuple[tuple[tuple[str, str], ...], str | None], list[Imported]] = {}
    for trace in traces:
        key = (tuple((m.role, m.text) for m in trace.messages), trace.reference)
        found.setdefault(key, []).append(trace)
    named: dict[str, list[Imported]] = {}
    for group in found.values():
        name = group[0].id
        while name in named:
            name += "'"
        named[name] = group
    return named
