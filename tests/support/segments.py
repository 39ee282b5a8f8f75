"""Hand-made solutions for the scorers' tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clew.search import Search
from clew.tree import Finish, Floats, Node, Origin, Segment


def floats(values: Sequence[float] | None) -> Floats | None:
    return None if values is None else np.array(values, np.float32)


def add(
    search: Search,
    pieces: Sequence[str],
    *,
    logprob: Sequence[float] | None = None,
    entropy: Sequence[float] | None = None,
    certainty: Sequence[float] | None = None,
    top_logprob: Sequence[Sequence[float]] | None = None,
    parent: Node | None = None,
    origin: Origin = Origin.SAMPLED,
    finish: Finish = Finish.STEP,
) -> Node:
    """A node whose tokens are `pieces`, with these statistics."""
    node = parent or search.root
    starts = np.cumsum([0, *map(len, pieces)])[: len(pieces)]
    segment = Segment(
        np.zeros(len(pieces), np.int32),
        "".join(pieces),
        starts.astype(np.int32),
        finish,
        logprob=floats(logprob),
        entropy=floats(entropy),
        certainty=floats(certainty),
        top_logprob=None if top_logprob is None else np.array(top_logprob, np.float32),
    )
    return search.tree.add(node, segment, origin, node.reserve(1)[0])
