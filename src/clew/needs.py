"""What a method or a scorer may need: capabilities of the model, and checks that come with the problem."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from clew.errors import UsageError
from clew.problem import Problem


class Capability(StrEnum):
    """What a model can do: `Model.capabilities` holds what it offers, methods and scorers declare what they need."""

    TEXT = "text"  # generates text
    LOGPROBS = "logprobs"  # log-probabilities of the chosen tokens
    EXACT_STATS = "exact_stats"  # all of `Segment`'s statistics, from the full distribution
    PREFIX_SHARING = "prefix_sharing"  # computes a shared prefix once
    CONTINUE = "continue"  # truly continues a partial solution
    SCORE = "score"  # teacher forcing
    GRAMMAR = "grammar"  # restricts a solution to a grammar (`Sampling.grammar`)
    HIDDEN = "hidden"  # shows its hidden states
    STEER = "steer"  # lets its hidden states be changed
    VISION = "vision"  # reads images
    EMBED = "embed"  # embeds texts


class Check(StrEnum):
    """What a problem can offer besides its question and without its gold answer."""

    VERIFIER = "verifier"  # the worth of a stated answer
    STEP_VERIFIER = "step_verifier"  # whether a partial solution is sound
    OPTIONS = "options"  # the texts among which the answer names one

    @property
    def said(self) -> str:
        """Its name in a sentence about what a task lacks."""
        return "options to choose among" if self is Check.OPTIONS else f"a {self}"

    def offered_by(self, problem: Problem) -> bool:
        """Whether this problem has the check."""
        return getattr(problem, self.value) is not None


def checked_needs(owner: str, needs: Iterable[str]) -> frozenset[str]:
    """`needs` as a set. Raises UsageError for a word that is neither a `Capability` nor a `Check`."""
    known = [*Capability, *Check]
    for need in needs:
        if need not in known:
            raise UsageError(f"{owner} needs {need!r}, which nothing offers", f"A need is one of {', '.join(known)}")
    return frozenset(needs)
