"""The maze puzzle: find a way past blocked cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import SLACK, Puzzle, PuzzleFamily, distances

Cell = tuple[int, int]
"""Row and column, from 0."""

MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
BLOCKED = 0.35


@dataclass
class Maze(Puzzle[Cell]):
    """Walk from S to G over open cells."""

    shape = re.compile(r"\b(up|down|left|right)\b", re.IGNORECASE)
    words = tuple(MOVES)

    rows: tuple[str, ...]

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        while True:
            blocked = draws.numbers.random((level, level)) < BLOCKED
            cells = [["#" if b else "." for b in row] for row in blocked]
            spots = [(draws.number(0, level - 1), draws.number(0, level - 1)) for _ in range(2)]
            for mark, (row, column) in zip("SG", spots, strict=True):
                cells[row][column] = mark
            maze = cls(tuple("".join(row) for row in cells))
            if spots[0] != spots[1] and (maze.remaining(spots[0]) or 0) >= level:
                return maze

    @classmethod
    def read(cls, question: str) -> Self | None:
        rows = re.findall(r"^[#.SG]+$", question, re.MULTILINE)
        return cls(tuple(rows)) if {"S", "G"} <= set("".join(rows)) else None

    @property
    def question(self) -> str:
        return (
            f"Walk from S to G; # is blocked. Write up, down, left or right, one a line, at most {self.limit}.\n"
            + "\n".join(self.rows)
        )

    def _find(self, mark: str) -> Cell:
        return next((r, row.index(mark)) for r, row in enumerate(self.rows) if mark in row)

    @property
    def start(self) -> Cell:
        return self._find("S")

    @property
    def limit(self) -> int:
        return self._distances[self.start] + SLACK

    def _neighbours(self, state: Cell) -> list[tuple[str, Cell]]:
        found = []
        for move, (down, right) in MOVES.items():
            row, column = state[0] + down, state[1] + right
            inside = 0 <= row < len(self.rows) and 0 <= column < len(self.rows[row])
            if inside and self.rows[row][column] != "#":
                found.append((move, (row, column)))
        return found

    def after(self, state: Cell, move: str) -> Cell | None:
        return dict(self._neighbours(state)).get(move)

    def legal_moves(self, state: Cell) -> Sequence[str]:
        return [move for move, _ in self._neighbours(state)]

    def mistakes(self, state: Cell) -> Sequence[str]:
        return [move for move in MOVES if move not in self.legal_moves(state)]

    @cached_property
    def _distances(self) -> dict[Cell, int]:
        return distances(self._find("G"), self._neighbours)

    def measure(self, state: Cell) -> int | None:
        return self._distances.get(state)


FAMILY = PuzzleFamily("maze", Maze, range(4, 13), 7, "length of a side", max_tokens=192)


@task("puzzle:maze", family="puzzles", dial="side, 4 to 12", grader="the simulator", verifier="the simulator")
def maze() -> Generated:
    """Find a way through a maze, in at most two steps more than the fewest."""
    return FAMILY.task()
