r"""Whether a regular expression can backtrack without end, as `(a+)+$` does: found in its syntax, before it is used.

Python's `re` tries every way in which an expression can match a text before it says that none does. Where a repeated
part can match the same text in two ways, those ways multiply with each repetition. That is so where, inside of a loop,
another loop or an optional part goes on with characters that may also come after it, or where two alternatives begin
alike. (Weideman et al., Analyzing Matching Time Behavior of Backtracking Regular Expression Matchers, CIAA 2016, call
it exponential ambiguity; the test here is stricter than theirs, and needs no automaton.)
"""

from __future__ import annotations

import re
from itertools import combinations
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from clew.errors import UsageError

Characters = frozenset[str]

_CATEGORIES = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}
_LOOPS = (ops.MAX_REPEAT, ops.MIN_REPEAT)


def check_ends(regex: str) -> None:
    """Raise UsageError for a regular expression that can backtrack without end. It is taken to be well formed."""
    if _Reading(regex).ambiguous(parser.parse(regex), frozenset(), looping=False):
        raise UsageError(
            f"{regex!r} can take for ever: what it repeats can match the same text in more than one way",
            r"Let what follows a loop differ from what is in it, as in (?:\w+\s)+, or make that loop possessive: a++",
        )


class _Reading:
    """The characters of one regular expression."""

    def __init__(self, regex: str) -> None:
        flags = "".join(re.findall(r"\(\?([aiLmsux]+)[-:)]", regex))
        self._any_case = "i" in flags
        self._all = self._cased(frozenset(map(chr, range(256))) | frozenset(regex))
        self._dot = self._all if "s" in flags else self._all - {"\n"}

    def ambiguous(self, items: Any, after: Characters, *, looping: bool) -> bool:
        """Whether parts of a sequence multiply. after: what may come behind it. looping: whether it is in a loop."""
        for op, value in reversed(list(items)):
            first, may_be_empty = self._first([(op, value)])
            if op in _LOOPS:
                low, high, body = value
                if looping and low < high and first & after:
                    return True
                again = high > 1
                if self.ambiguous(body, after | first if again else after, looping=looping or again):
                    return True
            elif op is ops.POSSESSIVE_REPEAT:
                if self.ambiguous(value[2], frozenset(), looping=False):
                    return True
            elif op is ops.BRANCH:
                if looping and any(self._alike(one, other) for one, other in combinations(value[1], 2)):
                    return True
                if any(self.ambiguous(branch, after, looping=looping) for branch in value[1]):
                    return True
            elif op is ops.SUBPATTERN:
                if self.ambiguous(value[3], after, looping=looping):
                    return True
            elif op is ops.ATOMIC_GROUP:
                if self.ambiguous(value, frozenset(), looping=False):
                    return True
            elif op in (ops.ASSERT, ops.ASSERT_NOT) and self.ambiguous(value[1], frozenset(), looping=False):
                return True
            after = first | after if may_be_empty else first
        return False

    def _alike(self, one: Any, other: Any) -> bool:
        """Whether two alternatives can match the same text: words of which one begins the other, or others that begin
        with the same character."""
        texts = [branch for branch in (one, other) if all(op is ops.LITERAL for op, _ in branch)]
        words = [[self._one(op, value) for op, value in text] for text in texts]
        if len(words) == 2:
            size = min(map(len, words))
            return bool(words[0][:size] == words[1][:size])
        (first, empty), (second, empty_too) = self._first(one), self._first(other)
        return bool(first & second) or (empty and empty_too)

    def _first(self, items: Any) -> tuple[Characters, bool]:
        """The characters with which a sequence may begin, and whether it may be empty."""
        found: Characters = frozenset()
        for op, value in items:
            characters, may_be_empty = self._first_of(op, value)
            found |= characters
            if not may_be_empty:
                return found, False
        return found, True

    def _first_of(self, op: Any, value: Any) -> tuple[Characters, bool]:
        if op in _LOOPS or op is ops.POSSESSIVE_REPEAT:
            characters, may_be_empty = self._first(value[2])
            return characters, may_be_empty or value[0] == 0
        if op is ops.BRANCH:
            firsts = [self._first(branch) for branch in value[1]]
            return frozenset().union(*(first for first, _ in firsts)), any(empty for _, empty in firsts)
        if op is ops.SUBPATTERN:
            return self._first(value[3])
        if op is ops.ATOMIC_GROUP:
            return self._first(value)
        if op in (ops.AT, ops.ASSERT, ops.ASSERT_NOT):
            return frozenset(), True
        if op in (ops.GROUPREF, ops.GROUPREF_EXISTS):  # may be anything
            return self._all, True
        return self._one(op, value), False

    def _one(self, op: Any, value: Any) -> Characters:
        """The characters that one place of the expression matches."""
        if op is ops.LITERAL:
            return self._cased(frozenset(chr(value)))
        if op is ops.NOT_LITERAL:
            return self._all - self._cased(frozenset(chr(value)))
        if op is ops.ANY:
            return self._dot
        if op is ops.RANGE:
            low, high = value
            return self._cased(frozenset(c for c in self._all if low <= ord(c) <= high))
        if op is ops.CATEGORY:
            return frozenset(c for c in self._all if re.match(_CATEGORIES[value], c))
        negated = value[0][0] is ops.NEGATE
        inside: Characters = frozenset().union(*(self._one(*part) for part in value[negated:]))
        return self._all - inside if negated else inside

    def _cased(self, characters: Characters) -> Characters:
        if not self._any_case:
            return characters
        return characters | {c.lower() for c in characters} | {c.upper() for c in characters}
