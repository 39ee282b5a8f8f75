"""Traces out of files: chain-of-thought JSONL, reasoning-model output with thinking tags, Inspect logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clew.errors import UsageError
from clew.problem import Message

FIELDS: Mapping[str, tuple[str, ...]] = {
    "question": ("prompt", "question", "problem", "input", "query", "messages"),
    "trace": (
        "trace",
        "cot",
        "chain_of_thought",
        "rationale",
        "output",
        "response",
        "completion",
        "generation",
        "content",
    ),
    "reasoning": ("reasoning_content", "reasoning", "thinking", "thought"),
    "answer": ("answer", "final_answer", "prediction"),
    "reference": ("reference", "gold", "target", "label", "expected", "ground_truth", "correct_answer"),
    "grade": ("grade", "correct", "is_correct", "score"),
    "id": ("id", "problem_id", "unique_id", "task_id"),
    "model": ("model", "model_name"),
}
"""What a field of a JSONL record can be, and the names that it usually has. `answer` is what the trace came to,
`reference` the gold answer."""


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


def read_traces(path: Path, *, fields: Mapping[str, str] | None = None) -> list[Imported]:
    """The traces of a file: `.jsonl` records, or an Inspect log (`.eval`, `.json`).

    fields: role → name of the field (see `FIELDS`), for JSONL whose names are others.

    Raises UsageError for a file that cannot be read or that holds no trace, naming the line.
    """
    try:
        if path.suffix in (".eval", ".json"):
            from clew.analysis.io.inspect_log import read_log

            found = list(read_log(path))
        elif path.suffix in (".jsonl", ".ndjson"):
            found = list(_records(path, fields or {}))
        else:
            raise UsageError(f"{path} is no file of traces that clew knows", "Give .jsonl, .eval or .json (Inspect)")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "Check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error})", "Check the file") from error
    if not found:
        raise UsageError(f"{path} holds no trace", "Check that it is the file that you mean")
    return found


def _records(path: Path, fields: Mapping[str, str]) -> Iterator[Imported]:
    unknown = set(fields) - set(FIELDS)
    if unknown:
        raise UsageError(f"a trace has no part {unknown.pop()!r}", f"Its parts are {', '.join(FIELDS)}")
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UsageError(f"{path}:{number} is not JSON ({error.msg})", "Write one object a line") from None
            if not isinstance(row, dict):
                raise UsageError(f"{path}:{number} is no JSON object", 'Write one {"prompt": …, "trace": …} a line')
            try:
                yield _record(row, fields, number)
            except ValueError as error:
                raise UsageError(f"{path}:{number}: {error}", "Name the fields, as in --field trace=NAME") from None


def _record(row: Mapping[str, Any], fields: Mapping[str, str], number: int) -> Imported:
    def part(role: str) -> Any:
        names = (fields[role],) if role in fields else FIELDS[role]
        return next((row[n] for n in names if row.get(n) is not None), None)

    question, text, reasoning = part("question"), part("trace"), part("reasoning")
    turns = messages_of(question)
    if text is None and reasoning is None and len(turns) > 1 and turns[-1].role == "assistant":
        text, turns = turns[-1].text, turns[:-1]
    if not turns:
        raise ValueError("there is no question")
    if not isinstance(text, str) and not isinstance(reasoning, str):
        raise ValueError("there is no trace")
    grade = part("grade")
    if grade is not None and not (isinstance(grade, int | float) and 0 <= grade <= 1):
        raise ValueError(f"the grade {grade!r} is no number from 0 to 1")
    answer, reference = part("answer"), part("reference")
    return Imported(
        id=str(part("id") if part("id") is not None else number),
        messages=turns,
        text=with_thinking(reasoning, text),
        answer=None if answer is None else str(answer),
        reference=None if reference is None else str(reference),
        grade=None if grade is None else float(grade),
        model=str(part("model") or ""),
    )


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
