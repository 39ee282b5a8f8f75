"""Toy problems for tree searches: each letter is a step, and every solution's worth is known."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from clew.models.toy import ToyModel
from clew.sampling import Stream
from clew.search import Search
from clew.testing.toys.letters import letters, search
from clew.tree import Node

LETTERS = "abc"
LENGTH = 4
TARGET = "cbcc"


class ByText:
    """A scorer that is a function of the solution's text.

    worth: text → score.
    name: the name that scores are recorded under.
    asked: counts the nodes that were scored.
    """

    def __init__(self, worth: Callable[[str], float], name: str = "by_text") -> None:
        self.name = name
        self.worth = worth
        self.asked = 0

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        self.asked += len(nodes)
        return [self.worth(n.solution) for n in nodes]


def worth_of(text: str) -> float:
    """A worth of whole solutions in [0, 1] with one optimum, `cbcc`, and misleading first steps."""
    value = {"a": 0.0, "b": 0.11, "c": 0.2}
    bonus = 0.3 if text == TARGET else 0.0
    return sum(value[letter] for letter in text) * 0.8 + bonus


def solutions(length: int = LENGTH) -> list[str]:
    """All texts of this length."""
    return ["".join(t) for t in itertools.product(LETTERS, repeat=length)]


OPTIMUM = max(solutions(), key=worth_of)


def potential(text: str) -> float:
    """The worth of the best solution that begins with `text`, which never underestimates (an admissible heuristic)."""
    return max(worth_of(s) for s in solutions() if s.startswith(text))


def sound(text: str) -> float:
    """A perfect step verifier: whether the target is still possible."""
    return float(TARGET.startswith(text))


def noise(text: str) -> float:
    """A pseudo-random score in [0, 1] of a text, which carries no information about its worth."""
    return Stream("noise", text).generator().random()


def searching(*, tokens: int | None = None, seed: int = 0, model: ToyModel | None = None, **changes: Any) -> Search:
    """A search in which each letter is a step. The parameters are those of `letters.search`."""
    return search(model or letters(length=LENGTH), tokens=tokens, seed=seed, steps=tuple(LETTERS), **changes)
