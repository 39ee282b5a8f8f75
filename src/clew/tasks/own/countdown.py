"""Countdown: reach a number with the four operations. Any expression that does is right."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from clew.registry import task
from clew.tasks.answers import statements, visible
from clew.tasks.base import Draws, Generated, Item

_LONGEST = 200  # characters of an expression that is read
_SIGNS = {"×": "*", "÷": "/", "−": "-", "\\times": "*", "\\div": "/", "\\cdot": "*", "[": "(", "]": ")", "$": ""}
_RUN = re.compile(r"[\d\s()+*/-]+")


def evaluate(expression: str) -> tuple[Fraction, Counter[int]] | None:
    """The value of an expression of whole numbers, `+ - * /` and brackets, and the numbers in it.

    None for anything else, a division by zero, or more than 200 characters. Nothing is executed.
    """
    if len(expression) > _LONGEST:
        return None
    used: Counter[int] = Counter()

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            used[node.value] += 1
            return Fraction(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.Div):
                return left / right
        raise ValueError("not arithmetic")

    try:
        return value(ast.parse(expression.strip(), mode="eval").body), used
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _tidy(text: str) -> str | None:
    """The first expression with at least two numbers in `text`, with one space around signs; None without one."""
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    for run in _RUN.findall(text):
        spaced = re.sub(r"\s+", "", run)
        spaced = re.sub(r"([+*/-])", r" \1 ", spaced)
        if len(re.findall(r"\d+", spaced)) > 1 and evaluate(spaced) is not None:
            return spaced.strip()
    return None


def expression(text: str) -> str | None:
    """The expression that a solution ends with: in its last statement, else in the last line that has one."""
    shown = visible(text)
    if shown is None:
        return None
    for statement, _ in statements(shown):
        found = _tidy(statement)
        if found is not None:
            return found
    for line in reversed(shown[-4000:].splitlines()):
        found = _tidy(line)
        if found is not None:
            return found
    return None


def reaches(numbers: tuple[int, ...], target: int) -> Callable[[str], float]:
    """A verifier: 1.0 for an expression that uses each of `numbers` exactly once and gives `target`, else 0.0."""

    def verify(answer: str) -> float:
        result = evaluate(answer)
        return float(result is not None and result[0] == target and result[1] == Counter(numbers))

    return verify


def _make(draws: Draws, level: int) -> Item:
    signs = "+-" if level == 3 else "++--*"  # of the solution that is known; an answer may use all four
    while True:
        numbers = tuple(draws.number(1, 12) for _ in range(level))
        text, value, shape = str(numbers[0]), numbers[0], draws.numbers
        for n in numbers[1:]:
            sign = signs[int(shape.integers(len(signs)))]
            text = f"({text}) {sign} {n}" if sign == "*" and not text.isdigit() else f"{text} {sign} {n}"
            value = value + n if sign == "+" else value - n if sign == "-" else value * n
        if 0 < value <= 100 and value not in numbers:
            break
    verify = reaches(numbers, value)
    return Item(
        f"Make {value} from {', '.join(map(str, sorted(numbers)))}, each used once.",
        f"{text} = {value}",
        text,
        verify,
        verify,
        expression,
        {"numbers": numbers, "target": value},
    )


@task("countdown", family="puzzles", dial="numbers, 3 to 6", grader="the verifier", verifier="exact, each number once")
def countdown() -> Generated:
    """Reach a number with the four operations, using each given number once."""
    return Generated("countdown", _make, (3, 4, 5, 6), 3, "how many numbers", shots=6, renumbers=True, max_tokens=48)
