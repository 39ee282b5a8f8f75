"""Answers that name one of several options, by its letter or its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clew.tasks.answers.statements import statements
from clew.tasks.answers.words import plain_words


def as_choice(text: str, choices: Sequence[str]) -> str | None:
    """The option that a statement names: its letter, or its text."""
    last = chr(ord("A") + (len(choices) or 10) - 1)
    text = text.replace("*", "").replace("\\text", "").replace("\\mathrm", "").strip()
    words = plain_words(text)
    for i, choice in enumerate(choices):
        if words == plain_words(choice):
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
    named = [i for i, c in enumerate(choices) if plain_words(c) and plain_words(c) in words]
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def read_choice(text: str, choices: Sequence[str]) -> str | None:
    for statement, _ in statements(text):
        letter = as_choice(statement, choices)
        if letter is not None:
            return letter
    lines = [line for line in text.splitlines() if line.strip()]
    return as_choice(lines[-1], choices) if lines else None
