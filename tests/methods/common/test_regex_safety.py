"""A regular expression that can backtrack without end is refused before it is used, and others are not."""

from __future__ import annotations

import pytest

from clew.errors import UsageError
from clew.methods.common.patterns import Patterns

ENDLESS = (
    r"(a+)+$",
    r"(a|aa)+$",
    r"(a|a?)+$",
    r"(.*)*x",
    r"(\w+\s?)*$",
    r"(x+x+)+y",
    r"((a)*)*b",
    r"(.*a){20}",
    r"(a?){30}a{30}",
    r"(?:a|b|ab)+c",
    r"(?i)(?:so|SO|no)+b",
    r"foo(?:\s*\w+)+!",
    r"(?:\d+,?)+;",
    r"(?P<x>a+)(?:(?P=x)+)+b",
    r"(?=(a+)+b)a",
    r"(?>(a+)+b)",
)
FINE = (
    r"\bnot\b .{3,60}? but .{3,60}? rather .*",
    r"(?:\w+\s)+",
    r"(?:(?:very|vastly|so)\s+)+good",
    r"(?:\s*[-*]\s*\w+\n)+",
    r"(?:[^.]*\.){3}",
    r"(?:.*\n){3}",
    r"(?:no,? )+",
    r"(?:a++)+$",
    r"(?P<x>\w)(?P=x)",
    r"[A-Z][a-z]+(?:[A-Z][a-z]+)*",
    r"(?<=x)a+(?!b)",
    r"x{2,5}y*",
)


@pytest.mark.parametrize("regex", ENDLESS)
def test_what_multiplies_is_refused_in_one_line(regex: str) -> None:
    with pytest.raises(UsageError, match="can take for ever") as error:
        Patterns(regexes=[regex])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("regex", FINE)
def test_what_does_not_is_used(regex: str) -> None:
    assert len(Patterns(regexes=[regex])) == 1
