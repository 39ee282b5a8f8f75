"""Mathematical answers in canonical form: numbers, expressions, tuples, sets, intervals, matrices, words."""

from __future__ import annotations

import re

from clew.tasks.answers.expressions import SECONDS, Late, bounded, expression, sympify, tame
from clew.tasks.answers.numbers import NUMBER, WORDS, as_number, plain, value_of
from clew.tasks.answers.statements import LONGEST
from clew.tasks.answers.words import plain_words

_ROUNDS = 4  # readings until a form must state itself; a malformed formula that does not is text
_CLEAN = [
    (re.compile(r"\\(?:left|right|displaystyle|textstyle|limits|bigl?|bigr?|Bigl?|Bigr?)\b"), ""),
    (re.compile(r"\\[dtc]frac"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"(\\frac\s*\{[^{}]*\})\s*(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\a-zA-Z])sqrt\s*\(([^()]*)\)|√\s*\(([^()]*)\)|√\s*(\w+)"), r"\\sqrt{\1\2\3}"),
    (re.compile(r"(?<![\\a-zA-Z])pi\b|π"), r"\\pi "),
    (re.compile(r"(?<![\\a-zA-Z])(?:inf|infinity)\b|∞"), r"\\infty "),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"[·×∙]|\\times\b|\\cdot\b"), "*"),
    (re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf|textit)\s*\{\s*(?:and|or)\s*\}|\s(?:and|or)\s"), ","),
    (re.compile(r"(?<=[\d}])\s*\\(?:text|mathrm|mbox)\s*\{[^{}]*\}(?:\s*\^\s*\{?[23]\}?)?\s*$"), ""),
    (re.compile(r"\\(?:text|mathrm|mbox|textbf|mathbf|textit)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°|\\?%"), ""),
    (re.compile(r"\\\{"), "{"),
    (re.compile(r"\\\}"), "}"),
]
_NAMED = re.compile(r"^\s*[a-zA-Z](?:\s*\([a-zA-Z]\))?\s*(?:=|\\in\b)\s*(?=[^=])")
_MATRIX = re.compile(r"^\\begin\{[pbvB]?matrix\}(.*)\\end\{[pbvB]?matrix\}$", re.DOTALL)
_PAIRS = {"(": ")]", "[": ")]", "{": "}"}


def _split(text: str, separator: str) -> list[str]:
    """`text` at the top-level separators, outside all brackets."""
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "({[") - (char in ")}]")
        if char == separator and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def as_math(answer: str) -> str | None:
    r"""The canonical form of a mathematical answer; None where there is none, or it is longer than `LONGEST`.

    Numbers become `show`'s spelling; expressions canonical LaTeX; tuples, intervals and unions keep their brackets
    and order; sets and bare lists are sorted; a leading `x =` goes; words are compared without case. Per cent signs,
    degrees, currencies and units are dropped: `50\%` is `50`. A canonical form is its own canonical form.
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
    for pattern, replacement in _CLEAN:
        text = pattern.sub(replacement, text)
    return _structured(text.strip(), 0) or None


def _structured(text: str, depth: int) -> str:
    text = _NAMED.sub("", text).strip()
    number = as_number(text)
    if number is not None:
        return number
    if depth > 3:
        return plain_words(text)
    if text.lower() in WORDS:
        return str(WORDS[text.lower()])
    if re.fullmatch(r"\(?[A-Z]\)?", text):
        return text.strip("()")
    matrix = _MATRIX.match(text)
    if matrix:
        rows = [row.split("&") for row in re.split(r"\\\\", matrix.group(1).strip()) if row.strip()]
        body = r" \\ ".join(" & ".join(_structured(cell, depth + 1) for cell in row) for row in rows)
        return rf"\begin{{matrix}} {body} \end{{matrix}}"
    unions = re.split(r"\\cup\b|∪", text)
    if len(unions) > 1:
        return r" \cup ".join(_structured(u, depth + 1) for u in unions)
    if text and text[0] in _PAIRS and text[-1] in _PAIRS[text[0]] and len(_split(text, ",")) == 1:
        items = [_structured(p, depth + 1) for p in _split(text[1:-1], ",")]
        if len(items) > 1 or text[0] != "(":
            items = sorted(items) if text[0] == "{" else items
            return f"{text[0]}{', '.join(items)}{text[-1]}"
    parts = _split(text, ",")
    if len(parts) > 1 and all(p.strip() for p in parts):
        return ", ".join(sorted(_structured(p, depth + 1) for p in parts))
    if re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", text):
        return plain_words(text)
    canonical = expression(text)
    if canonical is not None:
        return canonical
    return re.sub(r"\s+", "", text) if re.search(r"[\\^_=<>!]", text) else plain_words(text)


def same_math(answer: str, gold: str) -> bool:
    """Whether math-verify holds two canonical answers for equal, asked where their strings differ.

    As there, numbers are equal when they agree to six decimals.
    """
    numbers = [NUMBER.fullmatch(x) for x in (answer, gold)]
    if all(numbers):
        values = [value_of(m) for m in numbers if m]
        return None not in values and len({round(v, 6) for v in values if v is not None}) == 1
    if any(numbers) and not re.search(r"[\\^]", answer + gold):
        return False
    if not (tame(answer) and tame(gold)) or re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", f"{answer} {gold}"):
        return False
    try:
        with bounded(SECONDS):
            from math_verify.grader import sympy_expr_eq

            return bool(sympy_expr_eq(sympify(gold), sympify(answer), 6, 15))
    except Late:
        return False
    except Exception:  # not readable as LaTeX: then only equal strings are equal
        return False
