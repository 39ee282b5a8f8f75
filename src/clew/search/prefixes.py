"""Prefix accounting: how many tokens of a call a perfect cache of the search's own prefixes would have to compute."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

from clew.tree import Ints, Node, common

Read = tuple[Node, Ints]
"""A node, and its tokens as the model reads them, int32[T]."""


class Prefixes:
    """The prefixes that one model has computed for a search; a node on them is called computed.

    Tokens of a path are computed already in three cases:

    1. They belong to a computed node. So two solutions share the tokens of the path that they share.
    2. They belong to a rewound node, which repeats the first tokens of a computed node (`Node.beginning_of`).
    3. They begin a prompt, and an earlier prompt began with the same tokens; or the earlier prompt is their beginning,
       and the tokens after it were written below that one. So questions to a judge share their instructions, and a
       conversation shares its earlier turns. A model that does not tell its tokens' ids has no such prefixes.

    Invariant: the parent of a computed node is computed.
    """

    def __init__(self) -> None:
        self._computed: dict[int, Ints] = {}
        self._prompts: list[tuple[bytes, Node]] = []

    def __contains__(self, node: Node) -> bool:
        return node.id in self._computed

    def add(self, node: Node, tokens: Ints) -> None:
        """Take in that `node`, whose parent is computed, is computed. tokens: its own, as the model reads them."""
        self._computed[node.id] = tokens

    def fresh(self, path: Sequence[Read]) -> int:
        """How many tokens of a path have to be computed.

        path: the nodes from the root on, each with its tokens as the model reads them.
        """
        # Cases 1 and 2 for every node of the path; then case 3 for its prompt.
        count = sum(len(tokens) - self._repeated(node, tokens) for node, tokens in path if node not in self)
        root, prompt = path[0]
        return count if root in self else count - self._shared(prompt)

    def add_path(self, path: Sequence[Read]) -> list[Node]:
        """Take in that a path is computed; returns those of its nodes that were not before."""
        root, prompt = path[0]
        if root not in self:
            bisect.insort(self._prompts, (_key(prompt), root), key=_first)
        new = [node for node, _ in path if node not in self]
        self._computed.update((node.id, tokens) for node, tokens in path)
        return new

    def discard(self, nodes: Iterable[Node]) -> None:
        """Take in that these nodes are not computed after all; nor are any of their children."""
        gone = {node.id for node in nodes}
        self._prompts = [pair for pair in self._prompts if pair[1].id not in gone]
        for number in gone:
            del self._computed[number]

    def _repeated(self, node: Node, tokens: Ints) -> int:
        """Case 2: how many tokens of a node are computed because it repeats the beginning of a computed node."""
        while node.beginning_of is not None:
            node = node.beginning_of
            if node in self:
                return common(tokens, self._computed[node.id])
        return 0

    def _shared(self, prompt: Ints) -> int:
        """Case 3: how many leading tokens of a new prompt are computed because earlier prompts begin with them."""
        if len(prompt) and prompt.min() < 0:  # -1 stands for a token that the model does not tell
            return 0
        known, key = self._prompts, _key(prompt)
        at = bisect.bisect(known, key, key=_first)
        # The earlier prompts are sorted by their tokens, so none shares a longer beginning than the two neighbours do.
        shared = [common(prompt, self._computed[root.id]) for _, root in known[max(0, at - 1) : at + 1]]
        # An earlier prompt that this one continues: what follows it here may have been written below it.
        below = [len(k) // 4 + self._written(root, prompt[len(k) // 4 :]) for k, root in known if key.startswith(k)]
        return max(shared + below, default=0)

    def _written(self, node: Node, tokens: Ints) -> int:
        """How many of the leading `tokens` are computed on one path below `node`."""
        best = 0
        for child in node.children:
            written = self._computed.get(child.id)
            if written is not None:
                size = common(written, tokens)
                best = max(best, size + (self._written(child, tokens[size:]) if size == len(written) else 0))
        return best


def _key(tokens: Ints) -> bytes:
    """Four bytes a token, the most significant first, so that keys compare as the tokens do."""
    return tokens.astype(">i4").tobytes()


def _first(pair: tuple[bytes, Node]) -> bytes:
    return pair[0]
