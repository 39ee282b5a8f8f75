"""The river crossing puzzle: one boat, and passengers that must not be left alone together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import SLACK, Puzzle, PuzzleFamily, distances

Banks = tuple[bool, frozenset[str]]
"""Whether the boat has crossed, and who is on the far bank."""

CARGO = (
    "ape", "bear", "cabbage", "cat", "corn", "dog", "duck", "fox", "goat", "goose", "hen", "mouse", "rat", "seed",
    "sheep", "wolf",
)  # fmt: skip
CONFLICTS = 0.45
_SOME = "|".join(CARGO)


@dataclass
class River(Puzzle[Banks]):
    """Bring everybody across. Passengers in conflict must not be on a bank without the farmer.

    cargo: the passengers.
    conflicts: pairs that must not be left alone together.
    places: how many passengers the boat takes.
    """

    shape = re.compile(rf"cross (?:alone|with ((?:{_SOME})(?:(?:,| and) (?:{_SOME}))*))\b", re.IGNORECASE)
    words = ("cross ", "alone", "with ", " and ", *CARGO)

    cargo: tuple[str, ...]
    conflicts: tuple[tuple[str, str], ...]
    places: int

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        while True:
            cargo = tuple(sorted(draws.some(CARGO, level)))
            pairs = list(combinations(cargo, 2))
            conflicts = tuple(pair for pair in pairs if draws.numbers.random() < CONFLICTS)
            for places in (1, 2):
                river = cls(cargo, conflicts, places)
                moves = river.remaining(river.start)
                if moves is not None:
                    # Where nothing has to be brought back, any order does.
                    if moves > 2 * -(-level // places) - 1:
                        return river
                    break

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"A farmer with (.*) must cross.* takes (\d) .* farmer: (.*)\. Write", question)
        if match is None:
            return None
        pairs = tuple((a, b) for a, b in (pair.split(" and ") for pair in match[3].split(", ")))
        return cls(tuple(match[1].split(", ")), pairs, int(match[2]))

    @property
    def question(self) -> str:
        pairs = ", ".join(" and ".join(pair) for pair in self.conflicts)
        return (
            f"A farmer with {', '.join(self.cargo)} must cross a river. The boat takes {self.places} beside the "
            f"farmer. These must not be left on a bank without the farmer: {pairs}. Write one crossing a line, as "
            f"`cross with goat` or `cross alone`, at most {self.limit}."
        )

    @property
    def start(self) -> Banks:
        return False, frozenset()

    @property
    def limit(self) -> int:
        return self._distances[self.start] + SLACK

    def spelled(self, match: re.Match[str]) -> str:
        return _move(re.findall(_SOME, match[1].lower())) if match[1] else "cross alone"

    def _crossings(self, state: Banks) -> Iterator[tuple[str, Banks, bool]]:
        """Every crossing that the boat allows: the move, where it leads, and whether it is safe."""
        over, far = state
        here = [c for c in self.cargo if (c in far) == over]
        for count in range(self.places + 1):
            for taken in combinations(here, count):
                left = set(here) - set(taken)
                safe = not any(a in left and b in left for a, b in self.conflicts)
                yield _move(taken), (not over, far - set(taken) if over else far | set(taken)), safe

    def _neighbours(self, state: Banks) -> list[tuple[str, Banks]]:
        return [(move, new) for move, new, safe in self._crossings(state) if safe]

    def after(self, state: Banks, move: str) -> Banks | None:
        return dict(self._neighbours(state)).get(move)

    def legal_moves(self, state: Banks) -> Sequence[str]:
        return [move for move, _ in self._neighbours(state)]

    def mistakes(self, state: Banks) -> Sequence[str]:
        unsafe = [move for move, _, safe in self._crossings(state) if not safe]
        over, far = state
        return [*unsafe, *(_move([c]) for c in self.cargo if (c in far) != over)]

    @cached_property
    def _distances(self) -> dict[Banks, int]:
        return distances((True, frozenset(self.cargo)), self._neighbours)

    def measure(self, state: Banks) -> int | None:
        return self._distances.get(state)


def _move(taken: Sequence[str]) -> str:
    return "cross with " + " and ".join(sorted(taken)) if taken else "cross alone"


FAMILY = PuzzleFamily("river", River, range(3, 7), 4, "number of passengers", max_tokens=192)


@task("puzzle:river", family="puzzles", dial="passengers, 3 to 6", grader="the simulator", verifier="the simulator")
def river() -> Generated:
    """Cross a river with passengers that must not be left together, in at most two crossings more than the fewest."""
    return FAMILY.task()
