"""Canonical forms of mathematical answers: numbers, formulas, equations, tuples, sets, intervals, matrices, words."""

from __future__ import annotations

import re
from fractions import Fraction

from clew.tasks.answers.expressions import equal, expression, relation, tame
from clew.tasks.answers.latex import products, spelled, squeezed
from clew.tasks.answers.numbers import NUMBER, WORDS, as_number, close, plain, value_of
from clew.tasks.answers.statements import LONGEST
from clew.tasks.answers.words import plain_words

_ROUNDS = 4  # readings until a form must state itself; a malformed formula that does not is text
_LETTER = r"(?:\\[a-zA-Z]+\s*|[a-zA-Z])"
_NAME = (
    rf"(?:\\(?:angle|triangle|overline|vec|hat|bar)\b\s*)?\{{?{_LETTER}(?:[a-zA-Z]*|\s*_\s*(?:\w|\{{[^{{}}]*\}}))\}}?'*"
)
_FUNCTION = rf"{_NAME}(?:\s*\^\s*\{{?-1\}}?)?(?:\s*\([^()=]*\)|\s+\\?[a-zA-Z]+)?"
_NAMED = re.compile(rf"\s*(?:{_FUNCTION}|\(\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\)|\|[A-Z]{{1,2}}\|)\s*")
_MEMBER = re.compile(rf"^\s*{_NAME}\s*\\in\b\s*")
_SIDES = re.compile(r"(?<![<>=!:])=(?!=)")
_RELATION = re.compile(r"(\\(?:ge|le|ne)(?![a-zA-Z])|[<>])")
_FLIPPED = {">": "<", r"\ge": r"\le"}
_OPTION = re.compile(r"\([A-J]\)\s+(?=-?[\d\\$a-z])")  # of "(C) 12" the letter only says where 12 stood
_SIGNS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")
_MATRIX = re.compile(r"^\\begin\{[pbvB]?matrix\}(.*)\\end\{[pbvB]?matrix\}$", re.DOTALL)
_BASED = re.compile(r"([0-9A-Fa-f]+)\s*_\s*\{?\s*(\d{1,2})\s*\}?")
_CLOCK = re.compile(r"(\d{1,2})\s*:\s*([0-5]\d)(?::([0-5]\d))?\s*(?:([ap])\.?\s*m\.?)?", re.IGNORECASE)
_RATIO = re.compile(r"\d{1,15}(?:\s*:\s*\d{1,15})+")
_PAIRS = {"(": ")]", "[": ")]", "{": "}"}


def split(text: str, separator: str) -> list[str]:
    """Split a text at the separators that stand outside all brackets.

    text: the text.
    separator: one character.
    """
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "({[") - (char in ")}]")
        if char == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def right_side(text: str) -> str:
    """What an equation states: the right side of `x = 3`, `f(x) = 3` and `1 + 2 = 3`, both of `2x + y = 7`."""
    sides = _SIDES.split(text)
    if len(sides) < 2 or not all(side.strip() for side in sides):
        return text
    if len(sides) > 2 and _NAMED.fullmatch(sides[0]):  # a chain that defines a name
        return sides[-1].strip()
    while len(sides) > 1 and not _formula(sides[0]):
        if re.fullmatch(r"[\d\s.]+", sides[0]) and _formula(sides[1]):  # 7 = y + 2x
            break
        sides = sides[1:]
    return "=".join(sides).strip()


def _formula(side: str) -> bool:
    """Whether the left side of an equation is more than a name, a computation with numbers, or words."""
    if _NAMED.fullmatch(side):
        return False
    bare = re.sub(r"\\(?:text|mathrm|mbox)\s*\{[^{}]*\}", " word ", side)
    if re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}", bare):
        return False
    bare = re.sub(r"\\(?:frac|dfrac|tfrac|cdot|times|sqrt|pi|left|right|div)(?![a-zA-Z])|\\[ ,;!]", " ", bare)
    return re.search(r"(?<!\d\s)[a-zA-Z]|\d[a-zA-Z]|\d\s[a-zA-Z](?![a-zA-Z])", bare) is not None


def as_math(answer: str) -> str | None:
    r"""The canonical form of a mathematical answer; None where there is none, or it is longer than `LONGEST`.

    Numbers become `show`'s spelling; expressions canonical LaTeX; tuples and intervals keep their brackets and order;
    sets, unions and bare lists are sorted; a leading `x =` goes, other equations and inequalities keep both sides;
    words are compared without case. Per cent signs, degrees, currencies and units are dropped: `50\%` is `50`. A
    canonical form is its own canonical form.
    """
    form = _form(answer)
    for _ in range(_ROUNDS):
        if form is None:
            return None
        again = _form(form)
        if again == form:
            return form
        form = again
    return plain_words(answer) or None


def _form(answer: str) -> str | None:
    if len(answer) > LONGEST:
        return None
    number = as_number(answer)
    if number is not None:
        return number
    text = plain(answer).strip().strip("$").strip().rstrip(".,;").strip()
    text = spelled(text).strip()
    if label := _OPTION.match(text):
        text = text[label.end() :]
    form = _structured(text, 0)
    return form if form and len(form) <= LONGEST else None


def _structured(text: str, depth: int) -> str:
    text = _MEMBER.sub("", text).strip()
    if len(split(text, ",")) == 1:
        text = right_side(text)
    simple = _simple(text)
    if simple is not None:
        return simple
    if depth > 3:
        return plain_words(text)
    matrix = _MATRIX.match(text)
    if matrix:
        rows = [row.split("&") for row in re.split(r"\\\\", matrix.group(1).strip()) if row.strip()]
        body = r" \\ ".join(" & ".join(_structured(cell, depth + 1) for cell in row) for row in rows)
        return rf"\begin{{matrix}} {body} \end{{matrix}}"
    if re.fullmatch(r"\{\s*\}", text):
        return r"\emptyset"
    unions = re.split(r"\\cup\b", text)
    if len(unions) > 1:
        return r" \cup ".join(sorted(_structured(u, depth + 1) for u in unions))
    if text and text[0] in _PAIRS and text[-1] in _PAIRS[text[0]] and len(split(text, ",")) == 1:
        items = [_structured(p, depth + 1) for p in split(text[1:-1], ",")]
        if len(items) > 1 or text[0] != "(":
            items = sorted(items) if text[0] == "{" else items
            return f"{text[0]}{', '.join(items)}{text[-1]}"
    if _SIGNS.search(text):
        text = f"{_signed(text, 'pm')},{_signed(text, 'mp')}"
    parts = split(text, ",")
    if len(parts) > 1 and all(p.strip() for p in parts):
        return ", ".join(sorted(_listed(parts, depth)))
    text = products(text)
    if re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", text):
        return plain_words(text)
    return _formal(text)


def _signed(text: str, plus: str) -> str:
    r"""`text` with a plus for one of `\pm` and `\mp`, and a minus for the other."""
    return _SIGNS.sub(lambda sign: "+" if sign.group(1) == plus else "-", text)


def _simple(text: str) -> str | None:
    """A number, a number word, an option, a number in a base, a time of day or a ratio; None for anything else."""
    number = as_number(text)
    if number is not None:
        return number
    if text.lower() in WORDS:
        return str(WORDS[text.lower()])
    if re.fullmatch(r"\(?[A-Z]\)?", text):
        return text.strip("()")
    if based := _BASED.fullmatch(text):
        return f"{based.group(1).upper()}_{int(based.group(2))}"
    if clock := _CLOCK.fullmatch(text):
        hour, minute, second, half = clock.groups()
        return f"{int(hour)}:{minute}{f':{second}' if second else ''}{f' {half.lower()}m' if half else ''}"
    if _RATIO.fullmatch(text):
        return re.sub(r"\s+", "", text)
    return None


def _listed(parts: list[str], depth: int) -> list[str]:
    """The items of a list. Names stay where they tell items apart: `x=1, y=2`, but `x=1, x=2` is `1, 2`."""
    named = [_SIDES.split(part) for part in parts]
    names = [squeezed(sides[0]) for sides in named if len(sides) == 2 and _NAMED.fullmatch(sides[0])]
    items = [_structured(part, depth + 1) for part in parts]
    if len(names) == len(parts) == len(set(names)):
        return [f"{name} = {item}" for name, item in zip(names, items, strict=True)]
    return items


def _formal(text: str) -> str:
    """The canonical form of an expression, an equation or an inequality; the text itself where it is none."""
    sides = _SIDES.split(text)
    canonical = None
    if len(sides) == 2:
        canonical = relation("=", *sides)
    elif len(sides) == 1:
        chain = _RELATION.split(text)
        if len(chain) == 3:
            canonical = relation(chain[1], chain[0], chain[2])
        elif len(chain) > 3:
            if all(sign in _FLIPPED for sign in chain[1::2]):
                chain = [_FLIPPED.get(c, c) for c in reversed(chain)]
            ends = [c.strip() if i % 2 else expression(c) for i, c in enumerate(chain)]
            if all(ends[::2]):
                canonical = " ".join(str(end) for end in ends)
        else:
            canonical = expression(text)
    if canonical is not None:
        return canonical
    return squeezed(text) if re.search(r"[\\^_=<>!]", text) else plain_words(text)


def _items(form: str) -> list[str]:
    """The items of a set or a list in canonical form, in one order; any other form alone."""
    inner = form[1:-1] if form.startswith("{") and form.endswith("}") and len(split(form, ",")) == 1 else form
    return sorted(part.strip() for part in split(inner, ","))


_BOUND = re.compile(r"[a-z] (<|>|\\le|\\ge) ([^<>=,]+)")
_BETWEEN = re.compile(r"([^<>=,]+) (<|\\le) [a-z] (<|\\le) ([^<>=,]+)")


def _as_intervals(form: str) -> str | None:
    """The interval of an inequality in one variable in canonical form, or the union of several; None for others."""
    found = []
    for part in split(form, ","):
        if bound := _BOUND.fullmatch(part.strip()):
            sign, value = bound.groups()
            open_, close_ = ("(", ")") if sign in "<>" else ("[", "]")
            found.append(rf"(-\infty, {value}{close_}" if sign in ("<", r"\le") else rf"{open_}{value}, \infty)")
        elif between := _BETWEEN.fullmatch(part.strip()):
            low, first, second, high = between.groups()
            found.append(f"{'(' if first == '<' else '['}{low}, {high}{')' if second == '<' else ']'}")
        else:
            return None
    return r" \cup ".join(sorted(found))


def same_equation(answer: str, gold: str) -> bool:
    """Whether an equation in canonical form says the same as a gold equation of which canonical form keeps one side, as
    `y - 2 = 3(x - 1)` and `y = 3x - 1` do.

    answer: a canonical answer.
    gold: the gold answer as it is written.
    """
    sides = _SIDES.split(spelled(plain(gold)).strip().strip("$.").strip())
    return answer.endswith(" = 0") and len(sides) == 2 and relation("=", *sides) == answer


_NESTED = 5
"""Sets within sets that are compared at most: each level calls `same_math` again."""


def same_math(answer: str, gold: str) -> bool:
    """Whether two canonical answers that are different strings are equal all the same.

    Exact numbers are equal when they are the same number; a decimal equals what rounds to it (see `close`). Formulas
    with variables are equal where math-verify says so. A list equals the set of its items, and an inequality the
    interval that it describes.

    answer, gold: canonical answers, in either order.
    """
    if any(x.replace(" ", "").startswith("{" * (_NESTED + 1)) for x in (answer, gold)):
        return False
    items = [_items(x) for x in (answer, gold)]
    if any(x.startswith("{") and x.endswith("}") for x in (answer, gold)) or all(len(parts) > 1 for parts in items):
        pairs = zip(*items, strict=False)
        return len(items[0]) == len(items[1]) and all(a == b or same_math(a, b) for a, b in pairs)
    intervals = [_as_intervals(x) or x for x in (answer, gold)]
    if intervals[0] == intervals[1]:
        return True
    numbers = [NUMBER.fullmatch(x) for x in (answer, gold)]
    values = [value_of(m) for m in numbers if m]
    if len(values) == 2:
        first, second = values
        return isinstance(first, Fraction) and isinstance(second, Fraction) and close(first, second)
    times = [_CLOCK.fullmatch(x) for x in (answer, gold)]
    if all(times):  # one of them may leave open which half of the day it is
        one, other = (m.groups() for m in times if m)
        return one[:3] == other[:3] and None in (one[3], other[3])
    if any(numbers) and not re.search(r"[\\^]|(?<![a-zA-Z])[ei](?![a-zA-Z])", answer + gold):
        return False
    if _BASED.fullmatch(answer) or _BASED.fullmatch(gold):
        return False
    if not (tame(answer) and tame(gold)) or re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", f"{answer} {gold}"):
        return False
    if _RELATION.search(answer + gold) or "=" in answer + gold:
        return False
    return equal(answer, gold)
