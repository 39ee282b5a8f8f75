"""The reward that both sides are given. It knows the question, not the answer, and nothing of clew."""

from __future__ import annotations

import re
from fractions import Fraction

_NUMBER = r"\d+(?:\.\d+)?"
_CLAIM = re.compile(rf"({_NUMBER})\s*([-+*/])\s*({_NUMBER})\s*=\s*\$?({_NUMBER})")
_STATED = re.compile(rf"####\s*\$?({_NUMBER})")


def soundness(question: str, text: str) -> float:
    """How well a solution so far holds together, 0.1 to 0.9; 0.5 while there is nothing to check.

    Checked are, each counting alike: that a claim `a + b = c` is true; that its operands stand in the question or were
    worked out before; that the answer after `####` is the result of the last claim. The share that holds counts.
    """
    known = {Fraction(n) for n in re.findall(_NUMBER, question)}
    checks: list[bool] = []
    last = None
    for left, sign, right, result in _CLAIM.findall(text):
        a, b, last = Fraction(left), Fraction(right), Fraction(result)
        checks += [_value(a, sign, b) == last, {a, b} <= known]
        known.add(last)
    if stated := _STATED.search(text):
        checks.append(Fraction(stated[1]) == last)
    return 0.1 + 0.8 * sum(checks) / len(checks) if checks else 0.5


def _value(a: Fraction, sign: str, b: Fraction) -> Fraction | None:
    if sign == "/":
        return a / b if b else None
    return {"+": a + b, "-": a - b, "*": a * b}[sign]
