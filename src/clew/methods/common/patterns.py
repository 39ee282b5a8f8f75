"""Finding the first of thousands of banned strings and regular expressions in a growing text."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.errors import UsageError

REACH = 256
"""How far before new text, in characters, a match of a regular expression may begin."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a pattern matches: text[start:end]."""

    start: int
    end: int
    pattern: str


class Patterns:
    """Many patterns as one automaton (Aho-Corasick over the strings) and one regular expression.

    strings: found whatever their case, and only as whole words: not with a letter, digit or underscore directly beside
    a first or last character that is one too. regexes: in Python's syntax, without numbered back references.

    Raises UsageError for an empty pattern and for a regular expression that is none.
    """

    def __init__(self, strings: Sequence[str] = (), regexes: Sequence[str] = ()) -> None:
        self._strings = list(dict.fromkeys(strings))
        self._regexes = list(regexes)
        if not all(isinstance(p, str) and p for p in (*self._strings, *self._regexes)):
            raise UsageError("a pattern must be a text that is not empty", "Take the others out of the list")
        self._automaton = None
        if self._strings:
            from ahocorasick_rs import AhoCorasick

            self._automaton = AhoCorasick([_lower(s) for s in self._strings])
        self._regex = _combined(self._regexes)
        longest = max(map(len, self._strings), default=0)
        self.reach = max(longest, REACH if self._regexes else 0)
        """How far before the end of a text a match that is not there yet may begin, in characters."""

    def __len__(self) -> int:
        return len(self._strings) + len(self._regexes)

    def first(self, text: str, *, old: int = 0, ended: bool = True, passing: Collection[int] = ()) -> Occurrence | None:
        """The match that begins first, the longest of them.

        old: so many characters have been searched before. ended: whether the text is whole; if not, a match that
        reaches its end is not taken yet, since what follows may make it another word. passing: where matches that do
        not count begin.
        """
        found = [
            m
            for m in self._matches(text, max(0, old - self.reach))
            if m.start not in passing and (ended or m.end < len(text))
        ]
        return min(found, key=lambda m: (m.start, -m.end), default=None)

    def _matches(self, text: str, start: int) -> Iterator[Occurrence]:
        if self._automaton is not None:
            for i, a, b in self._automaton.find_matches_as_indexes(_lower(text[start:]), overlapping=True):
                a, b = a + start, b + start
                if not (_joined(text, a) or _joined(text, b)):
                    yield Occurrence(a, b, self._strings[i])
        if self._regex is not None:
            for m in self._regex.finditer(text, start):
                if m.end() > m.start():
                    which = next(i for i in range(len(self._regexes)) if m.group(f"regex_{i}") is not None)
                    yield Occurrence(m.start(), m.end(), self._regexes[which])


def read(patterns: str | Sequence[str]) -> Sequence[str]:
    """A list of patterns, or what a file holds: a JSON list, or one pattern a line.

    Raises UsageError for a file that cannot be read.
    """
    if not isinstance(patterns, str):
        return patterns
    try:
        content = Path(patterns).read_text(encoding="utf-8")
        lines = json.loads(content) if content.lstrip().startswith("[") else content.splitlines()
    except OSError as error:
        raise UsageError(
            f"cannot read the patterns in {patterns}: {error.strerror}", 'Give a file, or a list: ["…", "…"]'
        ) from error
    except ValueError as error:
        raise UsageError(f"{patterns} holds no list of patterns ({error})", "One a line, or a JSON list") from error
    # The lists in circulation wrap each phrase in a list of its own.
    flat = [entry[0] if isinstance(entry, list) and entry else entry for entry in lines]
    return [str(entry) for entry in flat if entry != ""]


def _combined(regexes: Sequence[str]) -> re.Pattern[str] | None:
    for regex in regexes:
        try:
            re.compile(regex)
        except re.error as error:
            raise UsageError(
                f"{regex!r} is not a regular expression ({error})", "Write it as for Python's re"
            ) from error
        if re.search(r"(?<!\\)(?:\\\\)*\\[1-9]", regex):
            raise UsageError(f"{regex!r} refers back by number", "Name the group: (?P<x>…) and (?P=x)")
    if not regexes:
        return None
    try:
        return re.compile("|".join(f"(?P<regex_{i}>{_scoped(regex)})" for i, regex in enumerate(regexes)))
    except re.error as error:
        raise UsageError(f"the regular expressions do not go together ({error})", "Give groups other names") from error


def _scoped(regex: str) -> str:
    """The regular expression with the flags at its beginning on itself alone."""
    flags = re.match(r"\(\?([aimsux]+)\)", regex)
    return f"(?{flags[1]}:{regex[flags.end() :]})" if flags else regex


def _lower(text: str) -> str:
    """Lower case, character by character, so that places in the text stay what they are."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) > 1 else c.lower() for c in text)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after this place belong to one word."""
    return 0 < at < len(text) and _wordy(text[at - 1]) and _wordy(text[at])


def _wordy(character: str) -> bool:
    return character.isalnum() or character == "_"
