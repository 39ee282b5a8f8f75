"""The gold answers of a row, and the grader that compares with them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from clew.tasks.answers import Kind, as_canonical, as_number, grader, statements


@dataclass(frozen=True, slots=True)
class Gold:
    """The gold answer of a row.

    texts: bare answers, any of which counts.
    tolerances: how far each number of the answer may be off (OlympiadBench's `error`); empty where it has to be equal.
    """

    texts: tuple[str, ...]
    tolerances: tuple[Fraction, ...] = ()


def bare(answer: str) -> tuple[str, Kind | None]:
    r"""The bare answer in a gold solution (`#### 42` of GSM8K, `\boxed{}` of MATH), and the kind that this shows."""
    if re.search(r"^####\s*\S", answer, re.MULTILINE):
        return answer.rsplit("####", 1)[1].strip(), "number"
    if "\\boxed" in answer or "\\fbox" in answer:
        for statement, _ in statements(answer):
            return statement, "math"
    return answer.strip(), None


def stated_in(solution: str) -> tuple[str, Kind | None]:
    """As `bare`, of a text that works the answer out: what it says after "the answer is", else all of it."""
    answer, kind = bare(solution)
    if kind is None:
        for statement, delimited in statements(solution):
            return (statement if delimited else statement.rstrip(".")), None
    return answer, kind


def guessed(golds: Sequence[tuple[str, Kind | None]], choices: bool) -> Kind:
    """The kind of a file's answers, guessed from its options, its gold solutions, or the answers.

    golds: every gold answer of the file, with the kind that its form shows (None where it shows none).
    choices: whether the questions have options.
    """
    if choices:
        return "choice"
    formats = {kind for _, kind in golds}
    if len(formats) == 1 and None not in formats:
        return next(kind for kind in formats if kind)
    if all(as_canonical(gold, "number") is not None for gold, _ in golds):
        return "number"
    mathematical = sum("\\" in g or "^" in g or as_canonical(g, "number") is not None for g, _ in golds)
    return "math" if mathematical * 2 > len(golds) else "exact"


def tolerances_of(text: str) -> tuple[Fraction, ...]:
    """`0.01`, or one for each number of the answer, `0.1,1e-3`; an empty one is 0. Raises ValueError for others."""
    parts = [float(part.strip() or "0") for part in text.split(",")]
    if not all(0 <= part < math.inf for part in parts):
        raise ValueError("a tolerance is below zero, or without end")
    # As it is written: of 1e-1 as a float, 9.9 would lie outside 10 by the last binary digit.
    return tuple(Fraction(str(part)) for part in parts) if any(parts) else ()


def grader_of(gold: Gold, kind: Kind, choices: Sequence[str]) -> Callable[[str], float]:
    """A grader: 1.0 for a canonical answer that equals a gold answer or lies within its tolerance, else 0.0.

    gold: the gold answers.
    kind: how answers are compared.
    choices: the texts of the options A, B, … (kind `choice`).
    """
    if kind == "choice" and choices:
        return lambda answer: float(answer in gold.texts)
    equal = [grader(text, kind, choices) for text in gold.texts]
    near = [wanted for text in gold.texts if (wanted := _numbers(text))] if gold.tolerances else []

    def grade(answer: str) -> float:
        best = max(one(answer) for one in equal)
        if best == 1.0 or not near:
            return best
        given = _numbers(answer)
        return float(any(_within(given, wanted, gold.tolerances) for wanted in near))

    return grade


def _numbers(text: str) -> list[Fraction]:
    """The numbers of an answer that is a list of nothing else; empty where it is anything else."""
    read = [as_number(as_canonical(part, "math") or "") for part in text.strip("{} \\").split(",")]
    try:
        return [Fraction(number) for number in read if number is not None] if None not in read else []
    except ValueError:
        return []


def _within(given: Sequence[Fraction], wanted: Sequence[Fraction], tolerances: tuple[Fraction, ...]) -> bool:
    """Whether the numbers lie one for one as near as their tolerances say, in whatever order they are given."""
    if len(given) != len(wanted):
        return False
    allowed = tolerances if len(tolerances) == len(wanted) else tolerances[:1] * len(wanted)
    pairs = zip(sorted(given), sorted(zip(wanted, allowed, strict=True)), strict=True)
    return all(abs(number - gold) <= tolerance for number, (gold, tolerance) in pairs)
