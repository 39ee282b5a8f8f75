"""Families of answers that are formulas, sets, intervals, lists, matrices or words."""

from __future__ import annotations

import random
from fractions import Fraction

from benchmarks.answers.drawn import Drawn, decimal, frac, nonzero

NAMES = "xyabn"


def term(count: int, power: int, name: str) -> str:
    """One term of a polynomial with its sign."""
    sign, size = "-" if count < 0 else "+", abs(count)
    body = "" if not power else name if power == 1 else f"{name}^{power}" if power < 10 else f"{name}^{{{power}}}"
    return f"{sign}{size if size != 1 or not power else ''}{body}"


def polynomial(counts: list[int], name: str, draw: random.Random | None = None) -> str:
    """counts: by power. draw: the order of the terms is drawn."""
    terms = [term(count, power, name) for power, count in enumerate(counts) if count][::-1]
    if draw is not None:
        draw.shuffle(terms)
    return "".join(terms).removeprefix("+") or "0"


def expanded(draw: random.Random) -> Drawn:
    name, a, b = draw.choice(NAMES), nonzero(draw), nonzero(draw)
    counts = [a * b, a + b, 1]
    wrong = [a * b, a + b + draw.choice([-1, 1]), 1]
    return polynomial(counts, name), f"({name}{a:+d})({name}{b:+d})", polynomial(wrong, name)


def ordered(draw: random.Random) -> Drawn:
    name = draw.choice(NAMES)
    counts = [nonzero(draw) for _ in range(draw.randint(3, 5))]
    wrong = list(counts)
    wrong[draw.randrange(len(wrong))] += draw.choice([-1, 1]) * 17
    return polynomial(counts, name), polynomial(counts, name, draw), polynomial(wrong, name)


def quotients(draw: random.Random) -> Drawn:
    name, a, b = draw.choice(NAMES), nonzero(draw), nonzero(draw, 5)
    gold = rf"\frac{{{name}{a:+d}}}{{{b}{name}}}"
    sign = "+" if Fraction(a, b) > 0 else "-"
    same = rf"\frac{{1}}{{{b}}} {sign} \frac{{{abs(a)}}}{{{abs(b)}{name}}}"
    return gold, same, rf"\frac{{{name}{a + 1:+d}}}{{{b}{name}}}"


def several(draw: random.Random) -> Drawn:
    a, b = nonzero(draw), nonzero(draw)
    return f"{a}xy{b:+d}z^2", f"{b}z^2{a:+d}yx", f"{a}xz{b:+d}y^2"


def defined(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), nonzero(draw)
    head = draw.choice(["y", "f(x)", "a_n"])
    name = "n" if head == "a_n" else "x"
    body = f"{a}{name}{b:+d}"
    return body, f"{head} = {body}", f"{head} = {a}{name}{b + 1:+d}"


def equations(draw: random.Random) -> Drawn:
    a, b, c = draw.randint(2, 9), draw.randint(2, 9), draw.randint(1, 20)
    same = draw.choice(
        [f"{c} = {a}x + {b}y", f"{b}y + {a}x = {c}", f"{a}x + {b}y - {c} = 0", f"{2 * a}x+{2 * b}y={2 * c}"]
    )
    return f"{a}x + {b}y = {c}", same, f"{a}x + {b}y = {c + 1}"


def conics(draw: random.Random) -> Drawn:
    a, b = draw.sample([2, 3, 4, 5, 6, 7], 2)
    gold = rf"\frac{{x^2}}{{{a * a}}} + \frac{{y^2}}{{{b * b}}} = 1"
    return gold, f"{b * b}x^2 + {a * a}y^2 = {a * a * b * b}", draw.choice(["1", gold.replace("+", "-")])


def inequalities(draw: random.Random) -> Drawn:
    n = nonzero(draw, 30)
    sign, mirrored, strict = draw.choice([(r"\geq", r"\le", ">"), (r"\leq", r"\ge", "<")])
    same = draw.choice([f"x {sign[:3]} {n}", f"{n} {mirrored} x", f"x {sign}slant {n}"])
    return f"x {sign} {n}", same, draw.choice([f"x {strict} {n}", f"x {sign} {n + 1}"])


def intervals(draw: random.Random) -> Drawn:
    a = draw.randint(-20, 20)
    b = a + draw.randint(1, 20)
    left, right = draw.choice("(["), draw.choice(")]")
    other = "[" if left == "(" else "("
    decimals = f"{left}{a}.0, {b}.0{right}"
    same = draw.choice([rf"\left{left}{a},{b}\right{right}", decimals, rf"x \in {left}{a}, {b}{right}"])
    return f"{left}{a}, {b}{right}", same, draw.choice([f"{other}{a}, {b}{right}", f"{left}{a}, {b + 1}{right}"])


def unions(draw: random.Random) -> Drawn:
    a = draw.randint(-9, 0)
    b = a + draw.randint(1, 9)
    gold = rf"(-\infty, {a}] \cup ({b}, \infty)"
    same = draw.choice([rf"({b}, \infty) \cup (-\infty, {a}]", rf"(-\infty,{a}]\cup({b},+\infty)"])
    return gold, same, rf"(-\infty, {a}) \cup ({b}, \infty)"


def sets(draw: random.Random) -> Drawn:
    items = draw.sample(range(-20, 40), draw.randint(2, 4))
    mixed_up = draw.sample(items, len(items))
    wrong = [*items[:-1], items[-1] + 100]
    written = [rf"\{{{', '.join(map(str, xs))}\}}" for xs in (items, mixed_up, wrong)]
    return written[0], written[1], written[2]


def lists(draw: random.Random) -> Drawn:
    items = draw.sample(range(-20, 40), draw.randint(2, 3))
    same = draw.choice([f"{items[-1]}, {', '.join(map(str, items[:-1]))}", r" \text{ and } ".join(map(str, items))])
    return ", ".join(map(str, items)), same, ", ".join(map(str, [*items[:-1], items[-1] + 1]))


def tuples(draw: random.Random) -> Drawn:
    a, b = draw.sample(range(-9, 20), 2)
    half = frac(Fraction(b * 2 + 1, 2))
    return f"({a}, {half})", f"({a}, {decimal(Fraction(b * 2 + 1, 2))})", f"({half}, {a})"


def named(draw: random.Random) -> Drawn:
    a, b = draw.sample(range(1, 30), 2)
    return f"x={a}, y={b}", draw.choice([f"y = {b}, x = {a}", f"x = {a},\\ y = {b}"]), f"x={b}, y={a}"


def matrices(draw: random.Random) -> Drawn:
    a, b, c, d = (draw.randint(-9, 9) for _ in range(4))
    body = rf"{a} & {b} \\ {c} & {d}"
    other = rf"{a} & {b} \\ {c} & {d + 1}"
    return (
        rf"\begin{{pmatrix}} {body} \end{{pmatrix}}",
        rf"\begin{{bmatrix}} {body} \end{{bmatrix}}",
        rf"\begin{{pmatrix}} {other} \end{{pmatrix}}",
    )


def words(draw: random.Random) -> Drawn:
    a, b = draw.sample(["red", "Tuesday", "even", "odd", "Alice", "parabola", "no solution", "True"], 2)
    return rf"\text{{{a}}}", draw.choice([a, rf"\text{{{a}}}.", rf"\mathrm{{{a}}}"]), rf"\text{{{b}}}"


def plus_minus(draw: random.Random) -> Drawn:
    a, b = draw.randint(1, 9), draw.choice([2, 3, 5, 7])
    other = draw.choice([rf"{a} + \sqrt{{{b}}}", rf"{a + 1} \pm \sqrt{{{b}}}"])
    return rf"{a} \pm \sqrt{{{b}}}", rf"{a} + \sqrt{{{b}}}, {a} - \sqrt{{{b}}}", other


def chains(draw: random.Random) -> Drawn:
    a = draw.randint(-9, 9)
    b = a + draw.randint(2, 9)
    same = draw.choice([rf"{b} \geq x > {a}", rf"{a}<x\leq {b}"])
    return rf"{a} < x \le {b}", same, draw.choice([rf"{a} \le x \le {b}", rf"{a} < x < {b}"])


def absolutes(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), draw.randint(2, 9)
    return rf"|{a}x - {b}|", rf"\left|{a}x-{b}\right|", rf"{a}x - {b}"


def exponents(draw: random.Random) -> Drawn:
    a, k = draw.choice([2, 3, 5]), draw.randint(2, 4)
    return rf"{a}^{{x+{k}}}", rf"{a**k} \cdot {a}^x", rf"{a**k + 1} \cdot {a}^x"


def naturals(draw: random.Random) -> Drawn:
    a, k = draw.randint(2, 9), draw.randint(2, 5)
    return rf"{a}e^{{{k}x}}", rf"{a}(e^x)^{k}", rf"{a}e^{{{k + 1}x}}"


def empties(draw: random.Random) -> Drawn:
    return r"\emptyset", draw.choice([r"\varnothing", r"\{\}", r"\emptyset"]), r"\{0\}"


def plain(draw: random.Random) -> Drawn:
    a, b, c = draw.randint(2, 9), draw.choice([2, 3, 5]), draw.randint(2, 7)
    gold, same = draw.choice(
        [
            (rf"\frac{{\sqrt{{{b}}}}}{{{c}}}", f"sqrt({b})/{c}"),
            (rf"\frac{{{b}\pi}}{{{c}}}", f"{b}*pi/{c}"),
            (rf"{a}x^{b}", f"{a}*x**{b}"),
            (rf"\frac{{x}}{{{c}}}+{a}", f"x/{c} + {a}"),
        ]
    )
    return gold, same, f"{same} + 1"


def integrals(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), draw.randint(2, 5)
    return rf"{a}\sin({b}x) + C", rf"C + {a} \sin {b}x", rf"{a}\cos({b}x) + C"


def vectors(draw: random.Random) -> Drawn:
    a, b, c = (draw.randint(-9, 9) for _ in range(3))
    same = rf"\left\langle {a},{b},{c} \right\rangle"
    return rf"\langle {a}, {b}, {c} \rangle", same, rf"\langle {a}, {b}, {c + 1} \rangle"


def members(draw: random.Random) -> Drawn:
    items = draw.sample(range(-20, 40), draw.randint(2, 3))
    written = ", ".join(map(str, items))
    return rf"\{{{written}\}}", written, ", ".join(map(str, [*items, 99]))


def ranges(draw: random.Random) -> Drawn:
    a = draw.randint(-9, 9)
    b = a + draw.randint(2, 9)
    return draw.choice(
        [
            (rf"{a} < x \le {b}", f"({a}, {b}]", f"[{a}, {b}]"),
            (rf"x > {a}", rf"({a}, \infty)", rf"[{a}, \infty)"),
            (rf"[{a}, {b})", rf"{a} \leq x < {b}", rf"{a} < x < {b}"),
        ]
    )


def lines(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), nonzero(draw)
    same = draw.choice([f"y{-b:+d} = {a}x", f"{a}x - y {b:+d} = 0", f"y{-(a + b):+d} = {a}(x - 1)"])
    return f"y = {a}x{b:+d}", same, f"y{-b:+d} = {a + 1}x"


def identities(draw: random.Random) -> Drawn:
    k = draw.randint(2, 30)
    return str(k), rf"{k}\sin^2 x + {k}\cos^2 x", rf"{k}\sin^2 x - {k}\cos^2 x"


FAMILIES = (
    expanded,
    ordered,
    quotients,
    several,
    defined,
    equations,
    conics,
    inequalities,
    intervals,
    unions,
    sets,
    lists,
    tuples,
    named,
    matrices,
    words,
    plus_minus,
    chains,
    absolutes,
    exponents,
    naturals,
    empties,
    plain,
    integrals,
    vectors,
    members,
    ranges,
    lines,
    identities,
)
