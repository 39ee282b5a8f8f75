"""The interface of a task, and `Generated`: a task that draws its problems with a seeded random generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from clew.errors import UsageError
from clew.problem import Message, Problem
from clew.sampling import Stream
from clew.tasks.answers import Kind, extractor, grader

MOST_SHOTS = 8
"""Worked examples that a task has ready; no problem repeats one of their questions."""
_TRIES = 60  # draws for a question that was not asked before


class Task(Protocol):
    """Something that poses problems and grades their answers. `clew.testing.check_task` checks what it must keep."""

    @property
    def name(self) -> str:
        """The name of the task in ids and reports."""
        ...

    def problems(
        self, count: int | None, *, seed: int = 0, difficulty: float | None = None, shots: int | None = None
    ) -> list[Problem]:
        """The problems of a seed. The first ones are the same whatever the count.

        count: how many; fewer come back where there are fewer. None gives all (20 of a task without an end).
        seed: which problems, and in which order.
        difficulty: the setting of the task's dial; None is its default.
        shots: worked examples shown as earlier turns of the conversation; None is the task's default.

        Raises UsageError for a difficulty, a number of shots or a count that the task does not have.
        """
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """One question with what is known about it.

    question: the text of the prompt.
    solution: a worked solution in the form that the examples show; it states `reference`.
    reference: the canonical answer.
    verifier: see `Problem`; None without one.
    grader: None compares with `reference`, as the kind of the task says.
    extract: how the answer is read from a solution; None reads it as the kind of the task says.
    meta: further facts, kept on the problem.
    step_verifier: see `Problem`; None without one.
    """

    question: str
    solution: str
    reference: str
    verifier: Callable[[str], float] | None = None
    grader: Callable[[str], float] | None = None
    extract: Callable[[str], str | None] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    step_verifier: Callable[[str], float] | None = None


@dataclass(frozen=True, slots=True)
class Draws:
    """The random generators of one item.

    Two items with equal `words` and different `numbers` are the same story with other numbers.

    words: draws everything but numbers.
    numbers: draws the numbers.
    """

    words: np.random.Generator
    numbers: np.random.Generator

    def word(self, options: Sequence[str]) -> str:
        """Draw one of `options`."""
        return options[int(self.words.integers(len(options)))]

    def some(self, options: Sequence[str], count: int) -> list[str]:
        """Draw `count` different ones of `options`."""
        return [options[i] for i in self.words.permutation(len(options))[:count]]

    def number(self, low: int, high: int) -> int:
        """Draw a whole number from `low` to `high`, both included."""
        return int(self.numbers.integers(low, high + 1))


@dataclass(frozen=True, slots=True)
class Generated:
    """A task whose problems come from a function of random generators and a level.

    name: the name of the task.
    make: (draws, level) → item.
    levels: the settings of the dial, ascending.
    default: the level where none is given.
    dial: what a level means ("number of digits").
    kind: how answers are read and compared, where an item does not say so itself.
    shots: worked examples where no number of them is given.
    renumbers: whether other numbers in the same story make a problem with an answer of its own.
    system: the system message; none where empty.
    steps, stop, max_tokens: as in `Problem`.
    """

    name: str
    make: Callable[[Draws, int], Item]
    levels: Sequence[int]
    default: int
    dial: str
    kind: Kind = "number"
    shots: int = 3
    renumbers: bool = False
    system: str = ""
    steps: tuple[str, ...] = ("\n",)
    stop: tuple[str, ...] = ()
    max_tokens: int = 160

    def problems(
        self, count: int | None, *, seed: int = 0, difficulty: float | None = None, shots: int | None = None
    ) -> list[Problem]:
        """See `Task.problems`. Raises UsageError also where a level has fewer distinct questions than asked for."""
        return self.drawn(count, seed=seed, difficulty=difficulty, shots=shots)

    def drawn(
        self, count: int | None, *, seed: int, difficulty: float | None, shots: int | None, renumbered: int = 0
    ) -> list[Problem]:
        """`problems`, with the numbers drawn anew `renumbered` times."""
        level = self._level(difficulty)
        wanted = check_count(20 if count is None else count)
        used = check_shots(self.shots if shots is None else shots, MOST_SHOTS)
        examples: list[Item] = []
        for i in range(MOST_SHOTS):
            examples.append(self._fresh(("shot", level, i), level, {e.question for e in examples}, 0))
        head = self._head(examples[:used])
        seen = {e.question for e in examples}
        result: list[Problem] = []
        for i in range(wanted):
            item = self._fresh((seed, level, i), level, seen, renumbered)
            seen.add(item.question)
            result.append(self._problem(f"{self.name}@{level}:{seed}:{i}", item, head, level))
        return result

    def _level(self, difficulty: float | None) -> int:
        if difficulty is None:
            return self.default
        if difficulty not in self.levels:
            raise UsageError(
                f"{self.name} has no difficulty {difficulty:g}",
                f"Its dial is the {self.dial}: {self.levels[0]} to {self.levels[-1]}",
            )
        return int(difficulty)

    def _fresh(self, key: tuple[Any, ...], level: int, seen: set[str], renumbered: int) -> Item:
        stream = Stream("task", self.name, *key)
        for attempt in range(_TRIES):
            words = stream.child("words", attempt).generator()
            item = self.make(Draws(words, stream.child("numbers", attempt, renumbered).generator()), level)
            if item.question not in seen:
                return item
        raise UsageError(
            f"{self.name} has only about {len(seen)} different problems of difficulty {level}",
            "Ask for fewer, or for another difficulty",
        )

    def _head(self, examples: Sequence[Item]) -> tuple[Message, ...]:
        head = [Message("system", self.system)] if self.system else []
        for e in examples:
            head += [Message("user", e.question), Message("assistant", e.solution)]
        return tuple(head)

    def _problem(self, name: str, item: Item, head: tuple[Message, ...], level: int) -> Problem:
        return Problem(
            id=name,
            messages=(*head, Message("user", item.question)),
            family=self.name,
            difficulty=float(level),
            verifier=item.verifier,
            step_verifier=item.step_verifier,
            grader=item.grader or grader(item.reference, self.kind),
            extract=item.extract or extractor(self.kind),
            reference=item.reference,
            steps=self.steps,
            stop=self.stop,
            max_tokens=self.max_tokens,
            meta={"solution": item.solution, **item.meta},
        )


def check_count(count: int) -> int:
    """`count` itself. Raises UsageError where it is not above zero."""
    if count < 1:
        raise UsageError(f"{count} problems cannot be posed", "Ask for at least 1")
    return count


def check_shots(shots: int, most: int) -> int:
    """`shots` itself. Raises UsageError where there are not that many examples."""
    if not 0 <= shots <= most:
        raise UsageError(f"{shots} worked examples were asked for, and 0 to {most} are possible", "Change --shots")
    return shots
