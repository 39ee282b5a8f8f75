"""The puzzle of the Tower of Hanoi, from any position to any other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import SLACK, Puzzle, PuzzleFamily, distances

Pegs = tuple[int, ...]
"""The peg (0 to 2) of each disk, the smallest first."""


def _moves(state: Pegs) -> list[tuple[str, Pegs]]:
    found = []
    for disk, peg in enumerate(state):
        for target in range(3):
            # A disk moves when nothing smaller lies on either peg.
            if target != peg and not {peg, target} & set(state[:disk]):
                found.append((f"disk {disk + 1} to {'abc'[target]}", (*state[:disk], target, *state[disk + 1 :])))
    return found


@cache
def _distances(goal: Pegs) -> dict[Pegs, int]:
    return distances(goal, _moves)


@dataclass
class Hanoi(Puzzle[Pegs]):
    """Move one disk at a time, never onto a smaller one.

    given, goal: the peg (0 to 2) of each disk, the smallest first.
    """

    shape = re.compile(r"disk ([1-9]) to (?:peg )?([abc])\b", re.IGNORECASE)
    words = ("disk ", " to ")

    given: Pegs
    goal: Pegs

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        while True:
            given, goal = (tuple(draws.number(0, 2) for _ in range(level)) for _ in range(2))
            if given[-1] != goal[-1]:
                return cls(given, goal)

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"Disks lie .* Now: (.*)\. Wanted: (.*)\. Write", question)
        return cls(_pegs(match[1]), _pegs(match[2])) if match else None

    @property
    def question(self) -> str:
        return (
            "Disks lie on pegs a, b and c, the bottom one first; 1 is the smallest. Move one top disk at a time, never "
            f"onto a smaller one. Now: {_shown(self.given)}. Wanted: {_shown(self.goal)}. Write one move a line, as "
            f"`disk 1 to c`, at most {self.limit}."
        )

    @property
    def start(self) -> Pegs:
        return self.given

    @property
    def limit(self) -> int:
        return _distances(self.goal)[self.given] + SLACK

    def spelled(self, match: re.Match[str]) -> str:
        return f"disk {match[1]} to {match[2].lower()}"

    def after(self, state: Pegs, move: str) -> Pegs | None:
        return dict(_moves(state)).get(move)

    def legal_moves(self, state: Pegs) -> Sequence[str]:
        return [move for move, _ in _moves(state)]

    def mistakes(self, state: Pegs) -> Sequence[str]:
        legal = set(self.legal_moves(state))
        every = (f"disk {disk} to {peg}" for disk in range(1, len(state) + 1) for peg in "abc")
        return [move for move in every if move not in legal]

    def measure(self, state: Pegs) -> int | None:
        return _distances(self.goal).get(state)


def _shown(state: Pegs) -> str:
    disks = [[str(d + 1) for d in range(len(state) - 1, -1, -1) if state[d] == peg] for peg in range(3)]
    return ", ".join(f"{name} {' '.join(row) or '-'}" for name, row in zip("abc", disks, strict=True))


def _pegs(text: str) -> Pegs:
    where = {int(disk): "abc".index(row[0]) for row in text.split(", ") for disk in re.findall(r"\d", row)}
    return tuple(where[disk] for disk in sorted(where))


FAMILY = PuzzleFamily("hanoi", Hanoi, range(2, 8), 4, "number of disks", max_tokens=640)


@task("puzzle:hanoi", family="puzzles", dial="disks, 2 to 7", grader="the simulator", verifier="the simulator")
def hanoi() -> Generated:
    """The Tower of Hanoi from any position to any other, in at most two moves more than the fewest."""
    return FAMILY.task()
