"""The record of a finished search: one problem, one method, one seed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from html import escape

from clew.budget import Budget, Cost, Usage
from clew.problem import Answer, Problem, Status
from clew.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Proposal:
    """The answer that a method would have given at one moment of its search.

    answer: that answer.
    usage: what the search had spent by then.
    """

    answer: Answer
    usage: Usage


@dataclass(slots=True, repr=False)
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

    def __repr__(self) -> str:
        answer, spent = self.answer, self.usage.total.tokens
        sure = "" if answer.confidence is None else f", confidence {answer.confidence:.2f}"
        said = "no answer" if answer.value is None else repr(_cut(answer.value, 60))
        status = "" if answer.status is Status.ANSWERED else f", {answer.status}"
        return f"<Result {said}{sure}{status}: {self.method}, {spent:,} tokens, {len(self.tree)} nodes>"

    def _repr_html_(self) -> str:
        """The answer, the vote, what was spent and the tree, for a notebook."""
        votes = sorted(self.answer.votes.items(), key=lambda pair: -pair[1])[:_SHOWN]
        total = sum(self.answer.votes.values()) or 1.0
        rows = "".join(
            f"<tr><td>{escape(_cut(v, 80))}</td><td>{w:g}</td><td>{w / total:.0%}</td></tr>" for v, w in votes
        )
        vote = f"<table><tr><th>answer</th><th>votes</th><th>share</th></tr>{rows}</table>" if votes else ""
        best = {node.id for node in self.answer.node.ancestors()} if self.answer.node is not None else set()
        trees = "".join(_branch(root, best) for root in self.tree.roots)
        tree = f"<details><summary>{len(self.tree)} nodes</summary><ul>{trees}</ul></details>"
        return f"<p><b>{escape(str(self))}</b><br>{escape(repr(self))}</p>{vote}{tree}"


_SHOWN = 10
"""The most answers and children of a node that a notebook shows."""


def _branch(node: Node, best: Collection[int]) -> str:
    """A node with those below it, as nested lists; a chain without choices is one entry."""
    chain = [node]
    while len(chain[-1].children) == 1:
        chain.append(chain[-1].children[0])
    last = chain[-1]
    text = escape(_cut("".join(n.segment.text for n in chain), 160))
    below = "".join(_branch(child, best) for child in last.children[:_SHOWN])
    more = len(last.children) - _SHOWN
    below += f"<li>… {more} more</li>" if more > 0 else ""
    mark = "★ " if last.id in best else ""
    return (
        f"<li>{mark}{text} <small>{escape(str(last.finish))}</small>" + (f"<ul>{below}</ul>" if below else "") + "</li>"
    )


def _cut(text: str, width: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
