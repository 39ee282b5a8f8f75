"""How many tokens of a call are new to a search, as a perfect cache of its own prefixes would count them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

from clew.tree import Ints, Node, common

Read = tuple[Node, Ints]
"""A node, and its tokens as the model reads them."""


class Prefixes:
    """Nodes whose tokens a search has computed with one model, and the prompts among them.

    Two nodes share what their paths share, and a rewound node shares with the one that it was cut from. Where the
    model tells its tokens, a prompt shares those with which it and an earlier one begin, and what was written below
    that one too: questions put to a judge mostly begin alike, and a conversation goes on from its earlier turns.

    The parents of a held node are held.
    """

    def __init__(self) -> None:
        self._held: dict[int, Ints] = {}
        self._prompts: list[tuple[bytes, Node]] = []

    def __contains__(self, node: Node) -> bool:
        return node.id in self._held

    def add(self, node: Node, tokens: Ints) -> None:
        """The tokens of `node`, whose parent is held, are held."""
        self._held[node.id] = tokens

    def fresh(self, path: Sequence[Read]) -> int:
        """How many tokens on this path, from its root, are not held."""
        count = sum(len(tokens) - self._repeated(node, tokens) for node, tokens in path if node not in self)
        root, prompt = path[0]
        return count if root in self else count - self._shared(prompt)

    def add_path(self, path: Sequence[Read]) -> list[Node]:
        """All tokens on this path, from its root, are held; returns the nodes that were not held before."""
        root, prompt = path[0]
        if root not in self:
            bisect.insort(self._prompts, (_key(prompt), root), key=_first)
        new = [node for node, _ in path if node not in self]
        self._held.update((node.id, tokens) for node, tokens in path)
        return new

    def discard(self, nodes: Iterable[Node]) -> None:
        """These nodes, whose children are not held either, are not held after all."""
        gone = {node.id for node in nodes}
        self._prompts = [pair for pair in self._prompts if pair[1].id not in gone]
        for number in gone:
            del self._held[number]

    def _repeated(self, node: Node, tokens: Ints) -> int:
        """How many tokens of a node are held because it repeats the beginning of another one (see `Search.rewind`)."""
        while node.beginning_of is not None:
            node = node.beginning_of
            if node in self:
                return common(tokens, self._held[node.id])
        return 0

    def _shared(self, prompt: Ints) -> int:
        if len(prompt) and prompt.min() < 0:
            return 0
        known, key = self._prompts, _key(prompt)
        at = bisect.bisect(known, key, key=_first)
        # In the order of their tokens, none has more in common with a prompt than its neighbours.
        shared = [common(prompt, self._held[root.id]) for _, root in known[max(0, at - 1) : at + 1]]
        below = [len(k) // 4 + self._written(root, prompt[len(k) // 4 :]) for k, root in known if key.startswith(k)]
        return max(shared + below, default=0)

    def _written(self, node: Node, tokens: Ints) -> int:
        """How many of these tokens are held below `node`."""
        best = 0
        for child in node.children:
            written = self._held.get(child.id)
            if written is not None:
                size = common(written, tokens)
                best = max(best, size + (self._written(child, tokens[size:]) if size == len(written) else 0))
        return best


def _key(tokens: Ints) -> bytes:
    return tokens.astype(">i4").tobytes()


def _first(pair: tuple[bytes, Node]) -> bytes:
    return pair[0]
