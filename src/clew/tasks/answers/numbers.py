"""Finds numbers in running text and spells each in one way, as an exact fraction: `12`, `0.5`, `1/3`."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

from clew.tasks.lexicon import NUMBERS

DIGITS = 100  # digits of the longest number

_INT = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d{2})+,\d{3}(?!\d)|\d+)"  # 1,234,567 or, as in India, 12,34,567
_DEC = rf"(?:{_INT}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{{1,3}}(?!\w))?"
_SIGN = r"(?:(?<![\w)\]}])(?:[-+](?=\S)|(?<![\w)\]}]\s)[-+]\s+))?"
NUMBER = re.compile(rf"{_SIGN}\$?\s?{_SIGN}(?:(?P<whole>{_INT})\s+)?(?P<num>{_DEC})(?:\s*/\s*(?P<den>{_DEC}))?")
"""One number in running text, with its sign, currency and denominator."""

_PLAIN_SUBSTITUTIONS = [
    (re.compile(r"[−–‒﹣-]"), "-"),
    (re.compile(r"\{,\}|(?<=\d),\s?\\!\s?(?=\d)"), ","),
    (re.compile(r"(?<!\\)\\[,!;: ]|[\u00a0\u202f\u2009]|(?<=\d)~(?=\d)"), " "),
    (re.compile(r"(?<=\d) (?=\d{3}(?:\D|$))(?<!\.\d )(?<!\.\d\d )|(?<=\d)_(?=\d{3}(?!\d))"), ""),
    (re.compile(r"\\\$|[€£¥₹]|\\(?:pounds|euro)\b"), "$"),
    (re.compile(r"\\[dtc](frac|binom)"), r"\\\1"),
]
_FRACTION = r"\\frac\s?(?:\{\s?(%s)\s?\}|(\d))\s?(?:\{\s?([\d.]+)\s?\}|(\d))"
_NUMERIC_SUBSTITUTIONS = [
    (re.compile(r"(?<=\d)\s?" + _FRACTION % r"\d+"), r" \1\2/\3\4"),
    (re.compile(r"-\s?" + _FRACTION % r"[\d.]+"), r"-\1\2/\3\4"),
    (re.compile(_FRACTION % r"-?\s?[\d.]+"), r"\1\2/\3\4"),
    (
        re.compile(
            r"(?<=\d)\s?(?:\\times|\\cdot|[×·∙*x])\s?10\s?(?:\^|\*\*)\s?(?:\{\s?([-+]?\d{1,2})\s?\}|([-+]?\d{1,2}))(?!\d)"
        ),
        r"e\1\2",
    ),
]
_VULGAR = re.compile(r"(\d)?\s?([¼-¾⅐-⅞↉])")
_REPEATING = re.compile(r"(?<![\d.])(\d{0,20})\.(\d{0,20})\\(?:overline|bar|dot)\s?(?:\{(\d{1,20})\}|(\d))")
_RAISED = re.compile(r"[⁺⁻]?[⁰¹²³⁴-⁹]+")
_LOWERED = re.compile(r"[₀-₉]+")

WORDS = {w: i for i, w in enumerate(NUMBERS)}
_WORD = re.compile(rf"\b(?:{'|'.join(NUMBERS)})\b", re.IGNORECASE)


def plain(text: str) -> str:
    """`text` with minus signs, separators, currencies and Unicode fractions, powers and indices in one spelling."""
    text = _REPEATING.sub(_repeating, _VULGAR.sub(_vulgar, text))
    text = _RAISED.sub(lambda match: f"^{{{unicodedata.normalize('NFKC', match.group()).replace('−', '-')}}}", text)
    text = _LOWERED.sub(lambda match: f"_{{{unicodedata.normalize('NFKC', match.group())}}}", text)
    for pattern, replacement in _PLAIN_SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    return text


def _vulgar(match: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", match.group(2)).replace("⁄", "/")
    return f"{match.group(1)} {fraction}" if match.group(1) else f" {fraction}"


def _repeating(match: re.Match[str]) -> str:
    r"""`0.1\overline{6}` as the fraction that it is."""
    whole, fixed, again = match.group(1), match.group(2), match.group(3) or match.group(4)
    value = Fraction(
        int(f"0{whole}{fixed}{again}") - int(f"0{whole}{fixed}"), 10 ** len(fixed) * (10 ** len(again) - 1)
    )
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _numeric(text: str) -> str:
    r"""`plain` text with `\frac{1}{2}` as `1/2` and `5 \times 10^3` as `5e3`: for what is read as numbers alone."""
    text = plain(text)
    for pattern, replacement in _NUMERIC_SUBSTITUTIONS:
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


_ROUNDED = 6  # significant digits from which on a decimal may stand for a number that it is not


def close(one: Fraction, other: Fraction) -> bool:
    """Whether two numbers are equal, or one of them is the other rounded or cut to at least six digits.

    one, other: the numbers, in either order.
    """
    return one == other or _rounds(one, other) or _rounds(other, one)


def _rounds(decimal: Fraction, number: Fraction) -> bool:
    """Whether `decimal` has a fractional part of finite length, and is `number` to that many places."""
    twos = fives = 0
    rest = decimal.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    scale = 10 ** max(twos, fives)
    digits = abs(decimal * scale)
    if rest != 1 or scale == 1 or digits < 10 ** (_ROUNDED - 1):
        return False
    wanted = abs(number) * scale
    return decimal * number > 0 and (digits == wanted.numerator // wanted.denominator or digits == round(wanted))


def value_of(match: re.Match[str]) -> Fraction | None:
    """The value of a number that was found in a text; None where it is too long, or divides by zero."""
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


_COLON_AFTER = re.compile(r":\d")
_COLON_BEFORE = re.compile(r"\d:")
_ALONE = re.compile(_SIGN + r"\$?\s?" + _SIGN + rf"(?P<whole>(?!))?(?P<num>{_DEC})(?P<den>(?!))?")


def _numbers(text: str) -> Iterator[re.Match[str]]:
    """The numbers of a text but for the parts of clock times and ratios: `12:45` is not 12."""
    position = 0
    while match := NUMBER.search(text, position):
        if match.group("whole") and not match.group("den"):  # two numbers side by side, not a mixed one
            match = _ALONE.search(text, match.start())
            if match is None:
                return
        position = match.end()
        if not (_COLON_AFTER.match(text, position) or _COLON_BEFORE.match(text, match.start() - 2)):
            yield match


def first_number(text: str) -> str | None:
    """The first number in `text`, else the first number word up to twelve, canonical; None without any."""
    text = _numeric(text)
    for match in _numbers(text):
        value = value_of(match)
        return None if value is None else show(value)
    word = _WORD.search(text)
    return str(WORDS[word.group().lower()]) if word else None


def last_number(text: str) -> str | None:
    """The last number in `text`, canonical; None without any."""
    last = deque(_numbers(_numeric(text)), maxlen=1)
    value = value_of(last[0]) if last else None
    return None if value is None else show(value)


_LONGEST = 4 * DIGITS  # characters of a number with its unit
_NAME = re.compile(r"[a-zA-Z]\s*=\s*")
_UNIT = re.compile(
    r"(?:\\?%|\^?\s*\{?\s*\\circ\s*\}?|°|\s*\\(?:text|mathrm|mbox)\s*\{[^{}]*\}|\s[a-zA-Z][a-zA-Z ]+)?\s*\.?"
)


def as_number(answer: str) -> str | None:
    """`answer` canonical where all of it is one number, with or without currency, per cent sign or unit."""
    answer = answer.strip().strip("$").strip()
    if len(answer) > _LONGEST:
        return None
    text = _numeric(answer).strip()
    name = _NAME.match(text)
    found = NUMBER.match(text, name.end() if name else 0)
    if found is None or not _UNIT.fullmatch(text, found.end()) or (found.group("whole") and not found.group("den")):
        return None
    value = value_of(found)
    return None if value is None else show(value)
