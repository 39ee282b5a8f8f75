r"""Problems out of files: JSONL, CSV, Parquet. GSM8K, MATH-500, AIME and the like are recognised by their fields."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clew.errors import UsageError
from clew.problem import Message, Problem
from clew.sampling import Stream
from clew.tasks.answers import Kind, as_canonical, checked, extractor, grader, request, statements
from clew.tasks.base import check_count, check_shots

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
ROLES: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "problem", "prompt", "input", "query"),
    "answer": ("answer", "final_answer", "gold", "target", "label", "solution", "output"),
    "id": ("id", "unique_id", "task_id", "name"),
    "choices": ("choices", "options"),
}
"""What a field can be, and the names that it usually has."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    data: Mapping[str, Any]


def _bad(path: Path, line: int | None, cause: str, cure: str) -> UsageError:
    where = f"{path}:{line}" if line is not None else str(path)
    return UsageError(f"{where}: {cause}", cure)


def _read(path: Path) -> Iterator[_Row]:
    try:
        if path.suffix == ".parquet":
            yield from _parquet(path)
        elif path.suffix in (".csv", ".tsv"):
            with path.open(encoding="utf-8-sig", newline="") as file:
                table = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
                for row in table:
                    if None in row or None in row.values():
                        count = len(table.fieldnames or ())
                        raise _bad(path, table.line_num, f"this row has not {count} fields", "Quote fields with commas")
                    yield _Row(table.line_num, row)
        else:
            with path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, 1):
                    if not line.strip():
                        continue
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise _bad(path, number, "this line is no JSON object", 'Write one {"question": …} a line')
                    yield _Row(number, row)
    except FileNotFoundError:
        raise _bad(path, None, "there is no such file", "Check the path") from None
    except json.JSONDecodeError as problem:
        raise _bad(path, number, f"this line is not JSON ({problem.msg})", "Write one JSON object a line") from None
    except csv.Error as problem:
        raise _bad(path, table.line_num, f"this row is not CSV ({problem})", "Quote fields with commas") from None
    except UnicodeDecodeError as problem:
        raise _bad(path, None, f"the file is not UTF-8 ({problem.reason})", "Save it as UTF-8") from None
    except OSError as problem:
        raise _bad(path, None, f"the file cannot be read ({problem.strerror})", "Check the path") from None


def _parquet(path: Path) -> Iterator[_Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("Parquet files need pyarrow", "pip install 'clew[data]'") from None
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as problem:
        raise _bad(path, None, f"this is no Parquet file ({problem})", "Check the file") from None
    for number, row in enumerate(table.to_pylist(), 1):
        yield _Row(number, row)


def _field(path: Path, rows: Sequence[_Row], given: str | None, usual: Sequence[str]) -> str | None:
    known = list(rows[0].data)
    if given is not None:
        if given not in known:
            raise _bad(path, rows[0].line, f"there is no field {given!r}", f"Name one of: {', '.join(known)}")
        return given
    lower = {k.lower(): k for k in known}
    return next((lower[u] for u in usual if u in lower), None)


def _gold(answer: str) -> tuple[str, Kind | None]:
    r"""The bare answer in a gold solution (`#### 42` of GSM8K, `\boxed{}` of MATH), and the kind that this shows."""
    if re.search(r"^####\s*\S", answer, re.MULTILINE):
        return answer.rsplit("####", 1)[1].strip(), "number"
    if "\\boxed" in answer or "\\fbox" in answer:
        for statement, _ in statements(answer):
            return statement, "math"
    return answer.strip(), None


def _guess(golds: Sequence[tuple[str, Kind | None]], choices: bool) -> Kind:
    """The kind of a file's answers: by its options, the form of its gold solutions, or what they can be read as."""
    if choices:
        return "choice"
    formats = {kind for _, kind in golds}
    if len(formats) == 1 and None not in formats:
        return next(k for k in formats if k)
    if all(as_canonical(gold, "number") is not None for gold, _ in golds):
        return "number"
    mathematical = sum("\\" in g or "^" in g or as_canonical(g, "number") is not None for g, _ in golds)
    return "math" if mathematical * 2 > len(golds) else "exact"


def _options(path: Path, row: _Row, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            value = [part.strip() for part in value.split("|")]
    if isinstance(value, dict):
        value = value.get("text", list(value.values()))
    if not isinstance(value, list) or not 2 <= len(value) <= 10:
        raise _bad(path, row.line, "the options are no list of 2 to 10", 'Write ["first", "second"] or first|second')
    return tuple(str(v) for v in value)


def asked(question: str, choices: Sequence[str]) -> str:
    """A question with its options, one a line."""
    return "\n".join([question, *(f"{chr(ord('A') + i)}) {c}" for i, c in enumerate(choices))])


def _chosen(gold: Any, choices: Sequence[str]) -> str | None:
    """The letter of the right option: given as a letter, a text, or an index from 0."""
    text = str(gold).strip()
    if text not in choices and text.isdigit() and int(text) < len(choices):
        return chr(ord("A") + int(text))
    if text in choices:
        return chr(ord("A") + choices.index(text))
    return as_canonical(text, "choice", choices=choices)


@dataclass(frozen=True, slots=True)
class File:
    """A file of problems, read and checked whole.

    kind: how answers are compared. instruct: whether the prompt says how to end.
    examples: worked solutions by row, where the file has them: what few-shot prompts show.
    """

    name: str
    path: Path
    kind: Kind
    rows: tuple[tuple[str, str, str, tuple[str, ...], str], ...]  # id, question, gold, options, worked solution
    instruct: bool = True

    def problems(
        self, count: int | None, *, seed: int = 0, difficulty: float | None = None, shots: int | None = None
    ) -> list[Problem]:
        """See `Task.problems`: the rows in an order that depends on the seed only. The first rows serve as examples.

        A file that has fewer problems than asked for gives all of them.
        """
        if difficulty is not None:
            raise UsageError("a file has no dial of difficulty", "Leave --difficulty out")
        used = check_shots(shots or 0, len(self.rows) - 1)
        left = self.rows[used:]
        wanted = len(left) if count is None else check_count(count)
        head: list[Message] = []
        for _, question, gold, choices, solution in self.rows[:used]:
            head.append(Message("user", self._prompt(question, choices)))
            head.append(Message("assistant", solution or f"#### {gold}"))
        order = Stream("file", seed).generator().permutation(len(left))
        return [self._problem(left[int(i)], tuple(head)) for i in order[:wanted]]

    def _prompt(self, question: str, choices: Sequence[str]) -> str:
        return asked(question, choices) + (request(self.kind) if self.instruct else "")

    def _problem(self, row: tuple[str, str, str, tuple[str, ...], str], head: tuple[Message, ...]) -> Problem:
        name, question, gold, choices, solution = row
        meta: dict[str, Any] = {"question": question, "solution": solution}
        if choices:
            meta["choices"] = choices
        return Problem(
            id=name,
            messages=(*head, Message("user", self._prompt(question, choices))),
            family=self.name,
            grader=grader(gold, self.kind, choices),
            extract=extractor(self.kind, choices),
            reference=as_canonical(gold, self.kind, choices=choices),
            steps=("\n\n",),
            max_tokens=1024,
            meta=meta,
        )


def read_file(
    path: Path, *, fields: Mapping[str, str] | None = None, kind: str | None = None, instruct: bool = True
) -> File:
    """The problems of a file. fields: which column is the `question`, `answer`, `id` or `choices`; the usual names are
    found by themselves. kind: how answers are compared; guessed from the gold answers where not given.

    Raises UsageError, with file and line, for anything that cannot be read, a row without question or answer, a gold
    answer that is none of this kind, and an id that occurs twice.
    """
    given_fields = dict(fields or {})
    for role in given_fields:
        if role not in ROLES:
            raise UsageError(f"a file has no role {role!r}", f"Name the fields of: {', '.join(ROLES)}")
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path} is no file of problems", f"It must end in {', '.join(SUFFIXES)}")
    rows = list(_read(path))
    if not rows:
        raise _bad(path, None, "the file has no rows", "Write at least one problem")
    columns = {role: _field(path, rows, given_fields.get(role), usual) for role, usual in ROLES.items()}
    for role in ("question", "answer"):
        if columns[role] is None:
            known = ", ".join(rows[0].data)
            raise _bad(path, rows[0].line, f"no field looks like the {role}", f"Say which one is: {role}=… of {known}")
    kept, golds = [], []
    for row in rows:
        asked_, given = row.data.get(str(columns["question"])), row.data.get(str(columns["answer"]))
        for role, value in (("question", asked_), ("answer", given)):
            if value is None or not str(value).strip():
                raise _bad(path, row.line, f"this row has no {role} ({columns[role]})", "Fill it in, or remove the row")
        options = _options(path, row, row.data.get(columns["choices"])) if columns["choices"] else ()
        kept.append((row, str(asked_).strip(), given, options))
        golds.append(_gold(str(given)))
    chosen = checked(kind) if kind else _guess(golds, bool(columns["choices"]))
    result, seen = [], set()
    for (row, asked_, given, options), (gold, _) in zip(kept, golds, strict=True):
        bare = _chosen(given, options) if options else gold
        if bare is None or as_canonical(bare, chosen, choices=options) is None:
            raise _bad(
                path, row.line, f"the answer {str(given)[:40]!r} is no {chosen}", "Correct it, or give another kind"
            )
        stem = row.data.get(columns["id"]) if columns["id"] else None
        name = f"{path.stem}:{row.line if stem in (None, '') else stem}"
        if name in seen:
            raise _bad(path, row.line, f"the id {stem!r} occurs twice", "Make ids unique, or give another id field")
        seen.add(name)
        worked = re.sub(r"<<.*?>>", "", str(given)).strip()  # GSM8K's calculator annotations
        result.append((name, asked_, bare, options, "" if worked == gold or options else worked))
    return File(path.stem, path, chosen, tuple(result), instruct)
