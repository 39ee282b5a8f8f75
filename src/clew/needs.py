"""What a method or a scorer may need: capabilities of the model, and checks that come with the problem."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from clew.errors import UsageError
from clew.problem import Problem


class Capability(StrEnum):
    """What a model can do."""

    TEXT = "text"  # generates text
    LOGPROBS = "logprobs"  # log-probabilities of the chosen tokens
    EXACT_STATS = "exact_stats"  # all of `Segment`'s statistics, from the full distribution
    PREFIX_SHARING = "prefix_sharing"  # computes a shared prefix once
    CONTINUE = "continue"  # truly continues a partial solution
    SCORE = "score"  # teacher forcing
    GRAMMAR = "grammar"
    HIDDEN = "hidden"
    STEER = "steer"
    VISION = "vision"
    EMBED = "embed"


class Check(StrEnum):
    """What a problem can say without the gold answer."""

    VERIFIER = "verifier"  # what a stated answer is worth
    STEP_VERIFIER = "step_verifier"  # whether a partial solution is sound
    OPTIONS = "options"  # the texts among which the answer names one

    @property
    def said(self) -> str:
        """It in a sentence: what a task has to have."""
        return "options to choose among" if self is Check.OPTIONS else f"a {self}"

    def offered_by(self, problem: Problem) -> bool:
        """Whether this problem has it."""
        return getattr(problem, self.value) is not None


def checked_needs(owner: str, needs: Iterable[str]) -> frozenset[str]:
    """The needs themselves. Raises UsageError for a word that is neither a `Capability` nor a `Check`."""
    known = [*Capability, *Check]
    for need in needs:
        if need not in known:
            raise UsageError(f"{owner} needs {need!r}, which nothing offers", f"A need is one of {', '.join(known)}")
    return frozenset(needs)
