"""What scorers share: a scorer that looks at each node on its own, scales, and per-token statistics of a solution.

Higher scores are better. A scorer gives NaN to a node that it cannot score, because the node lacks the tokens or the
text that the scorer looks at, as the root does. It raises UsageError where the model or the task lacks what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from clew.errors import UsageError
from clew.registry import Scale, scorers
from clew.tree import Node, Origin

if TYPE_CHECKING:
    from clew.search import Scorer, Search

Reals = NDArray[np.float64]


@dataclass(slots=True)
class PerNode:
    """A scorer that looks at each node on its own.

    name: the name under which its scores are recorded on the nodes.
    score: gives the score of one node.
    scale: what kind of number that is, for a scorer that is not registered; a registered one has it from its entry.
    """

    name: str
    score: Callable[[Search, Node], float]
    scale: Scale | None = None

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """One score for each node, in order."""
        return [self.score(search, node) for node in nodes]


def scale_of(scorer: Scorer | str) -> Scale:
    """What kind of number a scorer gives.

    A registered scorer declares it in its registry entry, another one in its attribute `scale`. A scorer that declares
    nothing is unbounded.

    scorer: a scorer, or the spec of a registered one.

    Raises UsageError for a scorer that declares a scale that does not exist.
    """
    if isinstance(scorer, str):
        return scorers.resolved(scorer)[0].scale
    declared: Scale | None = getattr(scorer, "scale", None)
    if declared is None:
        name, _, _ = scorer.name.partition("?")
        return scorers[name].scale if name in scorers else "unbounded"
    if declared not in get_args(Scale):
        raise UsageError(
            f"scorer {scorer.name} declares the scale {declared!r}", f"Choose {', '.join(get_args(Scale))}"
        )
    return declared


def spelled(name: str, **params: object) -> str:
    """The name under which the scores of a registered scorer with these parameters are recorded: its shortest spec."""
    return scorers[name].spelled(params)


def per_token(scorer: str, node: Node, statistic: str) -> Reals:
    """A statistic of those tokens of a solution that the model chose and of which it is known, float64[≤T].

    Inserted tokens are left out, and so are tokens for which a server gave no log-probabilities.

    scorer: the scorer or method that needs the statistic, for the error.
    node: the solution.
    statistic: the name of a per-token array of `Segment`.

    Raises UsageError when the server gave log-probabilities for none of the tokens.
    """
    values = node.stat(statistic).astype(np.float64)
    known = values[~np.isnan(values)]
    if values.size and not known.size:
        raise UsageError(
            f"{scorer} needs the model's log-probabilities, and this model gives none",
            "Use a model that gives them (`clew doctor` says which do), or a scorer of the text such as vote_share",
        )
    return known


def sampled_text(node: Node) -> list[tuple[int, int, float]]:
    """The place of each token that the model chose in `node.solution`, and the token's probability: (begin, end, p).

    The text of the token is `node.solution[begin:end]`. A token of unknown probability has p = NaN.
    """
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
