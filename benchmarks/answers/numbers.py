"""Families of answers that are one number, with or without a unit."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from benchmarks.answers.drawn import Drawn, decimal, frac, nonzero


def integers(draw: random.Random) -> Drawn:
    n = draw.randint(1_000, 9_999_999)
    grouped = f"{n:,}"
    forms = (grouped, grouped.replace(",", "{,}"), grouped.replace(",", r",\!"), grouped.replace(",", r"\,"), f"{n}.0")
    return str(n), draw.choice(forms), f"{n + draw.choice([-1, 1, 10, 1000]):,}"


def fractions(draw: random.Random) -> Drawn:
    value = Fraction(nonzero(draw, 30), draw.choice([2, 4, 5, 8, 20, 25]))
    k = draw.randint(2, 9)
    other = value + Fraction(1, draw.randint(3, 50))
    scaled = rf"\frac{{{value.numerator * k}}}{{{value.denominator * k}}}"
    return frac(value), draw.choice([decimal(value), scaled, frac(value).replace("frac", "dfrac")]), frac(other)


def mixed(draw: random.Random) -> Drawn:
    whole, below = draw.randint(1, 12), draw.choice([2, 3, 4, 5, 7, 8])
    part = Fraction(draw.randint(1, below - 1), below)
    value = whole + part
    wrong = whole * part if whole * part != value else value + 1
    return frac(value), f"{whole}{frac(part)}", frac(wrong)


def rounding(draw: random.Random) -> Drawn:
    value = Fraction(draw.randint(1, 50), draw.choice([3, 7, 9, 11, 13]))
    if value.denominator == 1:
        value += Fraction(1, 3)
    return frac(value), f"{float(value):.8f}", f"{float(value) + 0.01:.8f}"


def scientific(draw: random.Random) -> Drawn:
    digits, power = draw.randint(101, 999), draw.choice([-34, -19, -8, 5, 8, 23])
    head = f"{digits / 100:.2f}"
    other = rf"{head} \times 10^{{{power + draw.choice([-1, 1])}}}"
    same = draw.choice([rf"{head}\cdot 10^{{{power}}}", rf"{digits} \times 10^{{{power - 2}}}"])
    return rf"{head} \times 10^{{{power}}}", same, other


def powers(draw: random.Random) -> Drawn:
    base, power = draw.randint(2, 7), draw.randint(3, 12)
    other = draw.choice([f"{base}^{{{power + 1}}}", str(base**power + 1), str(base * power)])
    return f"{base}^{{{power}}}", str(base**power), other


def tiny(draw: random.Random) -> Drawn:
    power = draw.randint(40, 99)
    return rf"\frac{{1}}{{2^{{{power}}}}}", f"2^{{-{power}}}", rf"\frac{{1}}{{2^{{{power - 1}}}}}"


def surds(draw: random.Random) -> Drawn:
    out, inside = draw.randint(2, 9), draw.choice([2, 3, 5, 6, 7, 10])
    below = draw.choice([1, 1, 2, 3])
    whole = rf"\sqrt{{{out * out * inside}}}"
    gold = whole if below == 1 else rf"\frac{{{whole}}}{{{below}}}"
    pulled = rf"{out}\sqrt{{{inside}}}"
    same = pulled if below == 1 else rf"\frac{{{pulled}}}{{{below}}}"
    other = rf"{out}\sqrt{{{inside + 1}}}"
    return gold, same, other if below == 1 else rf"\frac{{{other}}}{{{below}}}"


def denominators(draw: random.Random) -> Drawn:
    inside, above = draw.choice([2, 3, 5, 7, 11]), draw.randint(1, 9)
    other = rf"\frac{{{above}\sqrt{{{inside}}}}}{{{inside + 1}}}"
    return rf"\frac{{{above}}}{{\sqrt{{{inside}}}}}", rf"\frac{{{above}\sqrt{{{inside}}}}}{{{inside}}}", other


def circle(draw: random.Random) -> Drawn:
    value = Fraction(draw.randint(1, 30), draw.choice([1, 2, 3, 4, 6]))
    if value.denominator == 1:
        return rf"{value}\pi", rf"\pi \cdot {value}", rf"{value + 1}\pi"
    above, below = value.numerator, value.denominator
    same = draw.choice([rf"\frac{{{above}}}{{{below}}}\pi", rf"{above}\pi/{below}"])
    return rf"\frac{{{above}\pi}}{{{below}}}", same, rf"\frac{{{above}}}{{{below}\pi}}"


def logarithms(draw: random.Random) -> Drawn:
    base, power = draw.choice([2, 3, 5, 7, 10]), draw.randint(2, 4)
    same = draw.choice([rf"{power}\ln {base}", rf"\ln({base})\cdot {power}"])
    return rf"\ln {base**power}", same, rf"\log_{{10}} {base**power}"


def angles(draw: random.Random) -> Drawn:
    inside, value, other = draw.choice(
        [
            (r"\sin\frac{\pi}{6}", r"\frac{1}{2}", r"\frac{\sqrt{3}}{2}"),
            (r"\cos\frac{\pi}{6}", r"\frac{\sqrt{3}}{2}", r"\frac12"),
            (r"\tan\frac{\pi}{4}", "1", "0"),
            (r"\sin\frac{\pi}{4}", r"\frac{1}{\sqrt{2}}", r"\frac{1}{2}"),
            (r"\cos \pi", "-1", "1"),
        ]
    )
    k = draw.randint(2, 30)
    return rf"{k} \cdot {value}", rf"{k}{inside}", rf"{k} \cdot {other}"


def counted(draw: random.Random) -> Drawn:
    n, k = draw.randint(5, 12), draw.randint(2, 4)
    return str(math.comb(n, k)), rf"\binom{{{n}}}{{{k}}}", rf"\binom{{{n}}}{{{k + 1 if 2 * k + 1 != n else k - 1}}}"


def factorials(draw: random.Random) -> Drawn:
    n = draw.randint(4, 9)
    return str(math.factorial(n)), f"{n}!", f"{n - 1}!"


def roots(draw: random.Random) -> Drawn:
    n, power = draw.randint(2, 6), draw.choice([3, 4, 5])
    k = draw.choice([2, 5, 7])
    gold = rf"{n}\sqrt[{power}]{{{k}}}"
    return gold, rf"\sqrt[{power}]{{{n**power * k}}}", rf"{n}\sqrt{{{k}}}"


def repeating(draw: random.Random) -> Drawn:
    digit = draw.randint(1, 8)
    return frac(Fraction(digit, 9)), rf"0.\overline{{{digit}}}", rf"0.{digit}"


def logs(draw: random.Random) -> Drawn:
    base, power = draw.choice([2, 3, 5]), draw.randint(2, 5)
    k = draw.choice([2, 7])
    gold = rf"\log_{{{base}}} {k}" if base != k else rf"\log_{{{base}}} 11"
    inside = k if base != k else 11
    same = rf"\frac{{\ln {inside}}}{{\ln {base}}}"
    return f"{power} + {gold}", f"{power} + {same}", rf"{power} + \ln {inside}"


def approximations(draw: random.Random) -> Drawn:
    gold, other = draw.choice([(r"\pi", 3.14), (r"\sqrt{2}", 1.41), (r"\frac{1}{3}", 0.33), ("e", 2.72)])
    k = draw.randint(2, 9)
    return rf"{k} + {gold}", rf"{gold} + {k}", f"{k + other:.2f}"


def spoken(draw: random.Random) -> Drawn:
    n = draw.randint(1, 12)
    names = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    return str(n), rf"\text{{{names[n - 1]}}}", rf"\text{{{names[n % 12]}}}"


def percents(draw: random.Random) -> Drawn:
    n = draw.randint(2, 99)
    return rf"{n}\%", draw.choice([f"{n}%", str(n), rf"{n}.0\%"]), rf"{n + 1}\%"


def degrees(draw: random.Random) -> Drawn:
    n = draw.randint(5, 175)
    return rf"{n}^\circ", draw.choice([str(n), rf"{n}^{{\circ}}", f"{n}°"]), rf"{n + 5}^\circ"


def money(draw: random.Random) -> Drawn:
    n = Fraction(draw.randint(100, 99_999), 100)
    return f"{float(n):.2f}", rf"\${float(n):,.2f}", rf"\${float(n + Fraction(1, 10)):,.2f}"


def units(draw: random.Random) -> Drawn:
    n = draw.randint(2, 400)
    unit = draw.choice(["cm", "meters", "hours", "square feet", "apples"])
    same = draw.choice([rf"{n}\text{{ {unit}}}", rf"{n}\ \mathrm{{{unit}}}", f"{n} {unit}"])
    return str(n), same, rf"{n + 1}\text{{ {unit}}}"


def bases(draw: random.Random) -> Drawn:
    digits = "".join(str(draw.randint(1, 4)) for _ in range(4))
    base = draw.choice([5, 6, 7, 8, 9])
    return f"{digits}_{base}", f"{digits}_{{{base}}}", draw.choice([f"{digits}_{{{base + 1}}}", digits])


def clocks(draw: random.Random) -> Drawn:
    hour, minute = draw.randint(1, 11), draw.randint(10, 59)
    half = draw.choice(["am", "pm"])
    other = f"{hour}:{minute} {'pm' if half == 'am' else 'am'}"
    same = draw.choice([rf"{hour}:{minute}\text{{ {half}}}", f"{hour}:{minute}{half}"])
    return f"{hour}:{minute} {half}", same, draw.choice([other, f"{hour + 1}:{minute} {half}"])


def ratios(draw: random.Random) -> Drawn:
    a, b = draw.sample([1, 2, 3, 5, 7, 11], 2)
    return f"{a}:{b}", f"{a} : {b}", draw.choice([f"{b}:{a}", f"{a}:{b + 6}"])


def complexes(draw: random.Random) -> Drawn:
    a, b = nonzero(draw), draw.randint(2, 9)
    return f"{a}+{b}i", draw.choice([f"{b}i{a:+d}", f"{a} + {b} i"]), f"{a}-{b}i"


FAMILIES = (
    integers,
    fractions,
    mixed,
    rounding,
    scientific,
    powers,
    tiny,
    surds,
    denominators,
    circle,
    logarithms,
    angles,
    counted,
    factorials,
    roots,
    repeating,
    logs,
    approximations,
    spoken,
    percents,
    degrees,
    money,
    units,
    bases,
    clocks,
    ratios,
    complexes,
)
