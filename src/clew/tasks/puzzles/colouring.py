"""The graph colouring puzzle: three colours, and no two neighbours alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import Puzzle, PuzzleFamily, numbers
from clew.tasks.puzzles.sat import Assignments

Colours = tuple[str, ...]
"""The colour of each node; '' is none yet."""

COLOURS = ("red", "green", "blue")
EDGES = 2.2  # a node; near 2.3 three colours begin to be too few for large random graphs


@dataclass
class Colouring(Puzzle[Colours]):
    """Colour the nodes of a graph such that no two neighbours have the same colour.

    size: the number of nodes.
    edges: pairs of neighbours, counted from 0.
    """

    shape = re.compile(r"node (\d{1,2}):? (red|green|blue)\b", re.IGNORECASE)
    words = ("node ", *COLOURS)
    ordered = False

    size: int
    edges: tuple[tuple[int, int], ...]

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        while True:
            planted = [draws.number(0, 2) for _ in range(level)]
            pairs = [(a, b) for a, b in combinations(range(level), 2) if planted[a] != planted[b]]
            count = round(EDGES * level)
            if len(pairs) >= count:
                chosen = draws.numbers.permutation(len(pairs))[:count]
                return cls(level, tuple(sorted((pairs[i][0] + 1, pairs[i][1] + 1) for i in chosen.tolist())))

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"Colour nodes 1 to (\d+) .*Joined: ([\d, -]+)\.", question)
        if match is None:
            return None
        found = numbers(match[2])
        return cls(int(match[1]), tuple(zip(found[::2], found[1::2], strict=True)))

    @property
    def question(self) -> str:
        joined = ", ".join(f"{a}-{b}" for a, b in self.edges)
        return (
            f"Colour nodes 1 to {self.size} red, green or blue, so that joined nodes differ. Joined: {joined}. Write "
            "one a line, as `node 1: red`."
        )

    @property
    def start(self) -> Colours:
        return ("",) * self.size

    @property
    def limit(self) -> int:
        return self.size

    def spelled(self, match: re.Match[str]) -> str:
        return f"node {int(match[1])}: {match[2].lower()}"

    @cached_property
    def _neighbours(self) -> list[list[int]]:
        return [[a + b - node for a, b in self.edges if node in (a, b)] for node in range(1, self.size + 1)]

    def after(self, state: Colours, move: str) -> Colours | None:
        node, colour = numbers(move)[0], move.rpartition(" ")[2]
        if not 1 <= node <= self.size or state[node - 1]:
            return None
        if any(state[other - 1] == colour for other in self._neighbours[node - 1]):
            return None
        return (*state[: node - 1], colour, *state[node:])

    def _node(self, state: Colours) -> list[tuple[str, bool]]:
        """For the first node without a colour: each move, and whether it is legal."""
        nodes = [node for node, colour in enumerate(state, start=1) if not colour][:1]
        moves = [f"node {node}: {colour}" for node in nodes for colour in COLOURS]
        return [(move, self.after(state, move) is not None) for move in moves]

    def legal_moves(self, state: Colours) -> Sequence[str]:
        """The colours for the first node without one."""
        return [move for move, legal in self._node(state) if legal]

    def mistakes(self, state: Colours) -> Sequence[str]:
        return [move for move, legal in self._node(state) if not legal]

    @cached_property
    def _rules(self) -> Assignments:
        rules = Assignments()
        for node in range(1, self.size + 1):
            rules.exactly_one([(node, colour) for colour in COLOURS])
        for a, b in self.edges:
            for colour in COLOURS:
                rules.at_most_one([(a, colour), (b, colour)])
        return rules

    def measure(self, state: Colours) -> int | None:
        facts = [(node, colour) for node, colour in enumerate(state, start=1) if colour]
        return state.count("") if self._rules.possible(facts) else None


FAMILY = PuzzleFamily("colouring", Colouring, range(8, 21), 10, "number of nodes", max_tokens=192)


@task("puzzle:colouring", family="puzzles", dial="nodes, 8 to 20", grader="the simulator", verifier="the simulator")
def colouring() -> Generated:
    """Colour the nodes of a graph with three colours, joined ones differently."""
    return FAMILY.task()
