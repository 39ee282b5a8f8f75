"""A data file as a task: its questions with their gold answers, read and checked whole, and problems made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clew.errors import UsageError
from clew.problem import Message, Problem
from clew.sampling import Stream
from clew.tasks.answers import Kind, as_canonical, checked, extractor, request
from clew.tasks.answers.statements import LONGEST
from clew.tasks.base import check_count, check_shots
from clew.tasks.files.cells import is_true, plain, several, solution_text
from clew.tasks.files.golds import Gold, bare, grader_of, guessed, stated_in, tolerances_of
from clew.tasks.files.options import chosen, letter
from clew.tasks.files.questions import Question, cells_of, questions_of
from clew.tasks.files.rows import Row, stem_of
from clew.tasks.files.shapes import GOLD, Shape

_STEPS = ("\n\n",)
_MOST_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Graded:
    """A question with what is known of its answer.

    asked: the question.
    golds: gold answers as they are written, any of which counts, each with the kind that its form shows.
    gold: the gold answers that the grader compares with.
    index: the right option, counted from 0, where a field of its own says it.
    worked: a worked solution to show as an example; empty where there is none.
    level: the difficulty, where a field says it.
    """

    asked: Question
    golds: tuple[tuple[str, Kind | None], ...]
    gold: Gold
    index: int | None
    worked: str
    level: float | None


@dataclass(frozen=True, slots=True)
class File:
    """A data file as a task, read and checked whole.

    name: the name of the file without its endings; the family of its problems.
    path: the file.
    shape: which field is what, and where that is known from.
    kind: how answers are compared.
    rows: the questions with their gold answers.
    instruct: whether the prompt says how to end.
    """

    name: str
    path: Path
    shape: Shape
    kind: Kind
    rows: tuple[Graded, ...]
    instruct: bool = True

    def problems(
        self, count: int | None, *, seed: int = 0, difficulty: float | None = None, shots: int | None = None
    ) -> list[Problem]:
        """See `Task.problems`: the rows in an order that depends on the seed only. The first rows serve as examples.

        A file that has fewer problems than asked for gives all of them.
        """
        if difficulty is not None:
            raise UsageError("a file does not have a dial of difficulty", "Leave --difficulty out")
        used = check_shots(shots or 0, len(self.rows) - 1)
        left = self.rows[used:]
        wanted = len(left) if count is None else check_count(count)
        examples: list[Message] = []
        for row in self.rows[:used]:
            examples += self._prompt(row.asked)
            examples.append(Message("assistant", self._worked(row) or self._stated(row)))
        order = Stream("file", seed).generator().permutation(len(left))
        return [self._problem(left[int(i)], tuple(examples)) for i in order[:wanted]]

    def told(self) -> str:
        """How the file was read, in one line."""
        roles = dict(self.shape.roles)
        gold = next(role for role in GOLD if role in roles)
        others = "".join(f", {role}: {path}" for role, path in roles.items() if role not in ("question", gold))
        by = f"the shape of {self.shape.name}" if self.shape.needs else "by the names of its fields"
        return f"{self.path}: {by}; prompt: {roles['question']}, gold: {roles[gold]} ({self.kind}){others}"

    def _prompt(self, question: Question) -> tuple[Message, ...]:
        return question.prompt(request(self.kind) if self.instruct else None)

    def _stated(self, row: Graded) -> str:
        """The gold answer in the form that the prompt asks for."""
        return f"\\boxed{{{row.gold.texts[0]}}}" if self.kind == "math" else f"#### {row.gold.texts[0]}"

    def _worked(self, row: Graded) -> str:
        """The worked solution such that it states the gold answer; empty where the file has none."""
        if not row.worked or stated_in(row.worked)[0] == row.golds[0][0]:
            return row.worked
        return f"{row.worked}\n{self._stated(row)}"

    def _problem(self, row: Graded, examples: tuple[Message, ...]) -> Problem:
        choices = row.asked.options.texts
        prompt = self._prompt(row.asked)
        systems = sum(m.role == "system" for m in prompt[:1])  # a system message stays the first
        golds = list(row.gold.texts)
        return Problem(
            id=row.asked.id,
            messages=(*prompt[:systems], *examples, *prompt[systems:]),
            family=self.name,
            difficulty=row.level,
            grader=grader_of(row.gold, self.kind, choices),
            extract=extractor(self.kind, choices),
            reference=golds[0] if self.kind == "choice" else as_canonical(golds[0], self.kind, choices=choices),
            steps=_STEPS,
            max_tokens=_MOST_TOKENS,
            meta={
                "question": row.asked.text,
                "solution": self._worked(row),
                **({"choices": choices} if choices else {}),
                "golds": golds,
                "kind": self.kind,
                **({"tolerances": [float(t) for t in row.gold.tolerances]} if row.gold.tolerances else {}),
                "file": self.told(),
            },
        )


def stored_problem(id: str, messages: tuple[Message, ...], meta: Mapping[str, Any], **rest: Any) -> Problem:
    """The problem of a data file, made again of what a run file holds of it.

    id, messages: those of the problem.
    meta: the `meta` of the problem.
    rest: other fields of the problem.
    """
    kind, choices = checked(meta["kind"]), tuple(meta.get("choices", ()))
    gold = Gold(tuple(meta["golds"]), tolerances_of(",".join(map(str, meta.get("tolerances", ())))))
    return Problem(
        id,
        messages,
        grader=grader_of(gold, kind, choices),
        extract=extractor(kind, choices),
        steps=_STEPS,
        max_tokens=_MOST_TOKENS,
        meta=meta,
        **rest,
    )


def read_file(
    path: Path, *, fields: Mapping[str, str] | None = None, kind: str | None = None, instruct: bool | None = None
) -> File:
    """Read and check a data file whole.

    path: the file.
    fields: role (see `ROLES`) → the field that has it, with dots between the names of nested ones; known shapes and
        usual names are found without it.
    kind: how answers are compared; None guesses it from the gold answers.
    instruct: whether the prompt says how to end; None leaves that to the shape.

    Raises UsageError, with file and line, for anything that cannot be read, a row without question or answer, a gold
    answer that is not of this kind, and an id that occurs twice.
    """
    if kind is not None:
        checked(kind)
    shape, asked_of = questions_of(path, fields or {}, graded=True)
    read = [(row.place, _graded(row, question, shape.roles)) for row, question in asked_of]
    chosen_kind = checked(kind) if kind else shape.kind
    if chosen_kind is None:
        chosen_kind = guessed([gold for _, one in read for gold in one.golds], "choices" in shape.roles)
    by_text = all(text in one.asked.options.texts for _, one in read for text, _ in one.golds)
    rows = tuple(_with_gold(place, one, chosen_kind, by_text) for place, one in read)
    return File(stem_of(path), path, shape, chosen_kind, rows, shape.instruct if instruct is None else instruct)


def _graded(row: Row, question: Question, roles: Mapping[str, str]) -> Graded:
    """A question with what its row says of the answer. Raises UsageError that names the row."""
    cells = cells_of(row, roles)
    try:
        golds, worked = _golds(cells, roles, question.ending)
        level = re.search(r"\d{1,3}", str(cells.get("level")))
        return Graded(
            question,
            golds,
            Gold((), _tolerances(cells, roles)),
            _index(cells, roles),
            "" if question.options.texts else worked,
            float(level.group()) if level else None,
        )
    except UsageError as problem:
        raise UsageError(f"{row.place}: {problem.cause}", problem.cure) from None


def _golds(
    cells: Mapping[str, Any], roles: Mapping[str, str], ending: str | None
) -> tuple[tuple[tuple[str, Kind | None], ...], str]:
    """The gold answers of a row, and its worked solution. ending: the assistant's turn at the end of the question."""
    role = next((role for role in GOLD if role in roles), "")
    what = roles[role]
    aside = "solution" in roles and roles["solution"] != roles["question"]
    solution = solution_text(cells["solution"], roles["solution"]) if aside else ending
    if role == "solution":
        golds = [] if solution is None else [stated_in(solution)]
    else:
        cell = cells[role]
        texts = [solution_text(cell, what)] if _is_solution(cell) else several(cell, what)
        if is_true(cells.get("many")):
            texts = [", ".join(t for t in texts if t is not None)]
        elif role == "answer" and len(texts) > 1:
            cause = f"{what} holds {len(texts)} answers, and one is wanted"
            raise UsageError(cause, f"Write answers={what} where any of them counts, or answer={what}.0 for the first")
        formed: Kind | None = "text" if isinstance(cell, bool) else None
        golds = [(gold, form or formed) for gold, form in (bare(text) for text in texts if text)]
        if solution is None and len(golds) == 1 and golds[0][0] != texts[0]:
            solution = texts[0]
    if not golds:
        raise UsageError(f"this row has no answer ({what})", "Fill it in, or remove the row")
    worked = re.sub(r"<<.*?>>", "", solution or "").strip()  # GSM8K's calculator annotations
    return tuple(golds), worked


def _is_solution(cell: Any) -> bool:
    return isinstance(cell, list) and bool(cell) and isinstance(cell[0], Mapping)


def _index(cells: Mapping[str, Any], roles: Mapping[str, str]) -> int | None:
    text = plain(cells.get("index"), roles.get("index", ""))
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 2:
        raise UsageError(f"{roles['index']} is {text[:40]!r}, not a number from 0", "Correct it")
    return int(text)


def _tolerances(cells: Mapping[str, Any], roles: Mapping[str, str]) -> tuple[Any, ...]:
    text = plain(cells.get("tolerance"), roles.get("tolerance", ""))
    try:
        return tolerances_of(text) if text else ()
    except ValueError:
        cause = f"{roles['tolerance']} is {str(text)[:40]!r}, not a tolerance"
        raise UsageError(cause, "Write a number, or one for each answer with commas between them") from None


def _with_gold(place: str, row: Graded, kind: Kind, by_text: bool) -> Graded:
    """The question with its gold answers in the form that its kind wants. Raises UsageError where one is not."""
    texts = []
    options = row.asked.options
    for text, _ in row.golds:
        given = chosen(text, options, by_text=by_text) if options.texts else text
        if given is None or as_canonical(given, kind, choices=options.texts) is None:
            if len(text) > LONGEST:
                cause = f"the answer has {len(text):,} characters, more than the {LONGEST} that are compared"
            elif options.texts:
                cause = f"the answer {text[:40]!r} is none of the {len(options.texts)} options"
            else:
                cause = f"the answer {text[:40]!r} is not of the kind {kind}"
            raise UsageError(f"{place}: {cause}", "Correct it, or give another kind or field")
        texts.append(given)
    if row.index is not None and (row.index >= len(options.texts) or [letter(row.index)] != texts):
        cause = f"the answer {row.golds[0][0]!r} and the index {row.index} name different options"
        raise UsageError(f"{place}: {cause}", "Correct one of them")
    return replace(row, gold=replace(row.gold, texts=tuple(dict.fromkeys(texts))))
