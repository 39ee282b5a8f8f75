"""Search for the first of thousands of banned strings and regular expressions in a text that is being written."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.errors import UsageError
from clew.methods.common.regex_safety import check_ends

REACH = 256
"""How far before new text a match of a regular expression may begin, in characters; so far back the text is searched
again."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where a pattern matches: text[start:end]."""

    start: int
    end: int
    pattern: str


class Patterns:
    """Many patterns, searched for at once: the strings by one Aho-Corasick automaton, the others as one expression.

    strings: strings that are found in any case, and as whole words only: a match that begins or ends with a letter,
        digit or underscore has none directly beside it there.
    regexes: regular expressions in Python's syntax, without back references by number.

    Raises UsageError for an empty pattern, for text that is not a regular expression, and for a regular expression
    that can backtrack without end.
    """

    def __init__(self, strings: Sequence[str] = (), regexes: Sequence[str] = ()) -> None:
        self._strings = list(dict.fromkeys(strings))
        self._regexes = list(regexes)
        if not all(isinstance(p, str) and p for p in (*self._strings, *self._regexes)):
            raise UsageError(
                "the list of patterns has an entry that is not a text, or an empty one", "Take it out of the list"
            )
        self._automaton = None
        if self._strings:
            from ahocorasick_rs import AhoCorasick

            self._automaton = AhoCorasick([_lower(s) for s in self._strings])
        self._regex = _combined(self._regexes)
        longest = max(map(len, self._strings), default=0)
        self.reach = max(longest, REACH if self._regexes else 0)
        """How far before the end of a text a match may begin that what follows will complete, in characters."""

    def __len__(self) -> int:
        return len(self._strings) + len(self._regexes)

    def first(self, text: str, *, old: int = 0, ended: bool = True, passing: Collection[int] = ()) -> Occurrence | None:
        """The match that begins first, or the longest of those that begin there; None where nothing matches.

        text: the text.
        old: how many of its characters were searched before.
        ended: whether the text is complete. If it is not, a match that reaches its end does not count yet, since what
            follows may make another word of it.
        passing: the places where matches that do not count begin.
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
    """The patterns of a list, or of a file.

    patterns: a list of patterns, or the path of a file with a JSON list of them, or with one on each line.

    Raises UsageError for a file that cannot be read.
    """
    if not isinstance(patterns, str):
        return patterns
    try:
        content = Path(patterns).read_text(encoding="utf-8")
        lines = json.loads(content) if content.lstrip().startswith("[") else content.splitlines()
    except OSError as error:
        raise UsageError(
            f"the file of patterns {patterns} cannot be read: {error.strerror}", 'Give a file, or a list: ["…", "…"]'
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{patterns} is not a list of patterns: {error}", "Write one pattern on each line, or a JSON list"
        ) from error
    # The published lists of overused phrases have each phrase in a list of its own.
    flat = [entry[0] if isinstance(entry, list) and entry else entry for entry in lines]
    return [str(entry) for entry in flat if entry != ""]


def _combined(regexes: Sequence[str]) -> re.Pattern[str] | None:
    """One regular expression that matches what any of these does, each as a named group; None without any."""
    for regex in regexes:
        try:
            re.compile(regex)
        except re.error as error:
            raise UsageError(
                f"{regex!r} is not a regular expression: {error}", "Write it as for Python's module re"
            ) from error
        if re.search(r"(?<!\\)(?:\\\\)*\\[1-9]", regex):
            raise UsageError(
                f"{regex!r} refers to a group by its number, which changes when expressions are combined",
                "Name the group: (?P<x>…) and (?P=x)",
            )
        check_ends(regex)
    if not regexes:
        return None
    try:
        return re.compile("|".join(f"(?P<regex_{i}>{_scoped(regex)})" for i, regex in enumerate(regexes)))
    except re.error as error:
        raise UsageError(
            f"the regular expressions cannot be combined: {error}", "Give their groups different names"
        ) from error


def _scoped(regex: str) -> str:
    """The regular expression, with the flags at its beginning applied to it alone."""
    flags = re.match(r"\(\?([aimsux]+)\)", regex)
    return f"(?{flags[1]}:{regex[flags.end() :]})" if flags else regex


def _lower(text: str) -> str:
    """The text in lower case, with as many characters as before, so that places in it stay the same."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) > 1 else c.lower() for c in text)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and after a place belong to the same word."""
    return 0 < at < len(text) and _wordy(text[at - 1]) and _wordy(text[at])


def _wordy(character: str) -> bool:
    return character.isalnum() or character == "_"
