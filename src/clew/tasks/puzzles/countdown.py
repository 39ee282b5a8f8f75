"""Countdown by steps: combine two of the numbers at a time until only the target is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

from clew.registry import task
from clew.tasks.base import Draws, Generated
from clew.tasks.puzzles.base import Kind, Puzzle, numbers

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
    """Use every number once. What a step gives is a number to go on with: whole, above zero, at most 10,000."""

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

    def choices(self, state: Numbers) -> Sequence[str]:
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


KIND = Kind("countdown", Countdown, (3, 4, 5), 4, "how many numbers", max_tokens=96)


@task("puzzle:countdown", family="puzzles", dial="numbers, 3 to 5", grader="the simulator", verifier="the simulator")
def countdown() -> Generated:
    """Reach a number with the four operations, one step a line."""
    return KIND.task()
