"""A trace put into a search again, piece by piece, so that it can be continued from any place in it."""

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
    """The trace's tokens by the spans of a partition (see `Trace.owners`), without those that say nothing."""
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
    """The contexts before each span and after the last one, [S+1]: a chain of nodes, the root first.

    spans: a partition of the trace. Only what is continued is charged.
    What the search's own model wrote keeps its very tokens; other text is encoded span by span.
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
    """`n` solutions from each node, all in flight at once; the prefixes that they share are computed once.

    Raises BudgetExhausted when the budget did not suffice for all.
    """
    grown = await search.together(*(search.extend(node, n, sampling=sampling, label=label) for node in nodes))
    return list(grown)


def success(problem: Problem, leaves: Sequence[Node]) -> float:
    """The mean grade of what these solutions answer; without an answer it is 0. Raises ValueError without a grader."""
    if problem.grader is None:
        raise ValueError(f"{problem.id} has no grader")
    return mean_grade(problem, [problem.answer_in(leaf) for leaf in leaves])


def mean_grade(problem: Problem, values: Sequence[str | None]) -> float:
    """The mean grade of these canonical answers (None counts as wrong); NaN where the problem has no grader."""
    return float(np.mean(np.array([problem.grade(value) for value in values], np.float64)))


@dataclass(frozen=True, slots=True)
class StepValues:
    """What each step did to the chance of success.

    values: [S+1], success of rollouts from before each step and from after the last one. tokens: [S+1], how long the
    trace is there. n: rollouts for each value.
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
        """The first step after which no rollout succeeds (OmegaPRM, arXiv:2406.06592); None where there is none, or
        where none succeeded before it either."""
        dead = [v == 0 for v in self.values]
        return next((i for i in range(len(dead) - 1) if dead[i + 1] and not dead[i]), None)

    @property
    def timeline(self) -> Timeline:
        """Success along the trace: its regret is MRT's, with the model itself as the meta-prover."""
        success = np.array(self.values, np.float64)
        return Timeline(np.array(self.tokens, np.int64), (None,) * len(success), success, self.tokens[-1])


async def step_values(
    search: Search, trace: Trace, *, n: int = 16, spans: Sequence[Span] | None = None, sampling: Sampling | None = None
) -> StepValues:
    """The chance of success before and after each step (or other span) of a trace, by `n` rollouts at each place.

    After a complete trace it is the trace's own grade. Raises ValueError where the problem has no grader.
    """
    cut = trace.steps if spans is None else spans
    nodes = await replay(search, trace, cut)
    asked = nodes[:-1] if trace.complete else nodes
    values = [success(trace.problem, leaves) for leaves in await rollouts(search, asked, n, sampling=sampling)]
    if trace.complete:
        values.append(success(trace.problem, [trace.node]))
    return StepValues(tuple(values), tuple(node.tokens for node in nodes), n)
