"""Which sequence holds which tokens: a radix tree over token ids.

Looking a context up costs one comparison an edge. The tree knows nothing of cells; `kv_cache.py` does.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from clew.tree import Ints, common

H = TypeVar("H")


class _Edge(Generic[H]):
    """The tokens on the way from a parent to here, what goes on from here, and who ends exactly here."""

    __slots__ = ("children", "holders", "parent", "tokens")

    def __init__(self, tokens: Ints, parent: _Edge[H] | None) -> None:
        self.tokens = tokens
        self.parent = parent
        self.children: dict[int, _Edge[H]] = {}
        self.holders: dict[int, H] = {}


class PrefixTree(Generic[H]):
    """Holders of token sequences, each under a number of its own. Every leaf has a holder."""

    def __init__(self) -> None:
        self._root: _Edge[H] = _Edge(np.zeros(0, np.int32), None)
        self._places: dict[int, _Edge[H]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def insert(self, number: int, holder: H, tokens: Ints) -> None:
        """Say that `holder` now holds exactly `tokens`, int32[T]; what it held before is forgotten."""
        edge = self._descend(tokens)
        old = self._places.get(number)
        edge.holders[number] = holder
        self._places[number] = edge
        if old is not None and old is not edge:
            del old.holders[number]
            self._prune(old)

    def remove(self, number: int) -> None:
        """Say that the holder of this number holds nothing any more; nothing happens where it held nothing."""
        edge = self._places.pop(number, None)
        if edge is not None:
            del edge.holders[number]
            self._prune(edge)

    def match_prefix(self, tokens: Ints) -> tuple[int, H | None]:
        """The longest held prefix of `tokens`: its length and one that holds it (exactly it, where there is such)."""
        edge, matched = self._root, 0
        while matched < len(tokens):
            child = edge.children.get(int(tokens[matched]))
            if child is None:
                break
            shared = common(child.tokens, tokens[matched:])
            matched += shared
            edge = child
            if shared < len(child.tokens):
                break
        if matched == 0:
            return 0, None
        while not edge.holders:
            edge = next(iter(edge.children.values()))
        return matched, next(reversed(edge.holders.values()))

    def covered(self, number: int) -> bool:
        """Whether others hold all that this holder holds; one that holds no tokens is always covered.

        The number must be in the tree.
        """
        edge = self._places[number]
        return edge is self._root or bool(edge.children) or len(edge.holders) > 1

    def sequences(self) -> dict[int, list[int]]:
        """What each number holds."""
        return {number: self._tokens(edge) for number, edge in self._places.items()}

    def _tokens(self, edge: _Edge[H]) -> list[int]:
        return [] if edge.parent is None else [*self._tokens(edge.parent), *edge.tokens.tolist()]

    def _descend(self, tokens: Ints) -> _Edge[H]:
        """The edge at whose end `tokens` end, made where it is not there."""
        edge, at = self._root, 0
        while at < len(tokens):
            first = int(tokens[at])
            child = edge.children.get(first)
            if child is None:
                child = edge.children[first] = _Edge(tokens[at:].copy(), edge)
                return child
            shared = common(child.tokens, tokens[at:])
            if shared < len(child.tokens):
                child = self._split(child, shared)
            edge, at = child, at + shared
        return edge

    def _split(self, edge: _Edge[H], at: int) -> _Edge[H]:
        """Cut an edge in two after `at` tokens; the upper part."""
        assert edge.parent is not None
        upper: _Edge[H] = _Edge(edge.tokens[:at], edge.parent)
        edge.parent.children[int(edge.tokens[0])] = upper
        edge.tokens, edge.parent = edge.tokens[at:], upper
        upper.children[int(edge.tokens[0])] = edge
        return upper

    def _prune(self, edge: _Edge[H]) -> None:
        """Keep every leaf held and every inner edge needed: drop what nobody holds, join what nothing divides."""
        while edge.parent is not None and not edge.holders and not edge.children:
            parent = edge.parent
            del parent.children[int(edge.tokens[0])]
            edge = parent
        if edge.parent is not None and not edge.holders and len(edge.children) == 1:
            (child,) = edge.children.values()
            child.tokens = np.concatenate([edge.tokens, child.tokens])
            child.parent = edge.parent
            edge.parent.children[int(child.tokens[0])] = child
