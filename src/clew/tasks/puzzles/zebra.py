"""Zebra puzzles: who lives where, from clues that leave one possibility."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import Puzzle, PuzzleFamily
from clew.tasks.puzzles.sat import Assignments

Houses = tuple[int, ...]
"""The house (from 1) of each value, 0 where it is not known."""

VALUES = (
    ("red", "green", "blue", "white", "yellow"),
    ("cat", "dog", "fish", "horse", "zebra"),
    ("tea", "milk", "juice", "coffee", "water"),
)
_ANY = "|".join(value for group in VALUES for value in group)
_CLUE = re.compile(rf"({_ANY}) (is with|is left of|is beside|is in house) ({_ANY}|\d)")

Clue = tuple[str, str, str]
"""A value, how it stands to something, and to what: another value, or a house."""


def holds(clue: Clue, where: dict[str, int]) -> bool:
    """Whether a clue is true, or not yet decided, with these values in these houses."""
    one, relation, other = clue
    a, b = where.get(one), int(other) if other.isdigit() else where.get(other)
    if a is None or b is None:
        return True
    if relation == "is left of":
        return a + 1 == b
    return abs(a - b) == 1 if relation == "is beside" else a == b


@dataclass
class Zebra(Puzzle[Houses]):
    """Each value belongs to one house, and each house has one value of each kind.

    size: the number of houses.
    clues: what is known.
    """

    shape = re.compile(rf"house (\d):? ({_ANY})\b", re.IGNORECASE)
    words = ("house ", *(value for group in VALUES for value in group))
    ordered = False

    size: int
    clues: tuple[Clue, ...]

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        where = {
            value: int(house) + 1
            for group in VALUES
            for value, house in zip(group, draws.numbers.permutation(level), strict=False)
        }
        true = [clue for clue in _clues(level) if holds(clue, where)]
        # Clues that name a house tell most: the later a clue, the sooner it is dropped.
        order = sorted(draws.numbers.permutation(len(true)).tolist(), key=lambda i: true[i][1] == "is in house")
        kept = [true[i] for i in order]
        rules = _rules(level, kept)
        rules.any_of((), ["unlike", *where.items()])
        for clue in kept[::-1]:
            fewer = [c for c in kept if c != clue]
            if not rules.possible(["unlike", *fewer]):
                kept = fewer
        return cls(level, tuple(kept[i] for i in draws.numbers.permutation(len(kept)).tolist()))

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"(\d) houses in a row", question)
        clues = tuple((a, relation, b) for a, relation, b in _CLUE.findall(question))
        return cls(int(match[1]), clues) if match and clues else None

    @property
    def _values(self) -> list[str]:
        return [value for group in VALUES for value in group[: self.size]]

    @property
    def question(self) -> str:
        kinds = "; ".join(", ".join(group[: self.size]) for group in VALUES)
        clues = ". ".join(" ".join(clue) for clue in self.clues)
        return (
            f"There are {self.size} houses in a row, numbered from the left. Each has one of each: {kinds}. Clues: "
            f"{clues}. (left of: directly; beside: directly left or right; with: the same house.) Write who belongs "
            "where, one a line, as `house 1: red`."
        )

    @property
    def start(self) -> Houses:
        return (0,) * len(self._values)

    @property
    def limit(self) -> int:
        return len(self._values)

    def spelled(self, match: re.Match[str]) -> str:
        return f"house {match[1]}: {match[2].lower()}"

    def after(self, state: Houses, move: str) -> Houses | None:
        value, house = move.rpartition(" ")[2], int(move[6])
        values = self._values
        if value not in values or not 1 <= house <= self.size:
            return None
        at = values.index(value)
        group = slice(at - at % self.size, at - at % self.size + self.size)
        if state[at] or house in state[group]:
            return None
        new = (*state[:at], house, *state[at + 1 :])
        where = {v: h for v, h in zip(values, new, strict=True) if h}
        return new if all(holds(clue, where) for clue in self.clues if value in clue) else None

    def _slot(self, state: Houses) -> list[tuple[str, bool]]:
        """For the first house and kind that is open: each move, and whether it is legal."""
        for house in range(1, self.size + 1):
            for first in range(0, len(state), self.size):
                if house not in state[first : first + self.size]:
                    moves = [f"house {house}: {value}" for value in self._values[first : first + self.size]]
                    return [(move, self.after(state, move) is not None) for move in moves]
        return []

    def legal_moves(self, state: Houses) -> Sequence[str]:
        """What can be in the first house and kind that is open."""
        return [move for move, legal in self._slot(state) if legal]

    def mistakes(self, state: Houses) -> Sequence[str]:
        return [move for move, legal in self._slot(state) if not legal]

    @cached_property
    def _solver(self) -> Assignments:
        rules = _rules(self.size, self.clues)
        for clue in self.clues:
            rules.any_of([clue])
        return rules

    def measure(self, state: Houses) -> int | None:
        facts = [(value, house) for value, house in zip(self._values, state, strict=True) if house]
        return state.count(0) if self._solver.possible(facts) else None


def _clues(size: int) -> list[Clue]:
    """Every clue that could be given."""
    groups = [group[:size] for group in VALUES]
    crossed = [(a, b) for one, other in combinations(groups, 2) for a in one for b in other]
    alike = [pair for group in groups for pair in permutations(group, 2)]
    clues = [(a, "is with", b) for a, b in crossed]
    clues += [(a, "is left of", b) for a, b in [*crossed, *((b, a) for a, b in crossed), *alike]]
    clues += [(a, "is beside", b) for a, b in crossed]
    return clues + [(a, "is in house", str(house)) for group in groups for a in group for house in range(1, size + 1)]


def _rules(size: int, clues: Sequence[Clue]) -> Assignments:
    """The rules as clauses over facts (value, house). A clue is a fact of its own: it binds where it holds."""
    rules, houses = Assignments(), range(1, size + 1)
    for group in VALUES:
        for value in group[:size]:
            rules.exactly_one([(value, house) for house in houses])
        for house in houses:
            rules.at_most_one([(value, house) for value in group[:size]])
    for clue in clues:
        one, _, other = clue
        for a in houses:
            if not other.isdigit():
                rules.any_of([(other, b) for b in houses if holds(clue, {one: a, other: b})], [clue, (one, a)])
            elif a != int(other):
                rules.any_of((), [clue, (one, a)])
    return rules


FAMILY = PuzzleFamily("zebra", Zebra, (3, 4, 5), 4, "number of houses", max_tokens=160)


@task("puzzle:zebra", family="puzzles", dial="houses, 3 to 5", grader="the simulator", verifier="the simulator")
def zebra() -> Generated:
    """Find out who lives where from clues that leave one possibility."""
    return FAMILY.task()
