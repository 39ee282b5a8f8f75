"""Measures of the structure of reasoning: of a trace's reasoning graph, and of the tree of a search."""

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
"""The behaviours that count as review."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The structure of one trace or tree; shares are in [0, 1].

    steps: number of steps.
    failed_step_fraction: the share of steps in abandoned branches (FSF, arXiv:2509.19284); NaN without steps.
    branching: number of steps that more than one step builds on.
    backtracking: how often a branch was abandoned.
    depth: number of steps in the longest chain.
    review_ratio: the share of characters in steps that verify, doubt or revisit earlier ones (arXiv:2509.19284); NaN
        for a tree.
    turns: switches to another thought; for a tree, how often a node does not extend the node made just before it.
    repetition: the share of sentences that only repeat a loop.
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
    """A passage that is repeated without a break.

    start: index of its first item.
    period: items in the passage.
    repeats: how often it occurs in all; a last, incomplete repetition counts by its share.
    """

    start: int
    period: int
    repeats: float


def trace_structure(trace: Trace) -> Structure:
    """The structure of a trace, read from its reasoning graph."""
    steps = trace.step_texts
    return shape_of(reasoning_graph(steps, trace.problem.question), steps, trace.text)


def shape_of(graph: Graph, steps: Sequence[str], text: str) -> Structure:
    """The structure of the reasoning graph of a text.

    steps: the texts of the graph's steps.
    text: the whole text, whose sentences may be repeated.
    """
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
    """The structure of a search's tree.

    A step is a node below the prompt, rewinds left out. Failed steps are those off the path to the answer; for
    independent samples, these are all other samples. A turn is a node that does not extend the node made just before
    it; a backtrack is a turn that extends an ancestor of that node.
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
    """The path to a node, in which each rewind is replaced by the node that it repeats."""
    return [n.beginning_of or n for n in node.path()]


def _above(node: Node) -> int:
    assert node.parent is not None
    return (node.parent.beginning_of or node.parent).id


def loops(items: Sequence[str], *, longest: int = 8, least: int = 3) -> list[Loop]:
    """The loops in a sequence of sentences or steps, without overlaps. Case, punctuation and white space are ignored.

    longest: items in the longest passage that is looked for.
    least: how often a single item must occur in a row to be a loop; for a passage of several items, twice is enough.
    """
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
    """The share of items that only repeat a loop, its first occurrence left out. NaN without items."""
    if not items:
        return float("nan")
    return sum(loop.period * (loop.repeats - 1) for loop in loops(items)) / len(items)
