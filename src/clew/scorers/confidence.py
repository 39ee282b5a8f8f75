"""The confidences of DeepConf: how sure the model was in the least sure, or the last, group of consecutive tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from clew.errors import UsageError
from clew.models.draw import FLOOR
from clew.parameters import Count, Range
from clew.registry import scorer
from clew.scorers.base import PerNode, Reals, per_token, spelled
from clew.tree import Node, Origin

if TYPE_CHECKING:
    from clew.search import Scorer, Search

Kind = Literal["lowest", "bottom", "tail"]
BOTTOM = 0.1
"""The share of the groups that `kind=bottom` averages over: the paper's bottom 10 %."""


@scorer(
    "group_confidence",
    family="likelihood",
    paper="arXiv:2508.15260",
    needs={"logprobs"},
    proof="tests/scorers/test_confidence.py",
    departs="Without `top`, a token's confidence is taken over the whole vocabulary, not over the most probable "
    "tokens. Windows of 64 tokens, for solutions shorter than the paper's.",
)
def group_confidence(*, window: Count = 64, kind: Kind = "lowest", top: Annotated[int, Range(low=0)] = 0) -> Scorer:
    """The confidence of the least sure window of tokens, of the least sure tenth of the windows, or of the last one.

    The confidence of a token is minus the mean log-probability of the `top` most probable tokens in its place, in nats.
    With top=0 the mean is over the whole vocabulary of V tokens, and log V is subtracted from it: KL(uniform‖p). The
    confidence of a group of consecutive tokens is the mean of theirs.

    window: the number of tokens in a group (2048 in the paper); a shorter solution is one group.
    kind: how the confidences of the groups make one score.
        `lowest`: the lowest of them. `bottom`: the mean of the lowest 10 % (at least one). `tail`: that of the last.
    top: the number of most probable tokens that a confidence is taken over; 0 is the whole vocabulary.

    Raises UsageError where `top` is more than was recorded while sampling (`Sampling.top`).
    """
    name = spelled("group_confidence", window=window, kind=kind, top=top)

    def score(search: Search, node: Node) -> float:
        tokens = _top_confidence(node, top) if top else per_token(name, node, "certainty")
        if not tokens.size:
            return math.nan
        groups = group_means(tokens, window)
        if kind == "tail":
            return float(groups[-1])
        count = max(1, int(len(groups) * BOTTOM)) if kind == "bottom" else 1
        return float(np.partition(groups, count - 1)[:count].mean())

    return PerNode(name, score)


def most_confident(confidences: Sequence[float], share: float) -> list[bool]:
    """Which solutions DeepConf's offline filter keeps, bool[N]: those in the most confident share (section 3.2).

    These are the solutions at or above the quantile 1 - share of all confidences: at least one, and every solution that
    is as confident as another one that is kept. A solution with the confidence NaN is never kept.

    confidences: the confidence of each solution, [N].
    share: η of the paper, in (0, 1].
    """
    known = [c for c in confidences if not math.isnan(c)]
    if not known:
        return [False] * len(confidences)
    # A quantile that is one of the values: interpolating between -inf and a number would give NaN.
    least = float(np.quantile(known, 1 - share, method="higher"))
    return [c >= least for c in confidences]


def group_means(values: Reals, window: int) -> Reals:
    """The means of all groups of consecutive values, float64[T-window+1].

    values: float64[T].
    window: the number of values in a group; fewer values than that are one group.
    """
    size = min(window, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: Reals = (sums[size:] - sums[:-size]) / size
    return means


def _top_confidence(node: Node, top: int) -> Reals:
    """The confidence of each token that the model chose over the `top` most probable ones there, float64[≤T]."""
    parts: list[Reals] = [np.zeros(0)]
    for part in node.solution_path:
        if part.origin is not Origin.SAMPLED or not len(part.segment):
            continue
        best = part.segment.top_logprob
        if best is None or best.shape[1] < top:
            recorded = 0 if best is None else best.shape[1]
            raise UsageError(
                f"group_confidence?top={top} needs {top} log-probabilities of each token, and {recorded} were recorded",
                f"Sample with top={top}, or leave `top` out to use the whole distribution",
            )
        parts.append(-np.maximum(best[:, :top].astype(np.float64), FLOOR).mean(axis=1))
    confidence = np.concatenate(parts)
    return confidence[~np.isnan(confidence)]
