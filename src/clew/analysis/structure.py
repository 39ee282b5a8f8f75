"""Numbers about the shape of reasoning: of a trace's graph, and of a search's true tree."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from clew.analysis.behaviours import tag_step
from clew.analysis.graph import Graph, reasoning_graph
from clew.analysis.rules import Behaviour
from clew.analysis.segment import sentences
from clew.analysis.trace import Trace, solution_nodes
from clew.result import Result
from clew.tree import Node

REVIEW = {Behaviour.VERIFICATION, Behaviour.BACKTRACKING}


@dataclass(frozen=True, slots=True)
class Structure:
    """The shape of one trace or tree; shares are in [0, 1].

    steps: how many. failed_step_fraction: the share of steps in abandoned branches (arXiv:2509.19284, FSF); NaN
    without steps. branching: steps that more than one step builds on. backtracking: how often a branch was given up.
    depth: steps in the longest chain. review_ratio: the share of characters in steps that verify, doubt or revisit
    earlier ones (NaN for a tree: its nodes are no such steps). turns: thought switches; for a tree, how often the
    search went on elsewhere than where it was. repetition: the share of sentences that only repeat a loop.
    """

    steps: int
    failed_step_fraction: float
    branching: int
    backtracking: int
    depth: int
    review_ratio: float
    turns: int
    repetition: float


@dataclass(frozen=True, slots=True)
class Loop:
    """A passage said again and again: `period` items from `start` on, `repeats` times in all (a part counts too)."""

    start: int
    period: int
    repeats: float


def trace_structure(trace: Trace) -> Structure:
    """The shape of a trace, by its reasoning graph."""
    steps = trace.step_texts
    return shape_of(reasoning_graph(steps, trace.problem.question), steps, trace.text)


def shape_of(graph: Graph, steps: Sequence[str], text: str) -> Structure:
    """The shape of a graph of these steps of a text."""
    revisiting = {i for i, _ in graph.revisits}
    review = [i in revisiting or bool(tag_step(step) & REVIEW) for i, step in enumerate(steps)]
    said = sum(map(len, steps))
    return Structure(
        steps=len(graph),
        failed_step_fraction=len(graph.abandoned) / len(graph) if len(graph) else float("nan"),
        branching=sum(len(c) > 1 for c in graph.children),
        backtracking=len({i for i, _ in graph.abandons}),
        depth=max(graph.depths, default=0),
        review_ratio=sum(len(s) for s, r in zip(steps, review, strict=True) if r) / said if said else float("nan"),
        turns=graph.thoughts[-1] if graph.thoughts else 0,
        repetition=repetition([span.of(text) for span in sentences(text)]),
    )


def tree_structure(result: Result) -> Structure:
    """The shape of a search's tree: what its text only tells of, the tree shows.

    A step is a node of the solution (rewinds repeat none). The failed ones are those that do not lie on the path to the
    answer: for independent samples, all other samples. A backtrack is a node that does not go on from the one made just
    before it but from one further up; a turn, any node that does not go on from the one before.
    """
    nodes = solution_nodes(result)
    best = {n.id for n in _origins(result.answer.node)} if result.answer.node is not None else set()
    depths: dict[int, int] = {}
    children: dict[int, int] = {}
    for node in nodes:
        above = _above(node)
        depths[node.id] = depths.get(above, 0) + 1
        children[above] = children.get(above, 0) + 1
    turns = [(a, b) for a, b in pairwise(nodes) if _above(b) != a.id]
    back = [b for a, b in turns if _above(b) in {n.id for n in _origins(a)} - {a.id}]
    return Structure(
        steps=len(nodes),
        failed_step_fraction=sum(n.id not in best for n in nodes) / len(nodes) if nodes else float("nan"),
        branching=sum(count > 1 for count in children.values()),
        backtracking=len(back),
        depth=max(depths.values(), default=0),
        review_ratio=float("nan"),
        turns=len(turns),
        repetition=repetition([n.segment.text.strip() for n in result.answer.node.solution_path])
        if result.answer.node is not None
        else float("nan"),
    )


def _origins(node: Node) -> list[Node]:
    """The path to a node, each rewound node as the one that it repeats."""
    return [n.beginning_of or n for n in node.path()]


def _above(node: Node) -> int:
    assert node.parent is not None
    return (node.parent.beginning_of or node.parent).id


def loops(items: Sequence[str], *, longest: int = 8, least: int = 3) -> list[Loop]:
    """The loops in a sequence: a passage of at most `longest` items said at least `least` times in a row (twice, for a
    passage of several items). Case, punctuation and white space do not count; loops do not overlap."""
    words = [re.sub(r"\W+", " ", item).strip().lower() for item in items]
    found: list[Loop] = []
    at = 0
    while at < len(words):
        best = Loop(at, 0, 0.0)
        for period in range(1, min(longest, (len(words) - at) // 2) + 1):
            end = at + period
            while end < len(words) and words[end] == words[end - period]:
                end += 1
            repeats = (end - at) / period
            if repeats >= (least if period == 1 else 2) and (end - at) > best.period * best.repeats:
                best = Loop(at, period, repeats)
        if best.period:
            found.append(best)
            at += round(best.period * best.repeats)
        else:
            at += 1
    return found


def repetition(items: Sequence[str]) -> float:
    """The share of items that only repeat a loop: all of it but its first time. NaN without items."""
    if not items:
        return float("nan")
    return sum(loop.period * (loop.repeats - 1) for loop in loops(items)) / len(items)
