"""Printing an answer and reading it again gives the same answer, over a grammar of expressions."""

from __future__ import annotations

import random

import pytest

from clew.tasks.answers import as_canonical, extract, grade

LEAVES = ("2", "7", "0.5", "x", "y", r"\pi", "e", "i", r"\alpha", r"\sqrt{2}", r"\frac12", r"\frac1e", "3½", "x²")
RULES = ("{}+{}", "{}-{}", "{}*{}", r"\frac{{{}}}{{{}}}")
WRAPS = (r"\sqrt{{{}}}", "({})^2", r"\ln({})", r"\sin({})", "-({})", "3({})", r"\log_{{10}}({})")


def formula(draw: random.Random, depth: int) -> str:
    if depth == 0 or draw.random() < 0.2:
        return draw.choice(LEAVES)
    if draw.random() < 0.4:
        return draw.choice(WRAPS).format(formula(draw, depth - 1))
    return draw.choice(RULES).format(*(f"({formula(draw, depth - 1)})" for _ in range(2)))


def answer(draw: random.Random) -> str:
    sides = [formula(draw, 2) for _ in range(2)]
    return draw.choice(
        (
            sides[0],
            f"x+{sides[0]}={sides[1]}",
            rf"x\geq {sides[0]}",
            f"({sides[0]},{sides[1]})",
            rf"\{{{sides[0]},{sides[1]}\}}",
            f"a={sides[0]}, b={sides[1]}",
            rf"(-\infty,{sides[0]}]\cup({sides[1]},\infty)",
        )
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_canonical_answer_reads_as_itself(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(12):
        written = answer(draw)
        form = as_canonical(written, "math")
        assert form is None or (as_canonical(form, "math") == form and extract(rf"\boxed{{{form}}}") == form), written
        if form is not None:
            assert grade(form, written) == 1.0, written


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"3\frac12\pi", r"\frac{7\pi}{2}", True),
        (r"\frac\pi4", r"\frac{\pi}{4}", True),
        (r"\pi i", r"i\pi", True),
        ("2x+y=7", "7=y+2x", True),
        ("2x+y=7", "2x+y=8", False),
        (r"\frac{x^2}{4}+\frac{y^2}{9}=1", "1", False),
        ("f(x)=2x+3", "2x+3", True),
        (r"3\le x", r"x\ge 3", True),
        (r"1<x\leq 2", r"1 < x \le 2", True),
        ("1/2^99", "1/2^98", False),
        ("101_2", "101_3", False),
        ("2xy", "2yx", True),
        ("6:45 am", "6:45 pm", False),
        ("1_000_000", "1,000,000", True),
        ("i^2", "-1", True),
        (r"(\ln x)^2", r"\ln(x^2)", False),
        ("0.666667", r"\frac23", True),
        ("0.66", r"\frac23", False),
        (r"\binom{8}{2}", "28", True),
        (r"\dbinom{12}{3}", "221", False),
        (r"3 \pm \sqrt{3}", r"3-\sqrt3, 3+\sqrt3", True),
        (r"x = 2 ± 5", r"\{7, -3\}", True),
        (r"\{3\}", "3", True),
        (r"(1,2)", r"\{1,2\}", False),
        (r"\{1,2\}", "1, 2, 3", False),
        (r"\frac13, 2", "2, 0.3333333", True),
        (r"1 \leq x < 2", "[1,2)", True),
        (r"1 \leq x < 2", "[1,2]", False),
        (r"x>3", r"(3,\infty)", True),
        (r"x \le -1 \text{ or } x > 2", r"(-\infty,-1]\cup(2,\infty)", True),
        (r"\sin^2 x+\cos^2 x", "1", True),
        ("x^2 + 1", "x^2 + y", False),
        (r"x = 2 ± 5", "7, -3", True),
        (r"0.1\overline{6}", r"\frac16", True),
        (r"2.\bar{3}", r"\frac73", True),
        (r"17 \geq x > 9", r"9 < x \le 17", True),
        (r"\{\}", r"\varnothing", True),
        (r"\emptyset", r"\{0\}", False),
        (r"-\infty", r"\infty", False),
        (r"+\infty", r"\infty", True),
        (r"\textbf{(C) }12", "12", True),
        (r"\textbf{(C)}", "C", True),
        (r"4\text{ hours }30\text{ minutes}", "4 hours 30 minutes", True),
        (r"4\text{ hours }30\text{ minutes}", "4 hours 30 seconds", False),
        (r"6\text{ cm}^2", "6", True),
    ],
)
def test_pairs_that_a_reader_tells_apart_or_not(one: str, other: str, same: bool) -> None:
    for given, gold in ((one, other), (other, one)):
        assert grade(extract(rf"\boxed{{{given}}}"), gold) == float(same)


@pytest.mark.parametrize(("given", "right"), [("y-2=3(x-1)", 1.0), ("3x - y = 1", 1.0), ("3x + y = 1", 0.0)])
def test_an_equation_is_compared_with_all_of_the_gold_equation(given: str, right: float) -> None:
    assert grade(extract(rf"\boxed{{{given}}}"), "y = 3x - 1") == right


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("The answer is 3, because 4 x 2 = 8", "3"),
        ("The answer is 3 since 1 + 2 = 3 and 9 = 9", "3"),
        ("#### 2^{10}", "1024"),
        (r"Answer: $\frac{10}{4}$", "2.5"),
        ("It is 5 x 10^3", "5000"),
    ],
)
def test_what_comes_after_the_answer_is_not_the_answer(text: str, stated: str) -> None:
    assert extract(text, "number") == stated
