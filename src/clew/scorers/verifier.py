"""Scorers that ask the problem's own checks: the verifier of answers, and the verifier of partial solutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clew.errors import UsageError
from clew.parameters import Seed, Share
from clew.registry import scorer
from clew.sampling import Stream
from clew.scorers.base import PerNode, spelled
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Scorer, Search

PROOF = "tests/scorers/test_verifier.py"


@scorer("step_verifier", family="verifier", needs={"step_verifier"}, proof=PROOF, scale="probability")
def step_verifier(*, false_positive: Share = 0.0, false_negative: Share = 0.0, seed: Seed = 0) -> Scorer:
    """Whether the problem's own check finds the solution sound so far, in [0, 1]; it can be made to err.

    Which partial solutions are misjudged follows from the seed, the problem and the text. So the same text is always
    misjudged in the same way.

    false_positive: how often an unsound partial solution is misjudged: it scores what the last sound node on its path
        does.
    false_negative: how often a sound partial solution is misjudged: it scores 0.
    seed: what the choice of misjudged texts is derived from.

    Raises UsageError for a problem whose partial solutions cannot be checked.
    """

    def score(search: Search, node: Node) -> float:
        check = search.problem.step_verifier
        if check is None:
            raise UsageError(
                f"step_verifier needs a task whose steps can be checked, and those of {search.problem.family} cannot",
                "Use a puzzle (`clew list tasks` names them), or another scorer",
            )
        # 1. What the check says; without errors, that is the score.
        truth = float(check(node.solution))
        if not false_positive and not false_negative:
            return truth
        # 2. Whether this text is misjudged, which follows from the text alone.
        chance = Stream("noise", seed, search.problem.id, node.solution).generator().random()
        if truth > 0:
            return 0.0 if chance < false_negative else truth
        if chance >= false_positive:
            return 0.0
        # A misjudged unsound solution hides its error: it looks like the sound part that it began with.
        return next((value for n in node.ancestors() if (value := float(check(n.solution))) > 0), 1.0)

    name = spelled("step_verifier", false_positive=false_positive, false_negative=false_negative, seed=seed)
    return PerNode(name, score)


class _Verifier:
    name = "verifier"

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        check = search.problem.verifier
        if check is None:
            raise UsageError(
                f"verifier needs a task that can check an answer, and {search.problem.family} cannot",
                "Use a task with a verifier (`clew list tasks` names them), or another scorer",
            )
        answers = [search.problem.answer_in(node) for node in nodes]
        return [0.0 if answer is None else float(check(answer)) for answer in answers]


@scorer("verifier", family="verifier", needs={"verifier"}, proof=PROOF, scale="probability")
def verifier() -> Scorer:
    """What the task's verifier says of the stated answer, in [0, 1]; 0 where no answer is stated.

    Raises UsageError for a problem without a verifier.
    """
    return _Verifier()
