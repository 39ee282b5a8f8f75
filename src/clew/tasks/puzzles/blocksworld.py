"""The blocksworld puzzle: restack blocks on a table, one at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import SLACK, Puzzle, PuzzleFamily, distances

Stacks = tuple[tuple[str, ...], ...]
"""The stacks, each from the bottom up, in alphabetical order."""

BLOCKS = ("blue", "brown", "green", "grey", "orange", "pink", "red", "white")
TABLE = "table"


def _moves(state: Stacks) -> list[tuple[str, Stacks]]:
    found = []
    for i, stack in enumerate(state):
        block, below = stack[-1], stack[:-1]
        others = state[:i] + state[i + 1 :]
        left = (*others, below) if below else others
        if below:
            found.append((f"move {block} to {TABLE}", tuple(sorted([*left, (block,)]))))
        for target in others:
            stacked = [(*s, block) if s is target else s for s in left]
            found.append((f"move {block} to {target[-1]}", tuple(sorted(stacked))))
    return found


@lru_cache(64)
def _distances(goal: Stacks) -> dict[Stacks, int]:
    return distances(goal, _moves)


@dataclass
class Blocksworld(Puzzle[Stacks]):
    """Move one block at a time that has nothing on it, onto the table or another such block.

    given, goal: the stacks, each from the bottom up.
    """

    shape = re.compile(rf"move (?:the )?({'|'.join(BLOCKS)}) (?:on)?to (?:the )?({'|'.join(BLOCKS)}|table)\b", re.I)
    words = ("move ", " to ", TABLE, *BLOCKS)

    given: Stacks
    goal: Stacks

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        names = draws.some(BLOCKS, level)
        while True:
            given, goal = (_stacked(names, draws) for _ in range(2))
            if given != goal:
                return cls(given, goal)

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"Blocks stand .* Now: (.*)\. Wanted: (.*)\. Write", question)
        if match is None:
            return None
        given, goal = (tuple(sorted(tuple(s.split()) for s in part.split(", "))) for part in match.groups())
        return cls(given, goal)

    @property
    def question(self) -> str:
        now, wanted = (", ".join(map(" ".join, stacks)) for stacks in (self.given, self.goal))
        return (
            "Blocks stand in stacks, the bottom one first. Move one block that has nothing on it at a time, to the "
            f"table or onto another block that has nothing on it. Now: {now}. Wanted: {wanted}. Write one move a line, "
            f"as `move red to {TABLE}`, at most {self.limit}."
        )

    @property
    def start(self) -> Stacks:
        return self.given

    @property
    def limit(self) -> int:
        return _distances(self.goal)[self.given] + SLACK

    def spelled(self, match: re.Match[str]) -> str:
        return f"move {match[1].lower()} to {match[2].lower()}"

    def after(self, state: Stacks, move: str) -> Stacks | None:
        return dict(_moves(state)).get(move)

    def legal_moves(self, state: Stacks) -> Sequence[str]:
        return [move for move, _ in _moves(state)]

    def mistakes(self, state: Stacks) -> Sequence[str]:
        legal, names = set(self.legal_moves(state)), sorted(b for stack in state for b in stack)
        every = (f"move {block} to {target}" for block in names for target in (*names, TABLE))
        return [move for move in every if move not in legal]

    def measure(self, state: Stacks) -> int | None:
        return _distances(self.goal).get(state)


def _stacked(names: Sequence[str], draws: Draws) -> Stacks:
    stacks: list[list[str]] = []
    for i in draws.numbers.permutation(len(names)).tolist():
        place = draws.number(0, len(stacks))
        if place == len(stacks):
            stacks.append([])
        stacks[place].append(names[i])
    return tuple(sorted(map(tuple, stacks)))


FAMILY = PuzzleFamily("blocksworld", Blocksworld, range(3, 7), 4, "number of blocks", max_tokens=128)


@task("puzzle:blocksworld", family="puzzles", dial="blocks, 3 to 6", grader="the simulator", verifier="the simulator")
def blocksworld() -> Generated:
    """Restack blocks, in at most two moves more than the fewest."""
    return FAMILY.task()
