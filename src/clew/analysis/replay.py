"""Replaying a trace in a search, piece by piece, so that a model can continue it from any place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clew.analysis.dynamics import Timeline
from clew.analysis.segment import Span
from clew.analysis.trace import Trace
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import Search
from clew.tree import Node, Segment


def pieces(trace: Trace, spans: Sequence[Span]) -> list[Segment]:
    """The tokens of a trace as one segment for each span of a partition (see `Trace.owners`).

    Tokens without text (an end of text) are left out.
    """
    said = trace.offsets < len(trace.text)
    owners = trace.owners(list(spans))
    found = []
    for i in range(len(spans)):
        own = np.flatnonzero(said & (owners == i))
        if own.size:
            start = int(trace.offsets[own[0]]) if i else 0
            after = np.flatnonzero(said & (owners > i))
            end = int(trace.offsets[after[0]]) if after.size else len(trace.text)
            found.append(Segment(trace.token_ids[own], trace.text[start:end], trace.offsets[own] - start))
        else:
            found.append(Segment(np.zeros(0, np.int32), "", np.zeros(0, np.int32)))
    return found


async def replay(search: Search, trace: Trace, spans: Sequence[Span]) -> list[Node]:
    """Insert a trace into a search; returns [S+1] nodes, one before each of S spans and one after the last.

    A trace that the search's own model wrote keeps its tokens; the text of any other is tokenised span by span. Only
    what is later continued is charged.

    spans: a partition of the trace.
    """
    ours = trace.model == search.model.name and bool((trace.token_ids >= 0).all())
    texts: Sequence[str | Segment] = pieces(trace, spans) if ours else [trace.text[s.start : s.end] for s in spans]
    nodes = [search.root]
    for text in texts:
        nodes.append(await search.insert(nodes[-1], text, label="replayed"))
    return nodes


async def rollouts(
    search: Search, nodes: Sequence[Node], n: int, *, sampling: Sampling | None = None, label: str = "rollout"
) -> list[list[Node]]:
    """Draw `n` solutions from each node in one batch, which computes shared prefixes once; returns leaves, [nodes][n].

    sampling: the search's own by default.
    label: why the nodes exist (`Node.label`).

    Raises BudgetExhausted when the budget does not suffice for all.
    """
    grown = await search.together(*(search.extend(node, n, sampling=sampling, label=label) for node in nodes))
    return list(grown)


def success(problem: Problem, leaves: Sequence[Node]) -> float:
    """The mean grade of these solutions, 0 for one without an answer. Raises ValueError without a grader."""
    if problem.grader is None:
        raise ValueError(f"{problem.id} has no grader")
    return mean_grade(problem, [problem.answer_in(leaf) for leaf in leaves])


def mean_grade(problem: Problem, values: Sequence[str | None]) -> float:
    """The mean grade of these canonical answers (None counts as wrong); NaN where the problem has no grader."""
    return float(np.mean(np.array([problem.grade(value) for value in values], np.float64)))


@dataclass(frozen=True, slots=True)
class StepValues:
    """The value before and after each step of a trace.

    values: [S+1], the share of successful rollouts from before each of S steps and from after the last one.
    tokens: [S+1], tokens of the trace up to there.
    n: rollouts behind each value.
    """

    values: tuple[float, ...]
    tokens: tuple[int, ...]
    n: int

    @property
    def advantages(self) -> tuple[float, ...]:
        """[S], the value after each step minus the one before it."""
        return tuple(float(x) for x in np.diff(self.values))

    @property
    def first_wrong(self) -> int | None:
        """The index of the first step after which no rollout succeeds although some did before it (OmegaPRM,
        arXiv:2406.06592); None where there is none."""
        dead = [v == 0 for v in self.values]
        return next((i for i in range(len(dead) - 1) if dead[i + 1] and not dead[i]), None)

    @property
    def timeline(self) -> Timeline:
        """Success along the trace; its regret is MRT's (arXiv:2503.07572) with the model itself as meta-prover."""
        success = np.array(self.values, np.float64)
        return Timeline(np.array(self.tokens, np.int64), (None,) * len(success), success, self.tokens[-1])


async def step_values(
    search: Search, trace: Trace, *, n: int = 16, spans: Sequence[Span] | None = None, sampling: Sampling | None = None
) -> StepValues:
    """Estimate the probability of success before and after each step of a trace by rollouts from each place.

    After a complete trace it is the trace's own grade.

    n: rollouts from each place.
    spans: a partition of the trace; its steps by default.
    sampling: of the rollouts; the search's own by default.

    Raises ValueError where the problem has no grader, BudgetExhausted when the budget does not suffice.
    """
    cut = trace.steps if spans is None else spans
    nodes = await replay(search, trace, cut)
    asked = nodes[:-1] if trace.complete else nodes
    values = [success(trace.problem, leaves) for leaves in await rollouts(search, asked, n, sampling=sampling)]
    if trace.complete:
        values.append(success(trace.problem, [trace.node]))
    return StepValues(tuple(values), tuple(node.tokens for node in nodes), n)
