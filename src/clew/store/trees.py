"""The tree of a search from its rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, overload

from clew.sampling import Stream
from clew.store.format import MOST_NODES, Unpacker
from clew.tree import Node, Segment, Tree

COLUMNS = (
    *("id", "parent", "beginning_of", "origin", "role", "finish", "label", "fate", "born", "tokens", "text", "scores"),
    *("exact", "cut", "stats"),
)
"""What `tree_of` wants of each node."""


def tree_of(search: int, rows: Iterable[tuple[Any, ...]], unpack: Unpacker) -> Tree:
    """The tree of a stored search, of the rows of `nodes` that describe it, in order of `id`.

    Each node has a random stream of its own, though not the one that it was drawn from, which is not kept.

    Raises ValueError where the rows describe no tree.
    """
    tree = Tree()
    for row in rows:
        number, parent, beginning, origin, role, finish, label, fate, born, tokens, text, scores, *rest = row
        exact, cut, stats = rest
        check_links(len(tree), number, parent, beginning)
        segment = Segment(text=text, finish=finish, exact=bool(exact), cut=cut, **unpack(stats))
        if len(segment) != tokens or not (cut >= 0 and (segment.offsets >= 0).all()):
            raise ValueError(f"the statistics of node {number} are not those of its text")
        node = tree.add(
            at(tree, parent),
            segment,
            origin,
            Stream("stored", search, number),
            role=role,
            label=label,
            born=born,
            beginning_of=at(tree, beginning),
        )
        node.scores.update(scores)
        node.fate = fate
    return tree


def check_links(count: int, number: int, parent: int | None, beginning: int | None) -> None:
    """Raise ValueError where a node is not the next one after `count` others, of which one is its parent."""
    if number != count or count >= MOST_NODES:
        raise ValueError(f"a search of more nodes than {MOST_NODES:,}" if number == count else "a tree with a gap")
    for other in (parent, beginning):
        if other is not None and not 0 <= other < number:
            raise ValueError(f"node {number} hangs on node {other}")


@overload
def at(tree: Tree, number: int) -> Node: ...
@overload
def at(tree: Tree | None, number: int | None) -> Node | None: ...
def at(tree: Tree | None, number: int | None) -> Node | None:
    """The node of this number, None where there is no number or no tree. Raises ValueError for a number that the tree
    does not have."""
    if tree is None or number is None:
        return None
    if not 0 <= number < len(tree):
        raise ValueError(f"a tree of {len(tree)} nodes has no node {number}")
    return tree[number]
