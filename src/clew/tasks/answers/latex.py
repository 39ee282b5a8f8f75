r"""Normalises LaTeX and plain-text formulas to the one spelling that the LaTeX parser reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TEXT = r"\\(?:text|mathrm|mbox|textbf|mathbf|textit)"
_UNIT = r"\\(?:text|mathrm|mbox)(?![a-zA-Z])"  # `4\text{ hours }30\text{ minutes}` is no number with a unit
_SPELLINGS = [
    (re.compile(r"\\(?:left|right|displaystyle|textstyle|limits|bigl?|bigr?|Bigl?|Bigr?)(?![a-zA-Z])"), ""),
    (re.compile(r"(?<![\\a-zA-Z])sqrt\s*\(([^()]*)\)|√\s*\(([^()]*)\)|√\s*(\w+)"), r"\\sqrt{\1\2\3}"),
    (re.compile(r"(?<![\\a-zA-Z])pi\b|π"), r"\\pi "),
    (re.compile(r"(?<![\\a-zA-Z])(?:inf|infinity)\b|∞"), r"\\infty "),
    (re.compile(r"∪"), r"\\cup "),
    (re.compile(r"∅|\\varnothing\b"), r"\\emptyset "),
    (re.compile(r"±"), r"\\pm "),
    (re.compile(r"∩"), r"\\cap "),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"[·×∙]|\\times\b|\\cdot\b"), "*"),
    (re.compile(r"\\geq?(?:slant)?(?![a-zA-Z])|≥|>="), r" \\ge "),
    (re.compile(r"\\leq?(?:slant)?(?![a-zA-Z])|≤|<="), r" \\le "),
    (re.compile(r"\\neq?(?![a-zA-Z])|≠|!="), r" \\ne "),
    (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    (re.compile(_TEXT + r"\s*\{\s*(?:and|or)\s*\}|\s(?:and|or)\s"), ","),
    (
        re.compile(rf"^((?:(?!{_UNIT}).)*[\d}}])\s*{_UNIT}\s*\{{[^{{}}]*\}}(?:\s*\^\s*\{{?[23]\}}?)?\s*$", re.DOTALL),
        r"\1",
    ),
    (re.compile(_TEXT + r"\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°|\\?%"), ""),
    (re.compile(r"\\\{"), "{"),
    (re.compile(r"\\\}"), "}"),
]
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\s+|.", re.DOTALL)
_MIXED = re.compile(r"(?<![\d.^_a-zA-Z])(\d{1,9})\s*\\frac\{(\d{1,9})\}\{(\d{1,9})\}")  # 3\frac{1}{2} is 3 + 1/2
_ARGUMENTS = {r"\frac": 2, r"\binom": 2, r"\sqrt": 1}
_UNITS = "cm|mm|km|kg|mg|ft|in|hr|hrs|min|sec|mi|yd|lb|lbs|oz|pm|am|st|nd|rd|th|is|no|an|of|to|at|by|we|so|he|it|my|up"
_PRODUCT = re.compile(rf"(?<![\\a-zA-Z])(?!(?:{_UNITS})\b)[a-z]{{2,3}}(?![a-zA-Z(])")


def spelled(text: str) -> str:
    r"""`text` with one spelling for each symbol, and braces around every argument of `\frac`, `\binom` and `\sqrt`."""
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    return _MIXED.sub(_sum, _braced(iter(_TOKEN.findall(text))))


def _sum(mixed: re.Match[str]) -> str:
    whole, above, below = mixed.groups()
    proper = int(above) < int(below)
    return rf"({whole}+\frac{{{above}}}{{{below}}})" if proper else mixed.group()


def products(text: str) -> str:
    """`text` with `2xy` as `2x y`: letters side by side are a product where a formula surrounds them."""
    if not re.search(r"[\d^+=*/_]", text) or re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}", text):
        return text
    return _PRODUCT.sub(lambda match: " ".join(match.group()), text)


def squeezed(text: str) -> str:
    r"""`text` without spaces, but for those that end the name of a command: `\pi i` is not `\pii`."""
    return re.sub(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])|\s+", lambda m: f"{m.group(1)} " if m.group(1) else "", text)


def _braced(tokens: Iterator[str]) -> str:
    return "".join(_with_arguments(token, tokens) for token in tokens)


def _with_arguments(command: str, tokens: Iterator[str]) -> str:
    count = _ARGUMENTS.get(command, 0)
    out = command
    while count:
        argument = next((t for t in tokens if not t.isspace()), None)
        if argument is None:
            break
        if argument == "[" and out == r"\sqrt":
            out += "[" + _until("]", tokens)
        elif argument == "{":
            out, count = out + "{" + _until("}", tokens), count - 1
        else:
            out, count = f"{out}{{{_with_arguments(argument, tokens)}}}", count - 1
    return out


def _until(close: str, tokens: Iterator[str]) -> str:
    """The rest of a group with its closing bracket, arguments in braces."""
    out = ""
    for piece in tokens:
        if piece == "{":
            out += "{" + _until("}", tokens)
        else:
            out += _with_arguments(piece, tokens)
            if piece == close:
                break
    return out
