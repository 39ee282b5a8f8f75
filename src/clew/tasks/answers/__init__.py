"""Answers: what a solution states, in canonical form, and whether two of them are the same."""

from clew.tasks.answers.answers import (
    KINDS,
    THINK_CLOSE,
    THINK_OPEN,
    UNKNOWN,
    Kind,
    as_canonical,
    as_exact,
    checked,
    extract,
    extract_or_unknown,
    extractor,
    grade,
    grader,
    stated,
    statements,
    visible,
)

__all__ = [
    "KINDS",
    "THINK_CLOSE",
    "THINK_OPEN",
    "UNKNOWN",
    "Kind",
    "as_canonical",
    "as_exact",
    "checked",
    "extract",
    "extract_or_unknown",
    "extractor",
    "grade",
    "grader",
    "stated",
    "statements",
    "visible",
]
