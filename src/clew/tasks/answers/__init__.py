"""Answers: what a solution states, in canonical form, and whether two of them are the same."""

from clew.tasks.answers.expressions import SECONDS, Late, bounded
from clew.tasks.answers.kinds import (
    KINDS,
    UNKNOWN,
    Kind,
    as_canonical,
    checked,
    extract,
    extract_or_unknown,
    extractor,
    grade,
    grader,
    request,
)
from clew.tasks.answers.numbers import as_number
from clew.tasks.answers.statements import stated, statements
from clew.tasks.answers.words import as_exact
from clew.thinking import THINK_CLOSE, THINK_OPEN, visible

__all__ = [
    "KINDS",
    "SECONDS",
    "THINK_CLOSE",
    "THINK_OPEN",
    "UNKNOWN",
    "Kind",
    "Late",
    "as_canonical",
    "as_exact",
    "as_number",
    "bounded",
    "checked",
    "extract",
    "extract_or_unknown",
    "extractor",
    "grade",
    "grader",
    "request",
    "stated",
    "statements",
    "visible",
]
