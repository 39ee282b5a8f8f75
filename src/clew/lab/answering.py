"""Answering the questions of a file, for `clew solve --file`: each answer becomes a line of another file at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from clew import runner
from clew.budget import Budget
from clew.errors import StoreError
from clew.models.base import Model
from clew.problem import Problem
from clew.result import Result
from clew.sampling import Sampling
from clew.store import WriterLock

_BEGINNING = b'{"id": '


class AnswersFile:
    """A file of answers, a line of JSON each, in the order of completion (a `runner.Keeper`).

    Where the file exists, it is continued: the questions that it answers are not asked again.

    path: the file.
    questions: all questions that are asked.
    settings: what the answers depend on; each line holds them as `by`.
    answered: id → whether there was an answer.

    Raises StoreError for a file that clew did not write, one whose answers were made with other settings or belong to
    other questions, one that another command is writing, and one that cannot be written.
    """

    def __init__(self, path: Path, questions: Sequence[Problem], settings: Mapping[str, Any]) -> None:
        self.path = path
        self.answered: dict[str, bool] = {}  # id → whether there was an answer
        self._settings = json.loads(json.dumps(settings))
        self._known = {problem.id: problem.question for problem in questions}
        self._keys = [(problem.id, str(settings["method"]), int(settings["seed"])) for problem in questions]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(path, "Wait for it to end, or name another --out")
            try:
                self._file: IO[bytes] = path.open("a+b")
                try:
                    self._read()
                except BaseException:
                    self._file.close()
                    raise
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise StoreError(f"{path} cannot be written ({error})", "Name another --out") from None

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole, newline, torn = content.rpartition(b"\n")
        if torn and not (torn.startswith(_BEGINNING) or _BEGINNING.startswith(torn)):
            raise StoreError(f"{self.path} does not hold answers that clew wrote", "Name another --out")
        for number, line in enumerate(whole.splitlines(), 1):
            self._check(number, line)
        if torn:  # the command was killed while it wrote this line: its question is asked again
            self._file.truncate(len(whole) + len(newline))

    def _check(self, number: int, line: bytes) -> None:
        where = f"{self.path}:{number}"
        try:
            answer = json.loads(line)
            name, question, by, value = str(answer["id"]), answer["question"], dict(answer["by"]), answer["answer"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StoreError(f"{where} is not an answer that clew wrote", "Name another --out") from None
        if self._known.get(name) != question:
            raise StoreError(f"{where} answers a question that is not asked ({name})", "Name another --out")
        if by != self._settings:
            differing = ", ".join(key for key in self._settings if by.get(key) != self._settings[key])
            raise StoreError(
                f"{where} was made with other settings ({differing or 'more of them'})",
                "Give the same ones to go on, or name another --out",
            )
        self.answered[name] = value is not None

    def finished(self) -> set[tuple[str, str, int]]:
        """See `runner.Keeper`."""
        return {key for key in self._keys if key[0] in self.answered}

    def keep(self, result: Result) -> None:
        """Write the answer of a search. A failed search is not written, so that it is tried again.

        Raises StoreError when the file cannot be written.
        """
        if result.error:
            return
        answer = result.answer
        total = result.usage.total
        line = {
            "id": result.problem.id,
            "question": result.problem.question,
            "answer": answer.value,
            "confidence": answer.confidence,
            "votes": dict(answer.votes),
            "status": str(answer.status),
            "text": answer.text,
            "tokens": total.tokens,
            "generated": total.generated,
            "seconds": total.seconds,
            "by": self._settings,
        }
        try:
            # A model may write half a surrogate pair, which UTF-8 cannot encode; it is written as an escape.
            self._file.write(json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
            self._file.flush()
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written ({error.strerror})", "Make room, and go on") from None
        self.answered[result.problem.id] = answer.value is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._lock.release()


def to_answer(
    questions: Sequence[Problem], models: Mapping[str, Model], *, method: str, budget: Budget, seed: int
) -> list[runner.Trial]:
    """The searches that answer all questions, checked.

    models: role → model.
    method: as `name?key=value`.
    budget: of each question.
    seed: of each search.

    Raises UsageError as `runner.check` does.
    """
    trials = runner.trials_of(questions, [method], [seed])
    runner.check(trials, models, budget)
    return trials


async def answer_all(
    trials: Sequence[runner.Trial],
    answers: AnswersFile,
    models: Mapping[str, Model],
    *,
    budget: Budget,
    sampling: Sampling,
    concurrency: int,
    watcher: runner.Watcher,
) -> int:
    """Answer the questions that `answers` does not have yet; returns the number of failed searches.

    trials: the searches, as `to_answer` returns them.
    models: role → model.
    budget: of each question.
    sampling: how tokens are drawn.
    concurrency: questions in flight.
    watcher: is told of the progress.

    Raises ModelError when the model is gone, StoreError when the file cannot be written.
    """
    return await runner.run(
        trials, models, budget, answers, sampling=sampling, concurrency=concurrency, watcher=watcher
    )
