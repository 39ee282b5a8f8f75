"""How well two readings of the same text agree: precision, recall, and Cohen's kappa."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """How a set of findings compares with a reference set.

    right: findings that the reference has.
    extra: findings that it lacks.
    missed: items of the reference that were not found.
    """

    right: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: MatchCounts) -> MatchCounts:
        return MatchCounts(self.right + other.right, self.extra + other.extra, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """The share of findings that the reference has; NaN without findings."""
        found = self.right + self.extra
        return self.right / found if found else float("nan")

    @property
    def recall(self) -> float:
        """The share of the reference that was found; NaN where the reference is empty."""
        there = self.right + self.missed
        return self.right / there if there else float("nan")


def matched(found: Iterable[Hashable], there: Iterable[Hashable]) -> MatchCounts:
    """Compare the set of findings with the reference set `there`; duplicates count once."""
    a, b = set(found), set(there)
    return MatchCounts(len(a & b), len(a - b), len(b - a))


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Cohen's kappa of two raters' labels of the same items: agreement beyond chance (Educ. Psychol. Meas. 20, 1960).

    first, second: one label an item, in the same order.

    Returns 1 for full agreement, 0 for the agreement expected by chance, NaN where both raters use one and the same
    label throughout. Raises ValueError when the two differ in length or are empty.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"kappa needs two labels for each item, not {len(first)} and {len(second)}")
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    labels = set(first) | set(second)
    chance = sum(sum(a == x for a in first) * sum(b == x for b in second) for x in labels) / n**2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")
