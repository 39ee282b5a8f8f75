"""Expressions through SymPy: read from LaTeX, rewritten into one form, printed. In bounded time, or not at all."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from typing import Any

from clew.tasks.answers.numbers import DIGITS, show

SECONDS = 2.0
"""The longest that one answer may take in SymPy."""


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
        if max(abs(int(expression.p)), int(expression.q)) >= 10**DIGITS:
            return None
        return show(Fraction(int(expression.p), int(expression.q)))
    if expression.has(sympy.nan, sympy.zoo):
        return None
    return str(sympy.latex(expression))


@lru_cache(maxsize=1 << 14)
def expression(text: str) -> str | None:
    """The canonical form of one LaTeX or plain expression; None where it cannot be read in a bounded time."""
    if not tame(text):
        return None
    try:
        with bounded(SECONDS):
            return _rewrite(sympify(text))
    except Late:
        return None
    except Exception:  # the parser raises bare Exceptions for anything that is not LaTeX: then it is text
        return None
