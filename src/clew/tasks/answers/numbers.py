"""Numbers in running text, in one spelling: exact fractions, shown as `12`, `0.5` or `1/3`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

from clew.tasks.lexicon import NUMBERS

DIGITS = 100  # digits of the longest number

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

WORDS = {w: i for i, w in enumerate(NUMBERS)}
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


def value_of(match: re.Match[str]) -> Fraction | None:
    if len(match.group()) > DIGITS or re.search(r"[eE][-+]?\d{3}", match.group()):
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
        value = value_of(match)
        return None if value is None else show(value)
    word = _WORD.search(text)
    return str(WORDS[word.group().lower()]) if word else None


def last_number(text: str) -> str | None:
    """The last number in `text`, canonical; None without any."""
    last = deque(_numbers(plain(text)), maxlen=1)
    value = value_of(last[0]) if last else None
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
    value = value_of(found)
    return None if value is None else show(value)
