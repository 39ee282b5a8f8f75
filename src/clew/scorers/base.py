"""What scorers share: one that looks at each node alone, and the per-token statistics of a solution.

Higher is better. NaN is what a scorer says of a node that it cannot score: one without the tokens or the text that it
looks at (the root, above all). Where the *model* or the *task* does not give what a scorer needs, it raises UsageError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clew.errors import UsageError
from clew.tree import Node, Origin

if TYPE_CHECKING:
    from clew.search import Search

Reals = NDArray[np.float64]


@dataclass(slots=True)
class PerNode:
    """A scorer whose score of a node depends on that node only. `worth` gives it; `name` is what it is recorded as."""

    name: str
    worth: Callable[[Search, Node], float]

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """One score for each node, in order."""
        return [self.worth(search, node) for node in nodes]


def spelled(name: str, **params: object) -> str:
    """The spec that names a scorer with these parameters (None: the default, left out)."""
    given = "&".join(f"{key}={value}" for key, value in params.items() if value is not None)
    return f"{name}?{given}" if given else name


def per_token(scorer: str, node: Node, statistic: str) -> Reals:
    """A statistic of the tokens that the model chose, along the solution, float64[≤T]: without those tokens for which
    a server told nothing.

    Raises UsageError when it told nothing for any of them.
    """
    values = node.stat(statistic).astype(np.float64)
    known = values[~np.isnan(values)]
    if values.size and not known.size:
        raise UsageError(
            f"{scorer} needs the model's log-probabilities, and this one gives none",
            "Use a model that does (`clew doctor` says), or a scorer of text such as vote_share",
        )
    return known


def sampled_text(node: Node) -> list[tuple[int, int, float]]:
    """Where each token that the model chose stands in `node.solution`, and its probability: (begin, end, p)."""
    spans: list[tuple[int, int, float]] = []
    start = 0
    for part in node.solution_path:
        segment = part.segment
        if part.origin is Origin.SAMPLED and segment.logprob is not None:
            begins = (segment.offsets + start).tolist()
            ends = [*begins[1:], start + len(segment.text)]
            spans += zip(begins, ends, np.exp(segment.logprob.astype(np.float64)).tolist(), strict=True)
        start += len(segment.text)
    return spans
