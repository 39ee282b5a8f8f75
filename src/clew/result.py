"""The record of a finished search: one problem, one method, one seed."""

from __future__ import annotations

from dataclasses import dataclass, field

from clew.budget import Budget, Cost, Usage
from clew.problem import Answer, Problem
from clew.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Proposal:
    """The answer that a method would have given at one moment of its search.

    answer: that answer.
    usage: what the search had spent by then.
    """

    answer: Answer
    usage: Usage


@dataclass(slots=True)
class Result:
    """One finished search.

    method: the method with its parameters, as `name?key=value`.
    grade: the grader's verdict in [0, 1]; None without a grader.
    proposals: in order of time; the last one is the answer.
    samples: ids of the leaves that are exchangeable draws, for methods whose answer is an aggregate of independent
        samples; empty for the others.
    cost: the token cost of the generating model.
    error: why the search failed; empty where it did not.
    """

    problem: Problem
    method: str
    seed: int
    budget: Budget
    answer: Answer
    grade: float | None
    usage: Usage
    tree: Tree
    proposals: list[Proposal] = field(default_factory=list)
    samples: tuple[int, ...] = ()
    cost: Cost = field(default_factory=Cost)
    error: str = ""

    def __str__(self) -> str:
        return self.answer.value if self.answer.value is not None else f"no answer ({self.answer.status})"

    @property
    def leaves(self) -> list[Node]:
        """The nodes of `samples`."""
        return [self.tree[i] for i in self.samples]
