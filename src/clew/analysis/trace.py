"""A trace: one chain of reasoning, which is the path to a leaf of a tree, split into sentences, steps and thoughts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.analysis.segment import Span, sentences, steps, thoughts
from clew.problem import Problem
from clew.result import Result
from clew.tree import Finish, Floats, Ints, Node, Origin


@dataclass(frozen=True, eq=False)
class Trace:
    """A trace: the solution that ends at `node`.

    problem: what it solves.
    node: its leaf.
    model: the name of the model that wrote it; empty where unknown.
    method: the method of the search that it comes from, as `name?key=value`.
    seed: the seed of that search.
    """

    problem: Problem
    node: Node
    model: str = ""
    method: str = ""
    seed: int = 0

    @cached_property
    def text(self) -> str:
        """The solution."""
        return self.node.solution

    @cached_property
    def answer(self) -> str | None:
        """The canonical answer that it states, or None."""
        return self.problem.answer_in(self.node)

    @cached_property
    def grade(self) -> float | None:
        """The grade of its answer in [0, 1]; 0 without an answer, None where the problem has no grader."""
        return self.problem.grade(self.answer)

    @cached_property
    def complete(self) -> bool:
        """Whether it came to its own end."""
        return self.node.complete

    @cached_property
    def sentences(self) -> list[Span]:
        """Its sentences."""
        return sentences(self.text)

    @cached_property
    def steps(self) -> list[Span]:
        """Its steps."""
        return steps(self.text)

    @cached_property
    def thoughts(self) -> list[Span]:
        """Its thoughts."""
        return thoughts(self.text)

    @property
    def step_texts(self) -> list[str]:
        """The texts of its steps."""
        return [span.of(self.text) for span in self.steps]

    @cached_property
    def offsets(self) -> Ints:
        """The character of `text` at which each token begins, int32[T]; for tokens without text, the text's end."""
        parts, at = [np.zeros(0, np.int32)], 0
        for node in self.node.solution_path:
            parts.append(node.segment.offsets + at)
            at += len(node.segment.text)
        return np.concatenate(parts).astype(np.int32)

    @property
    def tokens(self) -> int:
        """Tokens since the prompt."""
        return len(self.offsets)

    @cached_property
    def token_ids(self) -> Ints:
        """The tokens, int32[T]; -1 where unknown."""
        return np.concatenate(
            [np.zeros(0, np.int32), *(n.segment.token_ids for n in self.node.solution_path)], dtype=np.int32
        )

    def stat(self, name: str) -> Floats:
        """A per-token statistic of `Segment`, float32[T]; NaN where it is unknown, and for inserted tokens."""
        parts: list[Any] = [np.zeros(0, np.float32)]
        for node in self.node.solution_path:
            array = getattr(node.segment, name) if node.origin is Origin.SAMPLED else None
            parts.append(np.full(len(node.segment), np.nan, np.float32) if array is None else array)
        return np.concatenate(parts).astype(np.float32)

    def owners(self, spans: list[Span]) -> NDArray[np.int64]:
        """The index of the span that each token belongs to, int64[T]; -1 without spans.

        It is the span of the token's first character that is not white space. Trailing white space belongs to the span
        before it.
        """
        starts = np.array([s.start for s in spans], np.int64)
        return np.array([np.searchsorted(starts, at, "right") - 1 for at in self._first_characters()], np.int64)

    def tokens_of(self, spans: list[Span]) -> NDArray[np.int64]:
        """Tokens in each span, int64[S]."""
        return np.bincount(self.owners(spans), minlength=len(spans)) if spans else np.zeros(0, np.int64)

    def _first_characters(self) -> Iterator[int]:
        ends = np.append(self.offsets[1:], len(self.text))
        for start, end in zip(self.offsets.tolist(), ends.tolist(), strict=False):
            piece = self.text[start:end]
            stripped = piece.lstrip()
            # A token of white space alone stands where it begins.
            yield start + len(piece) - len(stripped) if stripped else start


def traces_of(result: Result, model: str = "") -> list[Trace]:
    """The traces of one search: its exchangeable samples; without samples, the solution of its answer; without an
    answer, all solutions that came to an end.

    Questions to a judge and cancelled solutions are not traces.

    model: the name of the model that wrote them.
    """
    nodes = result.leaves
    if not nodes and result.answer.node is not None:
        nodes = [result.answer.node]
    if not nodes:
        nodes = [n for n in solution_nodes(result) if n.finished and n.finish is not Finish.CANCELLED]
    return [Trace(result.problem, n, model, result.method, result.seed) for n in nodes]


def solution_nodes(result: Result) -> list[Node]:
    """The nodes below the prompt in order of creation, without rewinds and without questions to a judge."""
    if not len(result.tree):
        return []
    root = result.tree[0]
    inside = {root.id}
    found = []
    for node in result.tree.nodes:
        if node.parent is not None and node.parent.id in inside:
            inside.add(node.id)
            if node.beginning_of is None:
                found.append(node)
    return found
