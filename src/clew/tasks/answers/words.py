"""Answers that are words: exactly as they stand, or without regard to case and punctuation."""

from __future__ import annotations

import re

from clew.tasks.answers.statements import LONGEST


def plain_words(answer: str) -> str:
    """`answer` with case, spaces, quotes and final punctuation made one."""
    return re.sub(r"\s+", " ", answer).strip().strip("\"'`*.,;:! ").casefold()


def as_text(answer: str) -> str | None:
    """`plain_words`, cut at `LONGEST`; None where nothing is left."""
    return plain_words(answer)[:LONGEST] or None


def as_exact(answer: str) -> str | None:
    """`answer` without quotes, spaces and a final stop, spaces within made one; None where nothing is left."""
    answer = re.sub(r"\s+", " ", answer).strip()
    while len(answer) > 1 and answer[0] == answer[-1] and answer[0] in "\"'`*":
        answer = answer[1:-1].strip()
    answer = re.sub(r"(?<=\w)\.$", "", answer)
    return answer if 0 < len(answer) <= LONGEST else None
