"""The tasks `arith`, `add`, `add3` and `sort`: short prompts with one right answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from clew.registry import task
from clew.tasks.answers import stated, visible
from clew.tasks.base import Draws, Generated, Item


def _digits(draws: Draws, digits: int) -> int:
    return draws.number(10 ** (digits - 1), 10**digits - 1)


def _make_arith(draws: Draws, level: int) -> Item:
    a, b, c = draws.number(2, 9), _digits(draws, level) if level > 1 else draws.number(2, 9), draws.number(2, 20)
    product = a * b
    total = product + c
    return Item(
        f"Compute {a} * {b} + {c}.",
        f"First, {a} * {b} = {product}.\nThen, {product} + {c} = {total}.\n#### {total}",
        str(total),
    )


@task("arith", family="mathematics", dial="digits of b, 1 to 3", grader="number", verifier="")
def arith() -> Generated:
    """a * b + c."""
    return Generated("arith", _make_arith, (1, 2, 3), 1, "digits of b", renumbers=True, max_tokens=64)


def _addition(terms: int) -> Callable[[Draws, int], Item]:
    def make(draws: Draws, level: int) -> Item:
        numbers = [_digits(draws, level) for _ in range(terms)]
        asked, total, lines = " + ".join(map(str, numbers)), numbers[0], []
        for n in numbers[1:]:
            lines.append(f"{total} + {n} = {total + n}")
            total += n
        return Item(f"What is {asked}?", "\n".join([*lines, f"#### {total}"]), str(total))

    return make


@task("add", family="mathematics", dial="digits, 1 to 6", grader="number", verifier="")
def add() -> Generated:
    """The sum of two numbers."""
    return Generated("add", _addition(2), (1, 2, 3, 4, 5, 6), 2, "number of digits", renumbers=True, max_tokens=48)


@task("add3", family="mathematics", dial="digits, 1 to 6", grader="number", verifier="")
def add3() -> Generated:
    """The sum of three numbers."""
    return Generated("add3", _addition(3), (1, 2, 3, 4, 5, 6), 2, "number of digits", renumbers=True, max_tokens=64)


def _listed(text: str) -> str | None:
    """The numbers of the last statement that has any, as `1, 2, 3`."""
    shown = visible(text)
    if shown is None:
        return None
    numbers = re.findall(r"-?\d{1,12}", stated(shown) or "")
    return ", ".join(str(int(n)) for n in numbers) or None


def _make_sort(draws: Draws, level: int) -> Item:
    numbers = [int(n) for n in draws.numbers.permutation(99)[:level] + 1]
    asked, answer = ", ".join(map(str, numbers)), ", ".join(map(str, sorted(numbers)))

    def verify(given: str) -> float:
        return float(sorted(numbers) == [int(n) for n in re.findall(r"-?\d{1,12}", given)])

    return Item(f"Sort the numbers {asked} from smallest to largest.", answer, answer, verify, verify, _listed)


@task("sort", family="algorithms", dial="numbers, 2 to 12", grader="the sorted list", verifier="sorted, and the same")
def sort() -> Generated:
    """Whole numbers put in order."""
    return Generated("sort", _make_sort, range(2, 13), 3, "how many numbers", shots=5, renumbers=True, max_tokens=64)
