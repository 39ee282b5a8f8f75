"""What all families of answers are drawn with."""

from __future__ import annotations

import random
from fractions import Fraction

Drawn = tuple[str, str, str]
"""A gold answer, the same one written in another way, and another answer."""


def frac(value: Fraction) -> str:
    """A fraction in LaTeX, whole numbers as such."""
    if value.denominator == 1:
        return str(value.numerator)
    return rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def decimal(value: Fraction) -> str:
    """A fraction whose denominator divides a power of ten, in decimals."""
    return f"{float(value):.10f}".rstrip("0").rstrip(".")


def nonzero(draw: random.Random, most: int = 9) -> int:
    return draw.choice([-1, 1]) * draw.randint(1, most)
