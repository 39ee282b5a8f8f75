"""Dynamics along a trace: the uncertainty of its tokens, and the answer that it holds at each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clew.analysis.segment import Span
from clew.analysis.trace import Trace
from clew.problem import RIGHT, Problem, is_right
from clew.result import Result
from clew.tasks.answers import THINK_CLOSE, THINK_OPEN
from clew.tree import Floats

Reals = NDArray[np.float64]

FORKING = 0.2
"""The share of tokens that are forking tokens: those with the highest entropy (arXiv:2506.01939)."""


def profile(trace: Trace, stat: str = "entropy", bins: int = 10) -> Reals:
    """The mean of a per-token statistic in equal parts of a trace, float64[bins]; NaN for a part without values.

    stat: a statistic of `Segment`, such as `entropy` or `logprob`.
    """
    return np.array([_mean(part) for part in np.array_split(trace.stat(stat), bins)], np.float64)


def span_means(trace: Trace, spans: Sequence[Span], stat: str = "entropy") -> Reals:
    """The mean of a per-token statistic in each of S spans of a trace, float64[S]; NaN for a span without values.

    stat: a statistic of `Segment`, such as `entropy` or `logprob`.
    """
    owners, values = trace.owners(list(spans)), trace.stat(stat)
    return np.array([_mean(values[owners == i]) for i in range(len(spans))], np.float64)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if known.size else float("nan")


def forking_threshold(traces: Sequence[Trace], share: float = FORKING) -> float:
    """The entropy in nats at and above which a token of these traces is a forking token (arXiv:2506.01939).

    share: the share of all tokens that are forking tokens; where ties would exceed it, the tied tokens are left out.

    Returns NaN where no entropy is known, infinity where all are equal.
    """
    values = np.concatenate([np.zeros(0, np.float32), *(t.stat("entropy") for t in traces)])
    known = np.sort(values[~np.isnan(values)])[::-1]
    count = max(1, round(share * known.size))
    if known.size <= count:
        return float(known[-1]) if known.size else float("nan")
    above = known[known > known[count]]
    return float(above[-1]) if above.size else float("inf")


def forking_tokens(trace: Trace, threshold: float | None = None) -> list[int]:
    """The indices of the forking tokens of a trace.

    threshold: entropy in nats; that of the trace's own tokens by default.
    """
    least = forking_threshold([trace]) if threshold is None else threshold
    return [int(i) for i in np.flatnonzero(trace.stat("entropy") >= least)]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The answer held at each moment.

    tokens: int64[K], increasing: tokens spent when the answer changed.
    values: [K], the answer held from then on; None for no answer.
    success: float64[K], its grade or its probability of success; NaN where unknown.
    end: tokens spent in all.
    """

    tokens: NDArray[np.int64]
    values: tuple[str | None, ...]
    success: Reals
    end: int

    def at(self, budgets: Sequence[float]) -> Reals:
        """Anytime accuracy: success if stopped at each of these token counts, float64[len(budgets)].

        It is 0 before the first answer.
        """
        held = np.searchsorted(self.tokens, np.asarray(budgets, np.float64), "right") - 1
        return np.where(held >= 0, self.success[held] if self.success.size else 0.0, 0.0)

    def regret(self, best: float = 1.0) -> float:
        """Cumulative regret in tokens: the sum over tokens of `best` minus success if stopped there.

        It is MRT's Δ (arXiv:2503.07572) over tokens instead of episodes; divided by `end` it is the mean regret.

        best: the success of the oracle.
        """
        edges = np.concatenate([[0], np.minimum(self.tokens, self.end), [self.end]])
        held = np.concatenate([[0.0], self.success])
        return float(np.sum(np.diff(edges) * (best - held)))

    @property
    def flips(self) -> tuple[int, int]:
        """(times that a right answer became a wrong one or none, times that a wrong one or none became right)."""
        right = self.success >= RIGHT
        return int(np.sum(right[:-1] & ~right[1:])), int(np.sum(~right[:-1] & right[1:]))

    @property
    def changes(self) -> int:
        """How often the answer changed; its first appearance does not count."""
        held = [v for v in self.values if v is not None]
        return sum(a != b for a, b in pairwise(held))

    @property
    def converged(self) -> int | None:
        """Tokens after which the answer no longer changed; None where there is no answer at the end."""
        if not self.values or self.values[-1] is None:
            return None
        first = len(self.values) - 1
        while first and self.values[first - 1] == self.values[-1]:
            first -= 1
        return int(self.tokens[first])

    @property
    def after(self) -> int | None:
        """Tokens spent after `converged`; where the answer is right, they are overthinking."""
        return None if self.converged is None else self.end - self.converged


def timeline(
    problem: Problem,
    tokens: Sequence[int],
    values: Sequence[str | None],
    end: int,
    success: Sequence[float] | None = None,
) -> Timeline:
    """A `Timeline` whose success is the grade of each answer.

    problem: grades the answers.
    tokens: [K], increasing: tokens spent when the answer changed.
    values: [K], the answer held from then on; None for no answer.
    end: tokens spent in all.
    success: [K], to be used in place of the grades.
    """
    graded = [problem.grade(v) for v in values] if success is None else success
    return Timeline(np.asarray(tokens, np.int64), tuple(values), np.array(graded, np.float64), end)


def stated(trace: Trace) -> Timeline:
    """The answer that would be extracted from a trace if it ended after each of its steps.

    No model is asked. Text inside a thinking block is read as well. An extractor that takes the last number of a text
    takes intermediate results for answers.
    """
    ends = np.cumsum(trace.tokens_of(trace.steps))
    plain = [THINK_CLOSE.sub("", THINK_OPEN.sub("", trace.text[: span.end])) for span in trace.steps]
    return timeline(trace.problem, ends.tolist(), [trace.problem.extract(p) for p in plain], trace.tokens)


def proposed(result: Result) -> Timeline:
    """The answers that a search proposed, over the tokens that it had spent.

    Samples that are drawn in parallel complete in order of length, which favours short ones; for such methods
    `clew.lab.curves` computes the unbiased curve.
    """
    held = result.proposals
    spent = [int(p.usage.along("tokens")) for p in held]
    return timeline(result.problem, spent, [p.answer.value for p in held], int(result.usage.along("tokens")))


def checked_steps(trace: Trace) -> list[float]:
    """The verdict of the problem's step verifier after each step, in [0, 1].

    Raises ValueError where the problem has no step verifier.
    """
    if trace.problem.step_verifier is None:
        raise ValueError(f"{trace.problem.id} has no step verifier")
    return [trace.problem.step_verifier(trace.text[: span.end].rstrip()) for span in trace.steps]


def first_wrong(worths: Sequence[float], below: float = 0.5) -> int | None:
    """The index of the first step with a verdict below `below`; None where there is none.

    worths: [S], verdicts in [0, 1] after each step.
    """
    return next((i for i, worth in enumerate(worths) if worth < below), None)


def length_and_grade(traces: Sequence[Trace]) -> dict[str, float]:
    """How length relates to being right, within each problem: problem → a number in [-1, 1].

    Of all pairs of a right and a wrong trace of the problem, it is the share in which the right one is longer minus the
    share in which it is shorter. Problems whose traces are all right or all wrong are left out. Pairs never cross
    problems, so the difficulty of problems does not enter.
    """
    lengths: dict[str, tuple[list[int], list[int]]] = {}
    for trace in traces:
        if trace.grade is not None:
            lengths.setdefault(trace.problem.id, ([], []))[is_right(trace.grade)].append(trace.tokens)
    return {
        problem: float(np.sign(np.subtract.outer(right, wrong)).mean())
        for problem, (wrong, right) in lengths.items()
        if right and wrong
    }
