"""What the problem's own checks say, of answers and of partial solutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clew.errors import UsageError
from clew.registry import scorer
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Scorer, Search


class _StepVerifier:
    name = "step_verifier"

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        check = search.problem.step_verifier
        if check is None:
            raise UsageError(
                f"step_verifier needs a task whose steps can be checked, and {search.problem.family} is none",
                "Use a puzzle (`clew list tasks`), or another scorer",
            )
        return [float(check(node.solution)) for node in nodes]


@scorer("step_verifier", family="verifier", needs={"step_verifier"}, proof="tests/scorers/test_verifier.py")
def step_verifier() -> Scorer:
    """Whether the solution so far is sound, in [0, 1], as the problem can check it (puzzles)."""
    return _StepVerifier()


class _Verifier:
    name = "verifier"

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        check = search.problem.verifier
        if check is None:
            raise UsageError(
                f"verifier needs a task that can check an answer, and {search.problem.family} is none",
                "Use a task with a verifier (`clew list tasks`), or another scorer",
            )
        answers = [search.problem.extract(node.solution) for node in nodes]
        return [0.0 if answer is None else float(check(answer)) for answer in answers]


@scorer("verifier", family="verifier", needs={"verifier"}, proof="tests/scorers/test_verifier.py")
def verifier() -> Scorer:
    """What the task's verifier says of the stated answer, in [0, 1]; 0 without one."""
    return _Verifier()
