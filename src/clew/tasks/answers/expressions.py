"""Reads formulas with SymPy and prints each in one canonical form, within a limit of time and memory."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from typing import Any

from clew.tasks.answers.numbers import DIGITS, close, show

SECONDS = 2.0
"""The longest that one answer may take in SymPy."""


class Late(BaseException):
    """A bounded body took too long. Not an Exception, so that handlers inside the body let it through."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise `Late` in this thread when the body takes longer than this. It works in any thread; signals do not."""
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
    r"\\(?:i*int|oint|sum|prod|lim|operatorname|begin|Gamma)\b|\d{3,}\s*!|[)}\]]\s*!|!\s*!"
    r"|\\binom(?!\s*\{\d{1,3}\}\s*\{\d{1,3}\})"
)
_EXPONENT = re.compile(r"\^\s*(?:\{([^{}]*)\}|\(([^()]*)\)|(-?\d+|\\?[a-zA-Z]+))?")


def tame(text: str) -> bool:
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


def sympify(text: str) -> Any:
    """`text` (LaTeX) as a SymPy object. Raises whatever the parser raises."""
    from latex2sympy2_extended import latex2sympy  # type: ignore[import-untyped,unused-ignore]

    return latex2sympy(text)


def _read(text: str) -> Any:
    """`text` as a SymPy expression: decimals exact, `i` the imaginary unit, symbols without assumptions. Or None."""
    import sympy

    expression = sympify(text)
    if not isinstance(expression, sympy.Expr):
        return None
    expression = expression.doit()
    expression = expression.replace(
        lambda e: isinstance(e, sympy.Float), lambda e: sympy.Rational(str(e)) if e.is_finite else e
    )
    names = {s: sympy.I if s.name == "i" else sympy.Symbol(s.name) for s in expression.free_symbols}
    return expression.xreplace(names)


def _simplest(expression: Any) -> Any:
    """A SymPy expression expanded, without roots in denominators."""
    import sympy

    if expression.free_symbols:
        return sympy.cancel(sympy.expand(expression))
    return sympy.sqrtdenest(sympy.radsimp(sympy.expand(expression)))


def _printed(expression: Any) -> str | None:
    """A SymPy expression in LaTeX that reads as the same expression; None where it has no value."""
    import sympy

    if expression.is_Rational:
        if max(abs(int(expression.p)), int(expression.q)) >= 10**DIGITS:
            return None
        return show(Fraction(int(expression.p), int(expression.q)))
    if expression.has(sympy.nan, sympy.zoo):
        return None
    text = str(sympy.latex(expression, ln_notation=True, inv_trig_style="full"))
    # SymPy prints ln(x)^2 for (ln x)^2, which is read as ln(x^2).
    return re.sub(r"\\(?:left|right)(?![a-zA-Z])", "", _LOG_POWER.sub(r"(\\ln{\1})^{\2}", text))


_LOG_POWER = re.compile(r"\\ln\{(\\left\((?:(?!\\left\().)*?\\right\))\}\^\{([^{}]*)\}")


def _guarded(work: Callable[[], str | None]) -> str | None:
    try:
        with bounded(SECONDS):
            return work()
    except Late:
        return None
    except Exception:  # the parser raises bare Exceptions for anything that is not LaTeX: then it is text
        return None


@lru_cache(maxsize=1 << 14)
def expression(text: str) -> str | None:
    """The canonical form of one LaTeX or plain expression; None where it cannot be read in a bounded time."""

    def work() -> str | None:
        read = _read(text)
        return None if read is None else _printed(_simplest(read))

    return _guarded(work) if tame(text) else None


_FLIPPED = {"<": ">", r"\le": r"\ge"}


@lru_cache(maxsize=1 << 14)
def relation(sign: str, left: str, right: str) -> str | None:
    r"""The canonical form of an equation or inequality: a name alone on the left, or everything on the left, over 0.

    sign: one of `=`, `<`, `>`, `\le`, `\ge`, `\ne`.
    left, right: the two sides in LaTeX.

    Returns None where a side cannot be read within the limits.
    """
    if not (tame(left) and tame(right)):
        return None

    def work() -> str | None:
        import sympy

        one, other = _read(left), _read(right)
        if one is None or other is None:
            return None
        if not (one.free_symbols or other.free_symbols):
            return f"{_printed(_simplest(one))} {sign} {_printed(_simplest(other))}"
        kind = sign
        if sign in _FLIPPED:
            one, other, kind = other, one, _FLIPPED[sign]
        if (one.is_Symbol and not other.free_symbols) or (other.is_Symbol and not one.free_symbols):
            if not one.is_Symbol:
                one, other, kind = other, one, {">": "<", r"\ge": r"\le"}.get(kind, kind)
            return f"{_printed(one)} {kind} {_printed(_simplest(other))}"
        difference = (
            sympy.together(_simplest(one - other)).as_numer_denom()[0] if sign == "=" else _simplest(one - other)
        )
        _, rest = sympy.expand(difference).as_content_primitive()
        if sign in ("=", r"\ne") and rest.could_extract_minus_sign():
            rest = -rest
        return f"{_printed(sympy.expand(rest))} {kind} 0"

    return _guarded(work)


def equal(answer: str, gold: str) -> bool:
    """Whether two expressions are equal: constants by their values, others as math-verify judges.

    answer, gold: canonical expressions.
    """

    def work() -> str | None:
        import sympy

        one, other = _read(answer), _read(gold)
        if one is None or other is None:
            return None
        if not (one.free_symbols or other.free_symbols):
            # Equal constants agree to the last of many digits; a decimal agrees to its own digits.
            values = [sympy.N(side, _PRECISION) for side in (one, other)]
            if not all(value.is_finite for value in values):
                return "equal" if one == other else None
            if all(value.is_real for value in values) and any(side.is_Rational for side in (one, other)):
                return "equal" if close(*(Fraction(str(sympy.Rational(value))) for value in values)) else None
            size = max(abs(value) for value in values)
            return "equal" if abs(values[0] - values[1]) <= size * sympy.Float(10) ** (-_PRECISION + 10) else None
        from math_verify.grader import sympy_expr_eq

        return "equal" if sympy_expr_eq(other, one, 6, 15) else None

    return _guarded(work) is not None


_PRECISION = 50  # digits
