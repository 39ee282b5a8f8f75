"""Traces out of files: chain-of-thought JSONL, reasoning-model output with thinking tags, Inspect logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clew.analysis.io.imported import Imported, messages_of, with_thinking
from clew.analysis.io.inspect_log import read_log
from clew.errors import UsageError

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


def read_traces(path: Path, *, fields: Mapping[str, str] | None = None) -> list[Imported]:
    """The traces of a file: `.jsonl` records, or an Inspect log (`.eval`, `.json`).

    fields: role → name of the field (see `FIELDS`), for JSONL whose names are others.

    Raises UsageError for a file that cannot be read or that holds no trace, naming the line.
    """
    try:
        if path.suffix in (".eval", ".json"):
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
