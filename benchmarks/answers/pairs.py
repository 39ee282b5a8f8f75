"""Pairs of a gold answer and a given one, of which the generator knows whether they are the same.

A family draws a value and writes it in two ways, and writes a value that is another one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.answers import formulas, numbers

FAMILIES = (*numbers.FAMILIES, *formulas.FAMILIES)


@dataclass(frozen=True, slots=True)
class Pair:
    """family: what sort of answer. text: a solution that states the answer. options: those of a choice."""

    family: str
    gold: str
    text: str
    same: bool
    options: tuple[str, ...] = ()


STATED = (
    "So we are done: \\boxed{{{}}}.",
    "Therefore, the answer is ${}$.",
    "The final answer is \\(\\boxed{{{}}}\\)",
    "We get $$\\boxed{{{}}}$$",
)
"""How solutions state their answers."""

OPTIONS = ("Paris", "London", "Rome", "Berlin", "Madrid")
CHOSEN = (
    "The answer is ({}).",
    "The answer is {}.",
    "\\boxed{{{}}}",
    "\\boxed{{\\text{{{}}}}}",
    "Answer: {}) the one above",
)


def choice(draw: random.Random) -> Pair:
    """A letter of five."""
    right, wrong = draw.sample("ABCDE", 2)
    same = draw.random() < 0.5
    given = right if same else wrong
    return Pair("choices", right, draw.choice(CHOSEN).format(given), same, OPTIONS)


def pairs(count: int, seed: int) -> list[Pair]:
    """`count` pairs, of all families in turn; about half of them are the same."""
    draw = random.Random(seed)
    found = []
    for i in range(count):
        turn = i % (len(FAMILIES) + 1)
        if turn == len(FAMILIES):
            found.append(choice(draw))
            continue
        gold, same, other = FAMILIES[turn](draw)
        alike = draw.random() < 0.5
        given = same if alike else other
        found.append(Pair(FAMILIES[turn].__name__, gold, draw.choice(STATED).format(given), alike))
    return found
