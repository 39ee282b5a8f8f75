r"""The one extractor: what a solution states as its answer, in canonical form. Voting and grading share it.

Two solutions state the same answer exactly when `extract` gives equal strings: `\boxed{12}`, "12.", "$12" and "the
answer is 12" are all `12`. The last stated answer wins, and answers are sought after thinking blocks only.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

from clew.errors import UsageError
from clew.tasks.answers import canonical

Kind = Literal["math", "number", "choice", "exact", "text", "auto"]
"""How answers are read and compared.

math: numbers, expressions, tuples, sets, intervals (LaTeX or plain), through math-verify. number: one number.
choice: the letter of an option. exact: the same characters, but for spaces and quotes around them.
text: the same words, but for case, quotes and final punctuation. auto: for a question that nothing is known about:
`math` where the answer looks like it, else `exact` without a final stop.
"""
KINDS: tuple[Kind, ...] = get_args(Kind)

_TAIL = 20_000  # characters of a solution's end in which an answer is sought
_STATEMENTS = 32  # how many of the last statements are read
_THINKING = ("think", "thinking", "thought", "reasoning", "reflection", "scratchpad", "seed:think")
THINK_OPEN = re.compile(rf"<(?:{'|'.join(_THINKING)})>|\[THINK\]|◁think▷", re.IGNORECASE)
THINK_CLOSE = re.compile(rf"</(?:{'|'.join(_THINKING)})>|\[/THINK\]|◁/think▷", re.IGNORECASE)

_MARK = re.compile(
    r"(?P<hashes>\#{4}[ \t]*)(?=\S)"
    r"|\\f?box(?:ed)?\s*(?P<box>[{\d])"
    r"|<answer>(?P<tag>)"
    r"|\banswer\b(?P<words>[^.:=\n]{0,60}?)(?:\*\*)?\s*(?:\b(?:is|are|be|equals)\b(?!\s+not\b)\s*:?|[:=])"
    r"(?:\s|\*\*)*(?=\S)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n")
_ASIDE = re.compile(r",\s+(?!and\b|or\b)(?=[a-z]{2,}\b)")
_LIST = re.compile(r",(?!\d{3}\b)|\b(?:and|or)\b")
_INLINE = re.compile(r"\$\$(.+?)\$\$|\$(?!\s)([^$\n]+?)(?<!\s)\$(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_UNKNOWN = re.compile(
    r"\b(?:unknown|unanswerable|cannot be (?:determined|answered)|can't be (?:determined|answered)"
    r"|not enough information|insufficient information)\b",
    re.IGNORECASE,
)
UNKNOWN = "unknown"
"""The canonical answer of a solution that says that the question cannot be answered (see `extract_or_unknown`)."""


def visible(text: str) -> str | None:
    """What follows the thinking block; None while it is still open. Text without one is returned whole.

    A closing tag without an opening one ends a block that the prompt opened.
    """
    closed = 0
    for match in THINK_CLOSE.finditer(text):
        closed = match.end()
    if THINK_OPEN.search(text, closed):
        return None
    return text[closed:]


def _braced(text: str, start: int) -> str | None:
    """What stands between the brace at `start` and its partner; None where it is never closed."""
    depth = 0
    for i in range(start, min(len(text), start + 2 * canonical.LONGEST)):
        if text[i] == "\\":
            continue
        if text[i] in "{}" and not (i and text[i - 1] == "\\"):
            depth += 1 if text[i] == "{" else -1
            if depth == 0:
                return text[start + 1 : i]
    return None


def statements(text: str) -> Iterator[tuple[str, bool]]:
    r"""What `text` explicitly states as its answer, the last first: after `####`, "answer is", "answer:", in
    `\boxed{}` or `<answer>`.

    Yields each statement to the end of its line, and whether it is delimited (nothing but the answer).
    """
    for match in reversed(deque(_MARK.finditer(text), maxlen=_STATEMENTS)):
        rest = text[match.end() : match.end() + 2 * canonical.LONGEST]
        if match.group("box") == "{":
            inner = _braced(text, match.end() - 1)
            if inner is not None and inner.strip():
                yield inner.strip(), True
        elif match.group("box"):
            yield match.group("box") + re.match(r"[\d.,]*", rest)[0].rstrip(".,"), True  # type: ignore[index]
        elif match.group("tag") is not None:
            inner = re.split(r"</answer>", rest, maxsplit=1, flags=re.IGNORECASE)[0].strip()
            if inner:
                yield inner, True
        elif not (match.group("words") or "").strip().lower().endswith("not"):
            yield rest.split("\n", 1)[0].strip(), False


def _right_side(text: str) -> str:
    """What follows the last equals sign, if anything."""
    head, _, tail = text.rpartition("=")
    return tail if head and tail.strip() else text


def _number(text: str) -> str | None:
    for statement, delimited in statements(text):
        if not delimited:
            statement = re.split(r"(?<=[^.]{2})[.!?](?=\s|$)", statement, maxsplit=1)[0]
            if re.match(r"[a-zA-Z]{2,}\s+\d+\s*[:.)]", statement):  # a Markdown heading, "#### Step 1:"
                continue
        value = canonical.first_number(_right_side(statement)) or canonical.first_number(statement)
        if value is not None:
            return value
    return canonical.last_number(text)


def _math(text: str) -> str | None:
    for statement, delimited in statements(text):
        if not delimited:
            if re.match(r"(?:step|part|case)\b", statement, re.IGNORECASE):
                continue
            inline = _INLINE.search(statement)
            if inline:
                statement = next(g for g in inline.groups() if g is not None)
            else:
                statement = _ASIDE.split(_SENTENCE_END.split(statement, maxsplit=1)[0], maxsplit=1)[0].strip("* ")
        value = canonical.as_math(statement if _LIST.search(statement) else _right_side(statement))
        if value is not None:
            return value
    inlines = list(_INLINE.finditer(text))
    if inlines and canonical.last_number(text[inlines[-1].end() :]) is None:
        inner = next(g for g in inlines[-1].groups() if g is not None)
        return canonical.as_math(_right_side(inner))
    return canonical.last_number(text)


def _letter(text: str, choices: Sequence[str]) -> str | None:
    """The option that a statement names: its letter, or its text."""
    last = chr(ord("A") + (len(choices) or 10) - 1)
    text = text.replace("*", "").replace("\\text", "").replace("\\mathrm", "").strip()
    words = canonical.as_text(text)
    for i, choice in enumerate(choices):
        if words == canonical.as_text(choice):
            return chr(ord("A") + i)
    lower = last.lower()
    for pattern in (
        rf"^\W*(?:option\s+|choice\s+)?([A-{last}a-{lower}])\W*$",
        rf"^\W*(?:option\s+|choice\s+)?([A-{last}])[).:,]",
        rf"\(([A-{last}a-{lower}])\)",
        rf"\b(?:option|choice)\s+([A-{last}])\b",
        rf"(?<![\w'])([B-HJ-{last}])(?![\w'])" if last > "J" else rf"(?<![\w'])([B-{max(last, 'B')}])(?![\w'])",
    ):
        found = re.search(pattern, text)
        if found:
            return found.group(1).upper()
    named = [i for i, c in enumerate(choices) if canonical.as_text(c) and canonical.as_text(c) in words]
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def _choice(text: str, choices: Sequence[str]) -> str | None:
    for statement, _ in statements(text):
        letter = _letter(statement, choices)
        if letter is not None:
            return letter
    lines = [line for line in text.splitlines() if line.strip()]
    return _letter(lines[-1], choices) if lines else None


def stated(text: str) -> str | None:
    """The last statement, else the last line that is not empty; None where there is neither."""
    for statement, _ in statements(text):
        return statement
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else None


def as_exact(answer: str) -> str | None:
    """`answer` without the quotes and spaces around it, spaces within made one; None where nothing is left."""
    answer = re.sub(r"\s+", " ", answer).strip()
    while len(answer) > 1 and answer[0] == answer[-1] and answer[0] in "\"'`*":
        answer = answer[1:-1].strip()
    return answer if 0 < len(answer) <= canonical.LONGEST else None


def _as_auto(answer: str) -> str | None:
    if canonical.as_number(answer) is not None or re.search(r"[\\^=]|^\W*\d", answer):
        return canonical.as_math(answer)
    return as_exact(answer.strip().strip("*").rstrip("."))


def _auto(text: str) -> str | None:
    for statement, delimited in statements(text):
        if not delimited and not _INLINE.search(statement):
            statement = _SENTENCE_END.split(statement, maxsplit=1)[0]
        elif not delimited:
            return _math(text)
        return _as_auto(statement if _LIST.search(statement) else _right_side(statement))
    last = stated(text)
    return None if last is None else canonical.last_number(last) or _as_auto(last)


def extract(text: str, kind: Kind = "math", *, choices: Sequence[str] = ()) -> str | None:
    """The canonical answer that a solution states, or None.

    choices: the texts of the options A, B, …, so that a solution may name one by its text (kind `choice`)."""
    shown = visible(text)
    if shown is None:
        return None
    shown = shown[-_TAIL:]
    if kind == "number":
        return _number(shown)
    if kind == "math":
        return _math(shown)
    if kind == "choice":
        return _choice(shown, choices)
    if kind == "auto":
        return _auto(shown)
    statement = stated(shown)
    return None if statement is None else as_canonical(statement, kind)


def as_canonical(answer: str, kind: Kind, *, choices: Sequence[str] = ()) -> str | None:
    """The canonical form of a bare answer (a gold answer, say); None where it is none of this kind."""
    if kind == "number":
        return canonical.as_number(answer)
    if kind == "math":
        return canonical.as_math(answer)
    if kind == "choice":
        return _letter(answer, choices)
    if kind == "auto":
        return _as_auto(answer)
    if kind == "exact":
        return as_exact(answer)
    return canonical.as_text(answer)[: canonical.LONGEST] or None


def grade(answer: str | None, gold: str, kind: Kind = "math", *, choices: Sequence[str] = ()) -> float:
    """1.0 where a canonical answer equals the gold answer, else 0.0."""
    if answer is None:
        return 0.0
    wanted = as_canonical(gold, kind, choices=choices)
    if wanted is None:
        return 0.0
    return float(answer == wanted or (kind == "math" and canonical.same_math(answer, wanted)))


def checked(kind: str) -> Kind:
    """`kind` itself. Raises UsageError where it is none."""
    for known in KINDS:
        if kind == known:
            return known
    raise UsageError(f"{kind!r} is no kind of answer", f"Use one of {', '.join(KINDS)}")


def extractor(kind: str, choices: Sequence[str] = ()) -> Callable[[str], str | None]:
    """`extract` for one kind, as `Problem.extract` wants it. Raises UsageError for an unknown kind."""
    known = checked(kind)
    return lambda text: extract(text, known, choices=choices)


def grader(gold: str, kind: Kind, choices: Sequence[str] = ()) -> Callable[[str], float]:
    """`grade` for one gold answer, as `Problem.grader` wants it."""
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
