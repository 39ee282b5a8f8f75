"""What several commands say of a finished search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clew.budget import AXES
from clew.cli.output import to_stderr

if TYPE_CHECKING:
    from clew.result import Result


def say_unasked(roles: Iterable[str], results: Sequence[Result]) -> None:
    """Say which roles were given a model that no search asked: a role with a mistyped name is one of them."""
    asked = {role for result in results for _, role in result.usage.parts}
    for role in roles:
        if results and role not in asked:
            to_stderr().print(
                f"nothing asked the model of the role {role}; `clew show` says which roles a search has",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )


def result_data(result: Result) -> dict[str, Any]:
    """A search as plain data."""
    answer = result.answer
    return {
        "problem": result.problem.id,
        "method": result.method,
        "seed": result.seed,
        "answer": answer.value,
        "text": answer.text,
        "confidence": answer.confidence,
        "votes": dict(answer.votes),
        "status": str(answer.status),
        "grade": result.grade,
        "usage": result.usage.as_dict(),
        "total": {axis: result.usage.along(axis) for axis in AXES},
        "nodes": len(result.tree),
    }
