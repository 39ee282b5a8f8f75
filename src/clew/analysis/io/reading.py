"""Reads traces from files: chain-of-thought JSONL, output of reasoning models with thinking tags, Inspect logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clew.analysis.io.imported import LONGEST, Imported, messages_of, scalar, string, with_thinking
from clew.analysis.io.inspect_log import read_log
from clew.errors import UsageError
from clew.store.typed import parsed

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

    fields: part of a trace (see `FIELDS`) → name of the field that holds it, for JSONL with other names.

    Raises UsageError for a file that cannot be read or that holds no trace, naming the line.
    """
    try:
        if path.suffix in (".eval", ".json"):
            found = list(read_log(path))
        elif path.suffix in (".jsonl", ".ndjson"):
            found = list(_records(path, fields or {}))
        else:
            raise UsageError(f"clew reads no traces from {path}", "Give .jsonl, or a log of Inspect (.eval, .json)")
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "Check the path") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 ({error.reason})", "Save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})", "Check the file") from error
    if not found:
        raise UsageError(f"{path} does not contain any trace", "Check that it is the right file")
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
                row = parsed(line)
            except ValueError as error:
                raise UsageError(f"{path}:{number} is not JSON ({error})", "Write one object a line") from None
            if not isinstance(row, dict):
                raise UsageError(f"{path}:{number} is not a JSON object", 'Write one {"prompt": …, "trace": …} a line')
            try:
                yield _record(row, fields, number)
            except ValueError as error:
                cure = "Correct the line, or name the fields, as in --field trace=NAME"
                raise UsageError(f"{path}:{number}: {error}", cure) from None


def _record(row: Mapping[str, Any], fields: Mapping[str, str], number: int) -> Imported:
    def part(role: str) -> Any:
        names = (fields[role],) if role in fields else FIELDS[role]
        return next((row[n] for n in names if row.get(n) is not None), None)

    told = part("trace") is not None or part("reasoning") is not None
    text, reasoning = string(part("trace"), "the trace"), string(part("reasoning"), "the reasoning")
    turns = messages_of(part("question"))
    if not told and len(turns) > 1 and turns[-1].role == "assistant":
        text, turns, told = turns[-1].text, turns[:-1], True
    if not turns:
        raise ValueError("there is no question")
    if not told:
        raise ValueError("there is no trace")
    if len(text) + len(reasoning) > LONGEST:
        raise ValueError(f"the trace has more than {LONGEST:,} characters")
    grade = part("grade")
    if grade is not None and not (isinstance(grade, int | float) and 0 <= grade <= 1):
        raise ValueError("the grade is not a number from 0 to 1")
    return Imported(
        id=scalar(part("id"), "the id") or str(number),
        messages=turns,
        text=with_thinking(reasoning, text),
        answer=scalar(part("answer"), "the answer"),
        reference=scalar(part("reference"), "the reference"),
        grade=None if grade is None else float(grade),
        model=scalar(part("model"), "the name of the model") or "",
    )
