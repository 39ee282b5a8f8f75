"""The puzzle of N queens on a board, of which some are placed already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import Puzzle, PuzzleFamily, numbers
from clew.tasks.puzzles.sat import Assignments

Queens = tuple[tuple[int, int], ...]
"""(row, column) of each queen, from 1, in ascending order."""


def attack(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two queens, each (row, column), attack each other."""
    return a[0] == b[0] or a[1] == b[1] or abs(a[0] - b[0]) == abs(a[1] - b[1])


@cache
def _rules(size: int) -> Assignments:
    rules, lines = Assignments(), range(1, size + 1)
    for i in lines:
        rules.any_of([(i, column) for column in lines])
    for one, other in combinations(product(lines, lines), 2):
        if attack(one, other):
            rules.at_most_one([one, other])
    return rules


@dataclass
class NQueens(Puzzle[Queens]):
    """Place one queen in every row such that none attacks another.

    size: rows and columns of the board.
    given: the queens that are placed already.
    """

    shape = re.compile(r"row (\d{1,2}):? column (\d{1,2})", re.IGNORECASE)
    words = ("row ", ": column ")
    ordered = False

    size: int
    given: Queens

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        queens: list[tuple[int, int]] = []
        for row in (draws.numbers.permutation(level) + 1).tolist():
            columns = (draws.numbers.permutation(level) + 1).tolist()
            queens.append(next((row, c) for c in columns if _rules(level).possible([*queens, (row, c)])))
        return cls(level, tuple(sorted(queens[: draws.number(1, 2)])))

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"Place queens on a (\d+)x\d+ board.* stand at: ([^.]*)\.", question)
        if match is None:
            return None
        found = numbers(match[2])
        return cls(int(match[1]), tuple(zip(found[::2], found[1::2], strict=True)))

    @property
    def question(self) -> str:
        standing = ", ".join(f"row {r} column {c}" for r, c in self.given)
        return (
            f"Place queens on a {self.size}x{self.size} board, one in each row, so that no two share a column or a "
            f"diagonal. Queens stand at: {standing}. Write one more a line, as `row 1: column 2`."
        )

    @property
    def start(self) -> Queens:
        return self.given

    @property
    def limit(self) -> int:
        return self.size - len(self.given)

    def spelled(self, match: re.Match[str]) -> str:
        return f"row {int(match[1])}: column {int(match[2])}"

    def after(self, state: Queens, move: str) -> Queens | None:
        row, column = numbers(move)
        inside = 1 <= row <= self.size and 1 <= column <= self.size
        if not inside or any(attack((row, column), queen) for queen in state):
            return None
        return tuple(sorted([*state, (row, column)]))

    def _row(self, state: Queens) -> list[tuple[str, bool]]:
        """For the first row without a queen: each move, and whether it is legal."""
        taken = {row for row, _ in state}
        rows = [row for row in range(1, self.size + 1) if row not in taken][:1]
        moves = [f"row {row}: column {column}" for row in rows for column in range(1, self.size + 1)]
        return [(move, self.after(state, move) is not None) for move in moves]

    def legal_moves(self, state: Queens) -> Sequence[str]:
        """The columns for the first row without a queen."""
        return [move for move, legal in self._row(state) if legal]

    def mistakes(self, state: Queens) -> Sequence[str]:
        return [move for move, legal in self._row(state) if not legal]

    def measure(self, state: Queens) -> int | None:
        return self.size - len(state) if _rules(self.size).possible(state) else None


FAMILY = PuzzleFamily("queens", NQueens, range(6, 13), 8, "size of the board", max_tokens=96)


@task("puzzle:queens", family="puzzles", dial="size, 6 to 12", grader="the simulator", verifier="the simulator")
def queens() -> Generated:
    """Place the queens that are missing so that none attacks another."""
    return FAMILY.task()
