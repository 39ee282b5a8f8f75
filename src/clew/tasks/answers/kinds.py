r"""The kinds of answers: how each is read out of a solution, brought into canonical form, and compared.

Voting and grading share `extract`. Two solutions state the same answer exactly when it gives equal strings:
`\boxed{12}`, "12.", "$12" and "the answer is 12" are all `12`. The last stated answer wins, and answers are sought
after thinking blocks only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from clew.errors import UsageError
from clew.tasks.answers.choices import as_choice, read_choice
from clew.tasks.answers.mathematics import as_math, same_equation, same_math
from clew.tasks.answers.numbers import as_number, first_number, last_number
from clew.tasks.answers.statements import ASIDE, INLINE, SENTENCE_END, stated, statements
from clew.tasks.answers.words import as_exact, as_text
from clew.thinking import visible

Kind = Literal["math", "number", "choice", "exact", "text", "auto"]
"""How answers are read and compared.

math: numbers, expressions, tuples, sets, intervals (LaTeX or plain), through math-verify. number: one number.
choice: the letter of an option. exact: the same characters, but for spaces and quotes around them.
text: the same words, but for case, quotes and final punctuation. auto: for a question that nothing is known about:
`math` where the answer looks like it, else `exact` without a final stop.
"""
KINDS: tuple[Kind, ...] = get_args(Kind)

_TAIL = 20_000  # characters of a solution's end in which an answer is sought
_UNKNOWN = re.compile(
    r"\b(?:unknown|unanswerable|cannot be (?:determined|answered)|can't be (?:determined|answered)"
    r"|not enough information|insufficient information)\b",
    re.IGNORECASE,
)
UNKNOWN = "unknown"
"""The canonical answer of a solution that says that the question cannot be answered (see `extract_or_unknown`)."""


def _number(text: str) -> str | None:
    for statement, delimited in statements(text):
        if not delimited:
            statement = re.split(r"(?<=[^.]{2})[.!?](?=\s|$)", statement, maxsplit=1)[0]
            if re.match(r"[a-zA-Z]{2,}\s+\d+\s*[:.)]", statement):  # a Markdown heading, "#### Step 1:"
                continue
            statement = ASIDE.split(statement, maxsplit=1)[0] or statement
        if re.search(r"[\\^*]", statement):  # 2^{10}, \sqrt{16}: computed
            inline = INLINE.search(statement)
            whole = as_math(statement if inline is None else next(g for g in inline.groups() if g is not None))
            if whole is not None and as_number(whole) == whole:
                return whole
        value = first_number(statement.rpartition("=")[2]) or first_number(statement)
        if value is not None:
            return value
    return last_number(text)


def _math(text: str) -> str | None:
    for statement, delimited in statements(text):
        if not delimited:
            if re.match(r"(?:step|part|case)\b", statement, re.IGNORECASE):
                continue
            inline = INLINE.search(statement)
            if inline:
                statement = next(g for g in inline.groups() if g is not None)
            else:
                statement = ASIDE.split(SENTENCE_END.split(statement, maxsplit=1)[0], maxsplit=1)[0].strip("* ")
        value = as_math(statement)
        if value is not None:
            return value
    inlines = list(INLINE.finditer(text))
    if inlines and last_number(text[inlines[-1].end() :]) is None:
        inner = next(g for g in inlines[-1].groups() if g is not None)
        return as_math(inner)
    return last_number(text)


def _exact(text: str) -> str | None:
    statement = stated(text)
    return None if statement is None else as_exact(statement)


def _text(text: str) -> str | None:
    statement = stated(text)
    return None if statement is None else as_text(statement)


def _as_auto(answer: str) -> str | None:
    if as_number(answer) is not None or re.search(r"[\\^=]|^\W*\d", answer):
        return as_math(answer)
    return as_exact(answer.strip().strip("*").rstrip("."))


def _auto(text: str) -> str | None:
    for statement, delimited in statements(text):
        if not delimited and not INLINE.search(statement):
            statement = SENTENCE_END.split(statement, maxsplit=1)[0]
        elif not delimited:
            return _math(text)
        return _as_auto(statement)
    last = stated(text)
    return None if last is None else last_number(last) or _as_auto(last)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One kind of answer.

    read: (visible text, options) → the canonical answer that a solution states, or None.
    canonical: (bare answer, options) → its canonical form, or None where it is not of this kind.
    same: (canonical answer, canonical gold answer, gold answer as written) → whether they are equal although the
        canonical strings differ.
    ask: the line at the end of a prompt that says how to state the answer.
    """

    read: Callable[[str, Sequence[str]], str | None]
    canonical: Callable[[str, Sequence[str]], str | None]
    same: Callable[[str, str, str], bool] = lambda answer, wanted, gold: False
    ask: str = "\nEnd with a line `#### ` and the answer."


_READINGS: dict[Kind, _Reading] = {
    "math": _Reading(
        lambda text, _: _math(text),
        lambda answer, _: as_math(answer),
        lambda answer, wanted, gold: same_math(answer, wanted) or same_equation(answer, gold),
        "\nReason step by step, and put the final answer within \\boxed{}.",
    ),
    "number": _Reading(
        lambda text, _: _number(text),
        lambda answer, _: as_number(answer),
        ask="\nEnd with a line `#### ` and the answer as a number.",
    ),
    "choice": _Reading(read_choice, as_choice, ask="\nEnd with a line `#### ` and the letter of the right option."),
    "exact": _Reading(lambda text, _: _exact(text), lambda answer, _: as_exact(answer)),
    "text": _Reading(lambda text, _: _text(text), lambda answer, _: as_text(answer)),
    "auto": _Reading(lambda text, _: _auto(text), lambda answer, _: _as_auto(answer)),
}


def request(kind: Kind) -> str:
    """The line at the end of a prompt that says how to state an answer of this kind."""
    return _READINGS[kind].ask


def extract(text: str, kind: Kind = "math", *, choices: Sequence[str] = ()) -> str | None:
    """The canonical answer that a solution states; None where it states none, or a thinking block is open.

    text: the solution; an answer is sought in its last 20,000 characters.
    kind: how the answer is read.
    choices: the texts of the options A, B, …, so that a solution may name one by its text (kind `choice`).
    """
    shown = visible(text)
    return None if shown is None else _READINGS[kind].read(shown[-_TAIL:], choices)


def as_canonical(answer: str, kind: Kind, *, choices: Sequence[str] = ()) -> str | None:
    """The canonical form of a bare answer; None where it is not of this kind.

    answer: an answer without a sentence around it, such as a gold answer.
    kind: how it is read.
    choices: the texts of the options A, B, … (kind `choice`).
    """
    return _READINGS[kind].canonical(answer, choices)


def grade(answer: str | None, gold: str, kind: Kind = "math", *, choices: Sequence[str] = ()) -> float:
    """Compare an answer with the gold answer: 1.0 where they are equal, else 0.0.

    answer: a canonical answer, as `extract` returns it; None is never right.
    gold: the gold answer as it is written; it is made canonical here.
    kind: how answers are compared.
    choices: the texts of the options A, B, … (kind `choice`).
    """
    if answer is None:
        return 0.0
    wanted = as_canonical(gold, kind, choices=choices)
    if wanted is None:
        return 0.0
    return float(answer == wanted or _READINGS[kind].same(answer, wanted, gold))


def checked(kind: str) -> Kind:
    """`kind` itself. Raises UsageError where there is no such kind."""
    for known in KINDS:
        if kind == known:
            return known
    raise UsageError(f"{kind!r} is not a kind of answer", f"Use one of {', '.join(KINDS)}")


def extractor(kind: str, choices: Sequence[str] = ()) -> Callable[[str], str | None]:
    """`extract` for one kind, as `Problem.extract` wants it.

    kind: how answers are read.
    choices: the texts of the options A, B, … (kind `choice`).

    Raises UsageError for an unknown kind.
    """
    known = checked(kind)
    return lambda text: extract(text, known, choices=choices)


def grader(gold: str, kind: Kind, choices: Sequence[str] = ()) -> Callable[[str], float]:
    """`grade` for one gold answer, as `Problem.grader` wants it.

    gold: the gold answer as it is written.
    kind: how answers are compared.
    choices: the texts of the options A, B, … (kind `choice`).
    """
    return lambda answer: grade(answer, gold, kind, choices=choices)


def extract_or_unknown(inner: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """An extractor: `UNKNOWN` where the last statement says that there is no answer, else what `inner` gives."""

    def outer(text: str) -> str | None:
        shown = visible(text)
        if shown is None:
            return None
        last = stated(shown[-_TAIL:]) or ""
        return UNKNOWN if _UNKNOWN.search(last) else inner(text)

    return outer
