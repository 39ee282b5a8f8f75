"""Puzzles whose every step can be checked: a state, legal moves, a simulator, and how far the goal is.

A solution is one move a line. A puzzle can be read back from its own question, so that a scripted player
(`clew.players`) plays it from the question alone, like any model.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Generic, Self, TypeVar

from clew.tasks.answers import visible
from clew.tasks.base import Draws, Generated, Item

State = TypeVar("State", bound=Hashable)

SLACK = 2
"""Moves that a plan may have beyond the fewest."""
LONGEST = 20_000  # characters of a solution that are read


@dataclass
class Puzzle(ABC, Generic[State]):
    """One puzzle. States are immutable; a move is its line of text.

    shape: matches a move wherever it stands in a text. words: what its moves are made of, besides single characters.
    ordered: whether the order of the moves matters (else two orders are the same answer).
    """

    shape: ClassVar[re.Pattern[str]]
    words: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = True
    _measured: dict[State, int | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    @abstractmethod
    def make(cls, draws: Draws, level: int) -> Self:
        """A random puzzle that can be solved."""

    @classmethod
    @abstractmethod
    def read(cls, question: str) -> Self | None:
        """The puzzle that a question poses; None where it does not pose one of this family."""

    @property
    @abstractmethod
    def question(self) -> str:
        """The puzzle in words, with the form of a move."""

    @property
    @abstractmethod
    def start(self) -> State:
        """The state before the first move."""

    @property
    @abstractmethod
    def limit(self) -> int:
        """The most moves that a solution may have."""

    @abstractmethod
    def after(self, state: State, move: str) -> State | None:
        """The state after a move, spelled as `spelled` gives it; None where it is illegal."""

    @abstractmethod
    def legal_moves(self, state: State) -> Sequence[str]:
        """Legal moves, at least one of them the first of a shortest way to the goal, where there is one."""

    @abstractmethod
    def mistakes(self, state: State) -> Sequence[str]:
        """Some illegal moves that look like legal ones; none where the state leaves no room for any."""

    @abstractmethod
    def measure(self, state: State) -> int | None:
        """`remaining`, found out by the reference solver."""

    def remaining(self, state: State) -> int | None:
        """The fewest moves to the goal: 0 at the goal, None where it cannot be reached any more."""
        if state not in self._measured:
            self._measured[state] = self.measure(state)
        return self._measured[state]

    def spelled(self, match: re.Match[str]) -> str:
        """A match of `shape` as a move."""
        return re.sub(r"\s+", " ", match.group().lower())

    def moves(self, text: str) -> list[str]:
        """The moves that a text states, in order, legal or not."""
        return [self.spelled(match) for match in self.shape.finditer(text[:LONGEST])]

    def good(self, state: State) -> list[str]:
        """Those of `legal_moves` that lead nearer to the goal."""
        left = self.remaining(state)
        if not left:
            return []
        results = [(move, self.after(state, move)) for move in self.legal_moves(state)]
        return [move for move, new in results if new is not None and self.remaining(new) == left - 1]

    def solution(self) -> list[str]:
        """A shortest solution, found with the reference solver behind `remaining`."""
        state, moves = self.start, []
        while good := self.good(state):
            moves.append(good[0])
            state = self._done(state, good[0])
        return moves

    def _done(self, state: State, move: str) -> State:
        new = self.after(state, move)
        assert new is not None, f"{move!r} is not legal in {state!r}"
        return new

    def play(self, moves: Sequence[str]) -> State | None:
        """The state after these moves; None when one is illegal or there are more than `limit`."""
        state: State | None = self.start
        for count, move in enumerate(moves, start=1):
            state = self.after(state, move) if state is not None and count <= self.limit else None
        return state

    def answer(self, text: str) -> str | None:
        """The moves of a solution as one line (sorted where their order does not matter); None without any."""
        shown = visible(text)
        moves = self.moves(shown) if shown is not None else []
        return "; ".join(moves if self.ordered else sorted(moves)) or None

    def verify(self, answer: str) -> float:
        """1.0 for moves that are all legal and end at the goal within the limit, else 0.0."""
        state = self.play(self.moves(answer))
        return float(state is not None and self.remaining(state) == 0)

    def soundness(self, text: str) -> float:
        """How sound a solution is so far: 0 when a move was illegal or the goal is out of reach within the limit, else
        from 0.5 up to 1.0, at the goal, by the moves that are left.

        A last line that is only the beginning of a legal move is not judged yet.
        """
        shown = visible(text)
        if shown is None:
            return self.soundness("")
        head, _, last = shown[:LONGEST].rpartition("\n")
        moves = self.moves(head)
        tail = self.moves(last)
        state = self.play(moves)
        if state is None:
            return 0.0
        if len(tail) <= 1 and any(_begins(last, move) for move in self.legal_moves(state)):
            tail = tail if tail and self.after(state, tail[0]) is not None else []
        state = self.play(moves + tail)
        left = None if state is None else self.remaining(state)
        if left is None or len(moves) + len(tail) + left > self.limit:
            return 0.0
        return 1.0 - left / (2 * self.limit)


def _begins(line: str, move: str) -> bool:
    written = re.sub(r"\s+", " ", line.strip().lower())
    return bool(written) and move.startswith(written)


@dataclass(frozen=True, slots=True)
class PuzzleFamily:
    """A family of puzzles as a task.

    name: the name; the task is `puzzle:NAME`.
    puzzle: the class of its puzzles.
    levels: the settings of the dial, ascending.
    default: the level where none is given.
    dial: what a level means.
    max_tokens: the most tokens of a solution.
    """

    name: str
    puzzle: type[Puzzle[Any]]
    levels: Sequence[int]
    default: int
    dial: str
    max_tokens: int

    def read(self, question: str) -> Puzzle[Any] | None:
        """The puzzle that a question poses (remembered, with what its solver has found out)."""
        return _read(self.puzzle, question)

    def task(self) -> Generated:
        """The task of this family."""
        return Generated(
            f"puzzle:{self.name}",
            self.make,
            self.levels,
            self.default,
            self.dial,
            kind="exact",
            shots=0,
            max_tokens=self.max_tokens,
        )

    def make(self, draws: Draws, level: int) -> Item:
        """One item, whose solution the reference solver gives."""
        puzzle = self.puzzle.make(draws, level)
        moves = puzzle.solution()
        solution = "\n".join(moves)
        answer = puzzle.answer(solution)
        assert answer is not None
        return Item(
            puzzle.question,
            solution,
            answer,
            verifier=puzzle.verify,
            grader=puzzle.verify,
            extract=puzzle.answer,
            step_verifier=puzzle.soundness,
            meta={"moves": len(moves), "limit": puzzle.limit},
        )


@lru_cache(512)
def _read(puzzle: type[Puzzle[Any]], question: str) -> Puzzle[Any] | None:
    return puzzle.read(question)


def numbers(text: str) -> list[int]:
    """The whole numbers in a text."""
    return [int(n) for n in re.findall(r"\d{1,9}", text)]


Neighbours = Callable[[State], Sequence[tuple[str, State]]]
"""The legal moves of a state, and where each leads."""


def distances(goal: State, neighbours: Neighbours[State]) -> dict[State, int]:
    """The fewest moves between a goal and every state connected to it, where one move undoes another.

    goal: the state to begin from.
    neighbours: the legal moves of a state, with the state that each leads to.
    """
    found, edge = {goal: 0}, [goal]
    while edge:
        nexts = []
        for state in edge:
            for _, new in neighbours(state):
                if new not in found:
                    found[new] = found[state] + 1
                    nexts.append(new)
        edge = nexts
    return found
