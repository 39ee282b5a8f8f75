"""How well two readings of the same text agree: precision, recall, and Cohen's kappa."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """Counts of what was found and what was there. right: both; extra: found only; missed: there only."""

    right: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(self.right + other.right, self.extra + other.extra, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """The share of what was found that was there; NaN where nothing was found."""
        found = self.right + self.extra
        return self.right / found if found else float("nan")

    @property
    def recall(self) -> float:
        """The share of what was there that was found; NaN where nothing was there."""
        there = self.right + self.missed
        return self.right / there if there else float("nan")

    @property
    def f1(self) -> float:
        """The harmonic mean of the two; NaN where neither anything was found nor there."""
        total = 2 * self.right + self.extra + self.missed
        return 2 * self.right / total if total else float("nan")


def matched(found: Iterable[Hashable], there: Iterable[Hashable]) -> MatchCounts:
    """How a set of things found compares with the set of those that are there."""
    a, b = set(found), set(there)
    return MatchCounts(len(a & b), len(a - b), len(b - a))


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Cohen's kappa of two raters' labels of the same items: agreement beyond chance (Educ. Psychol. Meas. 20, 1960).

    1 is full agreement, 0 what chance gives. NaN where both always use one and the same label (chance agrees fully).

    Raises ValueError when the two differ in length or have no item.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"kappa needs two labels for each item, not {len(first)} and {len(second)}")
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    labels = set(first) | set(second)
    chance = sum(sum(a == x for a in first) * sum(b == x for b in second) for x in labels) / n**2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")
