"""Countdown: reach a number with the four operations, in one expression (`countdown`) or step by step
(`puzzle:countdown`)."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Self

from clew.registry import task
from clew.tasks.answers import statements, visible
from clew.tasks.base import Draws, Generated, Item
from clew.tasks.puzzles.base import Puzzle, PuzzleFamily, numbers

# --- step by step: two of the numbers at a time, until only the target is left ------------------------------------

Numbers = tuple[int, ...]
"""What is left, in ascending order."""

GREATEST = 10_000


def combine(a: int, sign: str, b: int) -> int | None:
    """`a sign b` by the rules: whole numbers above zero only; None where it is none."""
    if sign == "+":
        return a + b
    if sign == "*":
        return a * b
    if sign == "-":
        return a - b if a > b else None
    return a // b if b and a % b == 0 else None


@dataclass
class Countdown(Puzzle[Numbers]):
    """Use every number once to reach the target. Each result is a whole number above zero, at most 10,000.

    given: the numbers, ascending.
    target: the number to be reached.
    """

    shape = re.compile(r"(\d{1,6}) ?([-+*/]) ?(\d{1,6}) ?= ?(\d{1,9})")

    given: Numbers
    target: int

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        while True:
            given = tuple(sorted(draws.number(1, 12) for _ in range(level)))
            left = list(given)
            while len(left) > 1:
                order = draws.numbers.permutation(len(left))
                b, a = sorted(left.pop(int(i)) for i in sorted(order[:2].tolist(), reverse=True))
                results = [r for sign in "+-*/" if (r := combine(a, sign, b)) is not None]
                left.append(results[draws.number(0, len(results) - 1)])
            if 10 <= left[0] <= 200 and left[0] not in given:
                return cls(given, left[0])

    @classmethod
    def read(cls, question: str) -> Self | None:
        match = re.search(r"Combine ([\d, ]+) to make (\d+)", question)
        return cls(tuple(sorted(numbers(match[1]))), int(match[2])) if match else None

    @property
    def question(self) -> str:
        return (
            f"Combine {', '.join(map(str, self.given))} to make {self.target}. Each line takes two of the numbers that "
            "are left and puts what they give in their place: `3 * 4 = 12`. Use all numbers; + - * /, whole numbers "
            "above 0."
        )

    @property
    def start(self) -> Numbers:
        return self.given

    @property
    def limit(self) -> int:
        return len(self.given) - 1

    def spelled(self, match: re.Match[str]) -> str:
        a, sign, b, result = match.groups()
        return f"{int(a)} {sign} {int(b)} = {int(result)}"

    def after(self, state: Numbers, move: str) -> Numbers | None:
        match = self.shape.fullmatch(move)
        assert match is not None
        a, b, result = int(match[1]), int(match[3]), int(match[4])
        left = list(state)
        for number in (a, b):
            if number not in left:
                return None
            left.remove(number)
        if combine(a, match[2], b) != result or result > GREATEST:
            return None
        return tuple(sorted([*left, result]))

    def legal_moves(self, state: Numbers) -> Sequence[str]:
        return [move for move, _ in _steps(state)]

    def mistakes(self, state: Numbers) -> Sequence[str]:
        wrong = []
        for b, a in combinations(state, 2):
            wrong += [f"{a} + {b} = {a + b + 1}", f"{a} * {b} = {a * b + b}", f"{b} - {a} = {abs(a - b)}"]
        stranger = state[-1] + 1
        return [*dict.fromkeys(m for m in wrong if self.after(state, m) is None), f"{stranger} - {state[0]} = 1"][:8]

    def measure(self, state: Numbers) -> int | None:
        return len(state) - 1 if self._reaches(state) else None

    def _reaches(self, state: Numbers) -> bool:
        if len(state) == 1:
            return state[0] == self.target
        if state not in self._reached:
            self._reached[state] = any(self._reaches(new) for _, new in _steps(state))
        return self._reached[state]

    @cached_property
    def _reached(self) -> dict[Numbers, bool]:
        return {}


def _steps(state: Numbers) -> Iterator[tuple[str, Numbers]]:
    seen = set()
    for i, j in combinations(range(len(state)), 2):
        b, a = state[i], state[j]
        if (a, b) in seen:
            continue
        seen.add((a, b))
        rest = state[:i] + state[i + 1 : j] + state[j + 1 :]
        for sign in "+-*/":
            result = combine(a, sign, b)
            if result is not None and result <= GREATEST:
                yield f"{a} {sign} {b} = {result}", tuple(sorted((*rest, result)))


FAMILY = PuzzleFamily("countdown", Countdown, (3, 4, 5), 4, "how many numbers", max_tokens=96)


@task("puzzle:countdown", family="puzzles", dial="numbers, 3 to 5", grader="the simulator", verifier="the simulator")
def countdown_steps() -> Generated:
    """Reach a number with the four operations, one checked step a line (in one expression: countdown)."""
    return FAMILY.task()


# --- in one expression: any that does is right ----------------------------------------------------------------------

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


def _posed(draws: Draws, level: int) -> Item:
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
    """Reach a number with the four operations, in one expression (one checked step a line: puzzle:countdown)."""
    return Generated("countdown", _posed, (3, 4, 5, 6), 3, "how many numbers", shots=6, renumbers=True, max_tokens=48)
