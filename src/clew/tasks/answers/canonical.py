r"""Canonical forms: equal answers as equal strings.

Plain numbers take a short way of our own. Everything else goes through the LaTeX parser that math-verify uses
(`latex2sympy2_extended`) and a fixed sequence of SymPy rewrites; what cannot be read, or could take long, stays text.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from typing import Any

from clew.tasks.lexicon import NUMBERS

LONGEST = 400
"""Characters of the longest answer that is read; longer ones are no answer."""
_DIGITS = 100  # digits of the longest number
SECONDS = 2.0
"""The longest that one answer may take in SymPy."""
_ROUNDS = 4  # readings until a form must state itself; a malformed formula that does not is text

_INT = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_DEC = rf"(?:{_INT}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{{1,3}}(?!\w))?"
_SIGN = r"(?:(?<![\w)\]}])(?:[-+](?=\S)|(?<![\w)\]}]\s)[-+]\s+))?"
NUMBER = re.compile(rf"{_SIGN}\$?\s?{_SIGN}(?:(?P<whole>{_INT})\s+)?(?P<num>{_DEC})(?:\s*/\s*(?P<den>{_DEC}))?")
"""One number in running text, with its sign, currency and denominator."""

_PLAIN_SUBSTITUTIONS = [
    (re.compile(r"[−–‒﹣-]"), "-"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"(?<!\\)\\[,!;: ]|[\u00a0\u202f\u2009]"), " "),
    (re.compile(r"(?<=\d) (?=\d{3}(?:\D|$))(?<!\.\d )(?<!\.\d\d )"), ""),
    (re.compile(r"\\\$|[€£¥₹]|\\(?:pounds|euro)\b"), "$"),
    (re.compile(r"\\[dtc]frac"), r"\\frac"),
    (re.compile(r"(?<=\d)\s*\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}"), r" \1/\2"),
    (re.compile(r"(?<=\d)\s*\\frac\s*(\d)\s*(\d)"), r" \1/\2"),
    (re.compile(r"-\s*\\frac\s*\{\s*([\d.]+)\s*\}\s*\{\s*([\d.]+)\s*\}"), r"-\1/\2"),
    (re.compile(r"\\frac\s*\{\s*(-?\s*[\d.]+)\s*\}\s*\{\s*([\d.]+)\s*\}"), r"\1/\2"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\1/\2"),
]

_WORDS = {w: i for i, w in enumerate(NUMBERS)}
_WORD = re.compile(rf"\b(?:{'|'.join(NUMBERS)})\b", re.IGNORECASE)


def plain(text: str) -> str:
    """`text` with the many spellings of minus signs, separators, currencies and simple fractions made one."""
    for pattern, replacement in _PLAIN_SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    return text


def show(value: Fraction) -> str:
    """The one spelling of a rational number: `12`, `0.5` where that is exact and short, else `1/3`."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > 12:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _value(match: re.Match[str]) -> Fraction | None:
    if len(match.group()) > _DIGITS or re.search(r"[eE][-+]?\d{3}", match.group()):
        return None
    whole, num, den = match.group("whole"), match.group("num"), match.group("den")
    value = Fraction(num.replace(",", ""))
    if den is not None:
        divisor = Fraction(den.replace(",", ""))
        if not divisor:
            return None
        value /= divisor
    if whole:
        value += Fraction(whole.replace(",", ""))
    head = match.group()[: match.start("whole" if whole else "num") - match.start()]
    return -value if "-" in head else value


def _numbers(text: str) -> Iterator[re.Match[str]]:
    position = 0
    while match := NUMBER.search(text, position):
        if match.group("whole") and not match.group("den"):  # two numbers side by side, not a mixed one
            match = re.compile(_SIGN + r"\$?\s?" + _SIGN + rf"(?P<whole>(?!))?(?P<num>{_DEC})(?P<den>(?!))?").search(
                text, match.start()
            )
            if match is None:
                return
        yield match
        position = match.end()


def first_number(text: str) -> str | None:
    """The first number in `text`, else the first number word up to twelve, canonical; None without any."""
    text = plain(text)
    for match in _numbers(text):
        value = _value(match)
        return None if value is None else show(value)
    word = _WORD.search(text)
    return str(_WORDS[word.group().lower()]) if word else None


def last_number(text: str) -> str | None:
    """The last number in `text`, canonical; None without any."""
    last = deque(_numbers(plain(text)), maxlen=1)
    value = _value(last[0]) if last else None
    return None if value is None else show(value)


_DECORATED = re.compile(
    r"^(?:[a-zA-Z]\s*=\s*)?(?P<number>.*?)\s*"
    r"(?:\\?%|\^?\s*\{?\s*\\circ\s*\}?|°|\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\s[a-zA-Z][a-zA-Z ]+)?\s*\.?$",
    re.DOTALL,
)


def as_number(answer: str) -> str | None:
    """`answer` canonical where all of it is one number, with or without currency, per cent sign or unit."""
    text = plain(answer.strip().strip("$").strip())
    match = _DECORATED.match(text)
    core = match.group("number").strip() if match else text
    found = NUMBER.fullmatch(core)
    if found is None or (found.group("whole") and not found.group("den")):
        return None
    value = _value(found)
    return None if value is None else show(value)


# --- expressions --------------------------------------------------------------------------------------------------


class Late(BaseException):
    """A bounded body took too long. Not an Exception, so that handlers inside the body let it through."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise `Late` in this thread when the body takes longer. Works in any thread, which signals do not."""
    thread = ctypes.c_ulong(threading.get_ident())
    lock, done = threading.Lock(), False

    def fire() -> None:
        with lock:
            if not done:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Late))

    timer = threading.Timer(seconds, fire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            done = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)
        timer.cancel()


_WILD = re.compile(
    r"\\(?:i*int|oint|sum|prod|lim|binom|dbinom|tbinom|operatorname|begin|Gamma)\b|\d{3,}\s*!|[)}\]]\s*!|!\s*!"
)
_EXPONENT = re.compile(r"\^\s*(?:\{([^{}]*)\}|\(([^()]*)\)|(-?\d+|\\?[a-zA-Z]+))?")


def _tame(text: str) -> bool:
    """Whether SymPy can rewrite `text` in little time and memory: no towers of powers, no big expansions."""
    if len(text) > 200 or _WILD.search(text) or re.search(r"\d{41}", text):
        return False
    depth = deepest = 0
    for char in text:
        depth += (char in "({[") - (char in ")}]")
        deepest = max(deepest, depth)
    letters = set(re.findall(r"(?<![\\a-zA-Z])[a-zA-Z]", text))
    if deepest > 6 or len(letters) > 6:
        return False
    product = largest = 1
    for match in _EXPONENT.finditer(text):
        body = next((g for g in match.groups() if g is not None), None)
        if body is None or "^" in body:
            return False
        size = 1
        for digits in re.findall(r"\d+", body):
            size *= max(1, int(digits))
        product, largest = product * max(1, size), max(largest, size)
    limit = 400 if not letters else 24 if len(letters) < 3 else 8
    return (product if re.search(r"[)}\]|]\s*\^", text) else largest) <= limit


def _sympify(text: str) -> Any:
    """`text` (LaTeX) as a SymPy object. Raises whatever the parser raises."""
    from latex2sympy2_extended import latex2sympy  # type: ignore[import-untyped,unused-ignore]

    return latex2sympy(text)


def _rewrite(expression: Any) -> str | None:
    """The canonical LaTeX of a SymPy expression; None where it is not one."""
    import sympy

    if not isinstance(expression, sympy.Expr):
        return None
    expression = expression.doit()
    expression = expression.replace(
        lambda e: isinstance(e, sympy.Float), lambda e: sympy.Rational(str(e)) if e.is_finite else e
    )
    expression = expression.xreplace({s: sympy.Symbol(s.name) for s in expression.free_symbols})
    expression = sympy.cancel(sympy.expand(expression)) if expression.free_symbols else sympy.expand(expression)
    if not expression.free_symbols:
        expression = sympy.sqrtdenest(sympy.radsimp(expression))
    if expression.is_Rational:
        if max(abs(int(expression.p)), int(expression.q)) >= 10**_DIGITS:
            return None
        return show(Fraction(int(expression.p), int(expression.q)))
    if expression.has(sympy.nan, sympy.zoo):
        return None
    return str(sympy.latex(expression))


@lru_cache(maxsize=1 << 14)
def _expression(text: str) -> str | None:
    """The canonical form of one LaTeX or plain expression; None where it cannot be read in a bounded time."""
    if not _tame(text):
        return None
    try:
        with bounded(SECONDS):
            return _rewrite(_sympify(text))
    except Late:
        return None
    except Exception:  # the parser raises bare Exceptions for anything that is not LaTeX: then it is text
        return None


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


def as_text(answer: str) -> str:
    """`answer` as text: case, spaces, quotes and final punctuation made one."""
    return re.sub(r"\s+", " ", answer).strip().strip("\"'`*.,;:! ").casefold()


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
    return as_text(answer) or None


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
        return as_text(text)
    if text.lower() in _WORDS:
        return str(_WORDS[text.lower()])
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
        return as_text(text)
    canonical = _expression(text)
    if canonical is not None:
        return canonical
    return re.sub(r"\s+", "", text) if re.search(r"[\\^_=<>!]", text) else as_text(text)


def same_math(answer: str, gold: str) -> bool:
    """Whether math-verify holds two canonical answers for equal, asked where their strings differ.

    As there, numbers are equal when they agree to six decimals.
    """
    numbers = [NUMBER.fullmatch(x) for x in (answer, gold)]
    if all(numbers):
        values = [_value(m) for m in numbers if m]
        return None not in values and len({round(v, 6) for v in values if v is not None}) == 1
    if any(numbers) and not re.search(r"[\\^]", answer + gold):
        return False
    if not (_tame(answer) and _tame(gold)) or re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", f"{answer} {gold}"):
        return False
    try:
        with bounded(SECONDS):
            from math_verify.grader import sympy_expr_eq

            return bool(sympy_expr_eq(_sympify(gold), _sympify(answer), 6, 15))
    except Late:
        return False
    except Exception:  # not readable as LaTeX: then only equal strings are equal
        return False
