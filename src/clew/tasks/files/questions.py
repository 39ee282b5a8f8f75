"""The questions of a data file: what each row asks, whatever it says of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from clew.errors import UsageError
from clew.problem import Message, Problem
from clew.tasks.answers import extractor, request
from clew.tasks.files.cells import conversation, found, is_true, plain, refused, shown
from clew.tasks.files.options import Options, asked, options_of
from clew.tasks.files.rows import Row, rows_of, stem_of
from clew.tasks.files.shapes import GOLD, ROLES, Shape, recognised


@dataclass(frozen=True, slots=True)
class Question:
    """What a row asks.

    id: the id of the problem.
    turns: the conversation up to the question.
    asks: what else the prompt has to say of the answer.
    options: the options; empty where the question has none.
    ending: the turn of the assistant after the question, where the row has one.
    """

    id: str
    turns: tuple[Message, ...]
    asks: str
    options: Options
    ending: str | None

    @property
    def text(self) -> str:
        """The text of the last turn, which is the user's."""
        return self.turns[-1].text

    def prompt(self, request: str | None) -> tuple[Message, ...]:
        """The turns, the last with the options and with what the answer has to be like (request None: without)."""
        text = asked(self.text, self.options.texts)
        return Problem("", self.turns).asking(text if request is None else text + self.asks + request)


def questions_of(
    path: Path, fields: Mapping[str, str], *, graded: bool
) -> tuple[Shape, Iterator[tuple[Row, Question]]]:
    """The shape of a file, and its rows with what each asks.

    path: the file.
    fields: role (see `ROLES`) → field, as the user says.
    graded: whether the file has to say the answers too.

    Raises UsageError, with file and line, at once or while the rows are taken, for anything that cannot be read.
    """
    rows = rows_of(path)
    first = next(rows, None)
    if first is None:
        raise UsageError(f"{path}: the file has no rows", "Write at least one problem")
    try:
        shape = recognised(first.data, {role: str(name) for role, name in fields.items()}, graded=graded)
    except UsageError as problem:
        raise UsageError(f"{first.place}: {problem.cause}", problem.cure) from None
    lacking = "" if "question" in shape.roles else "question"
    if graded and not any(role in shape.roles for role in GOLD):
        lacking = lacking or "answer"
    if lacking:
        cause = f"{first.place}: no field looks like the {lacking}"
        raise UsageError(cause, f"Say which one is: {lacking}=… of {shown(first.data)}")
    return shape, _asked(first, rows, shape.roles, stem_of(path))


def _asked(first: Row, rows: Iterator[Row], roles: Mapping[str, str], stem: str) -> Iterator[tuple[Row, Question]]:
    named: set[str] = set()
    for row in chain([first], rows):
        try:
            _check_options(row, first, roles)
            question = _question(row, roles, stem)
            if question.id in named:
                name = question.id.removeprefix(f"{stem}:")
                raise UsageError(f"the id {name!r} occurs twice", "Make ids unique, or give another id field: id=FIELD")
        except UsageError as problem:
            raise UsageError(f"{row.place}: {problem.cause}", problem.cure) from None
        named.add(question.id)
        yield row, question


def _check_options(row: Row, first: Row, roles: Mapping[str, str]) -> None:
    """Raises UsageError for options in a row of a file that has none: the question would be asked without them."""
    if "choices" not in roles:
        for name, value in row.data.items():
            if value is not None and name not in first.data and str(name).lower() in ROLES["choices"]:
                raise UsageError(f"this row has {name}, and the first row has not", "Put those with options in a file")


def _question(row: Row, roles: Mapping[str, str], stem: str) -> Question:
    cells = cells_of(row, roles)
    if cells.get("image") and cells["image"] != "[]":
        raise refused(roles["image"], "holds a picture, which clew does not read from files", "Leave the row out")
    turns = conversation(cells["question"], roles["question"])
    ending = turns[-1].text if len(turns) > 1 and turns[-1].role == "assistant" else None
    if ending is not None:
        turns = turns[:-1]
    if not turns:
        raise UsageError(f"this row has no question ({roles['question']})", "Fill it in, or remove the row")
    if turns[-1].role != "user":
        cause = f"the conversation ({roles['question']}) does not end with the user"
        raise UsageError(cause, "Leave the row out, or say which field is the question")
    context = plain(cells.get("context"), roles.get("context", ""))
    if context is not None:
        turns = Problem("", turns).asking(f"{context}\n\n{turns[-1].text}")
    options = options_of(cells["choices"], roles["choices"]) if "choices" in roles else Options(())
    name = plain(cells.get("id"), roles.get("id", ""))
    return Question(f"{stem}:{row.number if name is None else name}", turns, _asks(cells, roles), options, ending)


def cells_of(row: Row, roles: Mapping[str, str]) -> dict[str, Any]:
    """Role → the cell of a row that has it."""
    return {role: found(row.data, path) for role, path in roles.items()}


def _asks(cells: Mapping[str, Any], roles: Mapping[str, str]) -> str:
    """What the prompt has to say of the answer, where the row says more of it than its kind."""
    unit = plain(cells.get("unit"), roles.get("unit", ""))
    many = "\nGive all answers, with commas between them." if is_true(cells.get("many")) else ""
    return many + (f"\nGive the answer in {unit}, without the unit." if unit else "")


def read_questions(path: Path, *, fields: Mapping[str, str] | None = None, kind: str = "auto") -> list[Problem]:
    """The questions of a file as problems without graders, in the order of the file: to be answered, not compared.

    path: the file.
    fields: role (see `ROLES`) → field.
    kind: how answers are read; questions with options ask for a letter.

    Raises UsageError, with file and line, for anything that cannot be read, and for an id that occurs twice.
    """
    extract = extractor(kind)
    problems = []
    for _, question in questions_of(path, fields or {}, graded=False)[1]:
        choices = question.options.texts
        problems.append(
            Problem(
                question.id,
                question.prompt(request("choice") if choices else ""),
                family=stem_of(path),
                extract=extractor("choice", choices) if choices else extract,
                meta={"question": question.text},
            )
        )
    return problems
