"""What a perfect cache of one search's own prefixes would hold: how many tokens of a call are new to the search."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from clew.tree import Ints, Node, common


class Prefixes:
    """Nodes whose tokens a search has computed, and the prompts among them, by model.

    Two nodes share what their paths share. Where the model tells its tokens, a prompt shares those with which it and an
    earlier one begin, and what was written below that one too: questions put to a judge mostly begin alike, and a
    conversation goes on from its earlier turns.
    """

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._prompts: dict[str, list[tuple[bytes, Node]]] = {}

    def __contains__(self, node: Node) -> bool:
        return node.id in self._held

    def add(self, node: Node) -> None:
        """The tokens of `node`, whose parent is held, are held."""
        self._held.add(node.id)

    def fresh(self, model: str, path: Sequence[Node]) -> int:
        """How many tokens on this path, from its root, are not held."""
        count = sum(len(n.segment) for n in path if n not in self)
        return count if path[0] in self else count - self._shared(model, path[0].segment.token_ids)

    def add_path(self, model: str, path: Sequence[Node]) -> None:
        """All tokens on this path, from its root, are held."""
        if path[0] not in self:
            known = self._prompts.setdefault(model, [])
            bisect.insort(known, (_key(path[0].segment.token_ids), path[0]), key=_first)
        self._held.update(n.id for n in path)

    def _shared(self, model: str, prompt: Ints) -> int:
        if len(prompt) and prompt.min() < 0:
            return 0
        known, key = self._prompts.get(model, []), _key(prompt)
        at = bisect.bisect(known, key, key=_first)
        # In the order of their tokens, none has more in common with a prompt than its neighbours.
        shared = [common(prompt, root.segment.token_ids) for _, root in known[max(0, at - 1) : at + 1]]
        below = [len(k) // 4 + self._written(root, prompt[len(k) // 4 :]) for k, root in known if key.startswith(k)]
        return max(shared + below, default=0)

    def _written(self, node: Node, tokens: Ints) -> int:
        """How many of these tokens are held below `node`."""
        best = 0
        for child in node.children:
            if child in self:
                written = child.segment.token_ids
                size = common(written, tokens)
                best = max(best, size + (self._written(child, tokens[size:]) if size == len(written) else 0))
        return best


def _key(tokens: Ints) -> bytes:
    return tokens.astype(">i4").tobytes()


def _first(pair: tuple[bytes, Node]) -> bytes:
    return pair[0]
