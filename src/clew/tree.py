"""The tree of partial solutions that a search grows. It is append-only: to backtrack is to extend an older node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.sampling import Stream

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


GENERATE = "generate"
"""The role of the model that solves the problem. Methods name the roles of other models (`judge`, `draft`)."""


class Origin(StrEnum):
    """Who wrote a node's text."""

    PROMPT = "prompt"
    SAMPLED = "sampled"
    INSERTED = "inserted"


class Finish(StrEnum):
    """Why an extension ended."""

    STEP = "step"  # a delimiter or a cap on this extension: it can go on
    END = "end"  # the model ended its text
    LENGTH = "length"  # truncated by the limit on the solution or by the context: incomplete
    STOP = "stop"  # a stop string
    CANCELLED = "cancelled"  # given up before its end: by the method, or because the budget ran out


def _none_f() -> Floats:
    return np.zeros(0, np.float32)


def common(a: Ints, b: Ints) -> int:
    """The length of the longest common prefix of two token sequences."""
    size = min(len(a), len(b))
    differs = a[:size] != b[:size]
    at = int(differs.argmax()) if size else 0
    return at if size and differs[at] else size


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The tokens of one extension with their statistics. All arrays have length T; all logarithms are natural.

    token_ids: int32[T]; -1 where a server does not report the id.
    text: the text of the tokens, cut before a stop string.
    offsets: int32[T], the character of `text` at which each token begins.
    finish: why the extension ended.
    logprob: float32[T], nats, of the chosen token under the unmodified model distribution at temperature 1.
    entropy: float32[T], nats, of that distribution.
    certainty: float32[T], KL(uniform‖p) of that distribution in nats: the self-certainty term (arXiv:2502.18581,
        eq. 8).
    proposal_logprob: float32[T], nats, of the chosen token under the distribution that it was really drawn from.
    top_ids: int32[T, K], the K most probable tokens; None where they were not recorded.
    top_logprob: float32[T, K], nats, of these.
    exact: False where the statistics come from a server's K most probable tokens only (NaN where it reports none).
    cut: how many characters a stop string removed from the text of the last tokens.
    """

    token_ids: Ints
    text: str
    offsets: Ints
    finish: Finish = Finish.STEP
    logprob: Floats | None = None
    entropy: Floats | None = None
    certainty: Floats | None = None
    proposal_logprob: Floats | None = None
    top_ids: Ints | None = None
    top_logprob: Floats | None = None
    exact: bool = True
    cut: int = 0

    def __len__(self) -> int:
        return len(self.token_ids)

    def head(self, count: int) -> Segment:
        """The first `count` tokens as a segment of their own (finish `step`). Raises ValueError if there are fewer."""
        if not 0 <= count <= len(self):
            raise ValueError(f"a segment of {len(self)} tokens has no first {count}")
        if count == len(self) and not self.cut:
            end = len(self.text)
        else:
            end = int(self.offsets[count]) if count < len(self) else len(self.text)

        def part(array: Any) -> Any:
            return None if array is None else array[:count]

        return Segment(
            token_ids=self.token_ids[:count],
            text=self.text[:end],
            offsets=self.offsets[:count],
            finish=Finish.STEP,
            logprob=part(self.logprob),
            entropy=part(self.entropy),
            certainty=part(self.certainty),
            proposal_logprob=part(self.proposal_logprob),
            top_ids=part(self.top_ids),
            top_logprob=part(self.top_logprob),
            exact=self.exact,
        )

    def scored(self, logprob: Floats, entropy: Floats, certainty: Floats) -> Segment:
        """The same tokens with the statistics that a model gives them when it reads them (finish `step`).

        logprob, entropy, certainty: float32[R]; with R < T only the first R tokens (finish `cancelled`).
        """
        read = self if len(logprob) == len(self) else self.head(len(logprob))
        return replace(
            read,
            finish=Finish.STEP if len(read) == len(self) else Finish.CANCELLED,
            logprob=logprob,
            entropy=entropy,
            certainty=certainty,
            proposal_logprob=None,
            top_ids=None,
            top_logprob=None,
            exact=True,
        )


class Node:
    """A partial solution: the path from the root to here. `Search` makes it; only its scores and fate ever change.

    id: its place in the tree's order of creation.
    parent: the node that it extends; None for a root.
    segment: its tokens.
    origin: who wrote its text.
    stream: the random stream that its extensions draw from.
    role: the role of the model that wrote it; for a prompt or an inserted text, of the model whose tokens it is in.
    label: why it exists.
    born: tokens that the search had spent when it was made.
    beginning_of: for a rewind, the node whose first tokens it repeats (they were computed only once).
    children: the nodes that extend it, in order of creation.
    scores: scorer → score.
    fate: why the method abandoned it; empty where it did not, or did not say so.
    """

    __slots__ = (
        "_reserved",
        "beginning_of",
        "born",
        "children",
        "fate",
        "id",
        "label",
        "origin",
        "parent",
        "role",
        "scores",
        "segment",
        "stream",
        "tree",
    )

    def __init__(
        self,
        tree: Tree,
        id: int,
        parent: Node | None,
        segment: Segment,
        origin: Origin,
        stream: Stream,
        role: str,
        label: str,
        born: int,
        beginning_of: Node | None,
    ) -> None:
        self.tree = tree
        self.id = id
        self.parent = parent
        self.segment = segment
        self.origin = origin
        self.stream = stream
        self.role = role
        self.label = label
        self.born = born
        self.beginning_of = beginning_of
        self.children: list[Node] = []
        self.scores: dict[str, float] = {}
        self.fate = ""
        self._reserved = 0

    def __repr__(self) -> str:
        return f"Node({self.id}, {self.finish}, {self.segment.text[-40:]!r})"

    @property
    def finish(self) -> Finish:
        """Why its extension ended."""
        return self.segment.finish

    @property
    def finished(self) -> bool:
        """Nothing can follow: the text ended, was truncated, or was given up."""
        return self.segment.finish is not Finish.STEP

    @property
    def complete(self) -> bool:
        """The model came to its own end (or to a stop string)."""
        return self.segment.finish in (Finish.END, Finish.STOP)

    def ancestors(self) -> Iterator[Node]:
        """This node, its parent, and so on up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def path(self) -> tuple[Node, ...]:
        """The nodes from the root to this one."""
        return tuple(self.ancestors())[::-1]

    @property
    def solution_path(self) -> tuple[Node, ...]:
        """The nodes since the prompt."""
        return tuple(n for n in self.path() if n.origin is not Origin.PROMPT)

    @property
    def text(self) -> str:
        """The whole text, prompt included."""
        return "".join(n.segment.text for n in self.path())

    @property
    def solution(self) -> str:
        """The text since the prompt."""
        return "".join(n.segment.text for n in self.solution_path)

    @property
    def depth(self) -> int:
        """Edges from the root."""
        return sum(1 for _ in self.ancestors()) - 1

    @property
    def tokens(self) -> int:
        """Tokens since the prompt."""
        return sum(len(n.segment) for n in self.solution_path)

    def stat(self, name: str, *, sampled_only: bool = True) -> Floats:
        """One per-token statistic of `Segment` along the solution, float32[T].

        With `sampled_only` the tokens that were inserted (the model did not choose them) are left out.
        """
        parts: list[Floats] = []
        for node in self.solution_path:
            if sampled_only and node.origin is not Origin.SAMPLED:
                continue
            array = getattr(node.segment, name)
            parts.append(np.full(len(node.segment), np.nan, np.float32) if array is None else array)
        return np.concatenate(parts) if parts else _none_f()

    def reserve(self, n: int) -> list[Stream]:
        """The random streams of the next `n` children, numbered in the order of requests, not of completion."""
        first = self._reserved
        self._reserved += n
        return [self.stream.child(i) for i in range(first, first + n)]


def leave(nodes: Iterable[Node], why: str) -> None:
    """Record why the method abandoned these nodes (`Node.fate`); the viewer and `clew show` display it.

    why: a few words, such as `pruned`.
    """
    for node in nodes:
        node.fate = why


class Tree:
    """All nodes of one search in order of creation.

    It has several roots where the method asked a judge: each question and its replies are a tree of their own.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, id: int) -> Node:
        return self.nodes[id]

    @property
    def roots(self) -> list[Node]:
        """The nodes without a parent, the prompt first."""
        return [n for n in self.nodes if n.parent is None]

    def add(
        self,
        parent: Node | None,
        segment: Segment,
        origin: Origin,
        stream: Stream,
        *,
        role: str = GENERATE,
        label: str = "",
        born: int = 0,
        beginning_of: Node | None = None,
    ) -> Node:
        """Append a node below `parent` (None for a root); the other parameters are those of `Node`."""
        node = Node(self, len(self.nodes), parent, segment, origin, stream, role, label, born, beginning_of)
        self.nodes.append(node)
        if parent is not None:
            parent.children.append(node)
        return node

    @property
    def distinct_tokens(self) -> int:
        """Tokens of all nodes but rewinds, which repeat tokens: the fewest that an engine could compute."""
        return sum(len(n.segment) for n in self.nodes if n.beginning_of is None)
