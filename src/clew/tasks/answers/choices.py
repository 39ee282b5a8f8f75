"""Reads which of several options (A, B, C, …) a solution chooses, by its letter or its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clew.tasks.answers.statements import ASIDE, statements
from clew.tasks.answers.words import plain_words

_FORMAT = re.compile(r"\*|\\(?:text|textbf|mathrm|mathbf|mbox)(?![a-zA-Z])")
_EITHER = r"(?:\s{0,8}(?:,|/|&|\b(?:and|or|nor)\b)\s{0,8}\(?[{letters}]\)?(?![\w'’]))"
_SETTLED = (
    r"\b(?:option|choice|answer|get|gives?|leaves?|leaving|left with|choose|chose|pick|select|with|be|is|so|thus|hence"
    r"|therefore)\b[\s:,]{0,8}(?:option|choice)?\s{0,8}\(?(?P<letter>[{letters}])\)?(?![\w'’])"
)


def as_choice(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option that a statement names; None where it names none or several.

    text: the statement, without the reasoning before it.
    choices: the texts of the options A, B, …; without them the options are A to J.
    """
    return next(iter(named), None) if len(named := _named(text, choices)) == 1 else None


def _letters(choices: Sequence[str]) -> str:
    return f"A-{chr(ord('A') + (len(choices) or 10) - 1)}"


def _named(text: str, choices: Sequence[str]) -> set[str]:
    """The letters of all options that a statement names as right."""
    text = _FORMAT.sub("", text).strip()
    words = plain_words(text)
    for i, choice in enumerate(choices):
        if words == plain_words(choice):
            return {chr(ord("A") + i)}
    letters = _letters(choices)
    marked = rf"[\W_]{{0,8}}(?:option\s|choice\s)?[\W_]{{0,8}}([{letters}])"
    alone = re.fullmatch(rf"{marked}[\W_]{{0,8}}", text, re.IGNORECASE)
    if alone:
        return {alone.group(1).upper()}
    labelled = re.match(rf"{marked}[).:]{{1,4}}\s?(.*)", text, re.DOTALL)
    if labelled and not re.match(rf"\W{{0,8}}(?:and|or|nor)?\W{{0,8}}[{letters}]\b(?!\s[a-z])", labelled.group(2)):
        return {labelled.group(1)}
    claim = ASIDE.split(text, maxsplit=1)[0]
    found = set(re.findall(rf"\(([{letters}{letters.lower()}])\)", claim))
    if not found:
        # "A" before a word is an article and "I" is the speaker, unless the word "option" comes before.
        found = set(re.findall(rf"\b(?:[Oo]ption|[Cc]hoice)\s([{letters}])\b", claim))
        found |= {m for m in re.findall(rf"(?<![\w'’])([{letters}])(?![\w'’])", claim) if m not in "AI"}
        found |= set(re.findall(r"(?<![\w'’])(A(?![\w'’]|\s[a-z])|A(?=\s(?:and|or|nor)\b))", claim))
    if found:
        return {letter.upper() for letter in found} if not re.search(r"\b(?:neither|not)\b", claim, re.I) else set()
    named = [i for i, c in enumerate(choices) if plain_words(c) and plain_words(c) in words]
    return {chr(ord("A") + i) for i in named}


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the option that a solution chooses; None where it chooses none, or leaves several open.

    text: the solution; its last explicit statement decides, else its last line.
    choices: the texts of the options A, B, …; without them the options are A to J.
    """
    for statement, _ in statements(text):
        named = _named(statement, choices)
        if named:
            return next(iter(named)) if len(named) == 1 else None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    last = _FORMAT.sub("", lines[-1])
    letters = _letters(choices)
    settled = list(re.finditer(_SETTLED.replace("{letters}", letters), last))
    for match in reversed(settled):
        letter = match.group("letter")
        rest = last[match.end() :]
        if letter in "AI" and re.match(r"\s[a-z]", rest):
            continue
        if re.match(_EITHER.replace("{letters}", letters), rest):
            return None
        return letter
    return as_choice(last, choices)
