"""Voting: from several solutions to one answer, by their canonical answers."""

from __future__ import annotations

from collections.abc import Sequence

from clew.problem import Answer, Problem
from clew.tree import Node


def answer_of(problem: Problem, node: Node, *, confidence: float | None = None) -> Answer:
    """The answer that one solution states.

    problem: says how an answer is found in a text.
    node: the solution.
    confidence: how sure the method is of it, in [0, 1], where it says so.
    """
    text = node.solution
    return Answer(problem.answer_in(node), text, confidence, node)


def vote(problem: Problem, nodes: Sequence[Node], weights: Sequence[float] | None = None) -> Answer:
    """The answer with the greatest sum of weights, as its solution with the greatest weight states it.

    Solutions that state no answer have no vote, but they count in the confidence, which is the winner's share of the
    sum of all weights. Ties go to the answer that stands first among the solutions. The result has the value None
    where no solution states an answer.

    problem: says how an answer is found in a text.
    nodes: the solutions, [N].
    weights: of the solutions, [N], none of them negative; None: each has the weight 1.

    Raises ValueError for another number of weights than solutions.
    """
    shares = [1.0] * len(nodes) if weights is None else [float(w) for w in weights]
    if len(shares) != len(nodes):
        raise ValueError(f"{len(nodes)} solutions but {len(shares)} weights")
    votes: dict[str, float] = {}
    best: dict[str, tuple[float, int]] = {}
    for i, (node, share) in enumerate(zip(nodes, shares, strict=True)):
        value = problem.answer_in(node)
        if value is None:
            continue
        votes[value] = votes.get(value, 0.0) + share
        if value not in best or share > best[value][0]:
            best[value] = (share, i)
    if not votes:
        return Answer(None)
    winner = max(votes, key=votes.__getitem__)
    node = nodes[best[winner][1]]
    total = sum(shares)
    return Answer(winner, node.solution, votes[winner] / total if total > 0 else None, node, votes)
