"""The shape of one search's tree: numbers only, small enough to be kept between requests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.store import Reader
from clew.store.reader import damage_told
from clew.store.trees import check_links


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A tree of n nodes. The ids of nodes are 0 to n−1, and a parent comes before its children.

    parents: int64[n], −1 for a root. depth: int32[n], 0 for a root. leaf: bool[n].
    rewound: bool[n], whether another node repeats the beginning of this one.
    best: the ids from the root to the answer. on_best: bool[n], whether a node is one of them.
    score_names: of all scores that nodes have. distinct: tokens of all nodes, those that a node repeats counted once.
    most_tokens: the most tokens in one node. most_born: the most tokens that had been spent when a node was made.
    """

    parents: NDArray[np.int64]
    depth: NDArray[np.int32]
    leaf: NDArray[np.bool_]
    rewound: NDArray[np.bool_]
    best: tuple[int, ...]
    on_best: NDArray[np.bool_]
    score_names: tuple[str, ...]
    distinct: int
    most_tokens: int
    most_born: int

    def path(self, node: int) -> list[int]:
        """The ids from the root to this node."""
        return path_to(self.parents, node)


def path_to(parents: NDArray[np.int64], node: int) -> list[int]:
    """The ids from the root to a node."""
    found = [node]
    while parents[found[-1]] >= 0:
        found.append(int(parents[found[-1]]))
    return found[::-1]


def shape_of(reader: Reader, result: int, count: int, answer: int | None) -> Shape:
    """Read the shape of a tree.

    reader: of the run file. result: the number of the search. count: of its nodes. answer: the node that ends the
    solution.

    Raises StoreError where the nodes make no such tree.
    """
    names = ("id", "parent", "beginning_of", "born", "tokens", "scores")
    rows = list(reader.select("nodes", names, "WHERE result = ? ORDER BY id", (result,)))
    with damage_told(reader.path):
        for i, row in enumerate(rows):
            check_links(i, *row[:3])
        if len(rows) != count or not (answer is None or 0 <= answer < count):
            raise ValueError(f"a tree of {len(rows)} nodes is said to have {count}, and the answer at {answer}")
    parents, depth = np.full(count, -1, np.int64), np.zeros(count, np.int32)
    leaf, rewound, on_best = np.ones(count, np.bool_), np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    score_names: dict[str, None] = {}
    distinct = most_tokens = most_born = 0
    for node, parent, beginning, born, tokens, scores in rows:
        if parent is not None:
            parents[node], depth[node], leaf[parent] = parent, depth[parent] + 1, False
        if beginning is None:
            distinct += tokens
        else:
            rewound[beginning] = True
        most_tokens, most_born = max(most_tokens, tokens), max(most_born, born)
        score_names |= dict.fromkeys(scores)
    best = [] if answer is None else path_to(parents, answer)
    on_best[best] = True
    return Shape(
        parents, depth, leaf, rewound, tuple(best), on_best, tuple(score_names), distinct, most_tokens, most_born
    )
