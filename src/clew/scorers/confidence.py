"""DeepConf's confidences: how sure the model was in the worst, or the last, stretch of a solution."""

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
"""The share of the groups that `kind=bottom` looks at: the paper's bottom 10 %."""


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

    A token's confidence is minus the mean log-probability of the `top` most probable tokens there (the paper's; they
    must have been recorded: `Sampling.top`). With top=0 it is the same over the whole vocabulary but for the constant
    log V: KL(uniform‖p). A group is `window` consecutive tokens (the paper's 2048), its confidence their mean; a
    solution shorter than that is one group.

    kind: lowest, the minimum over the groups; bottom, the mean of the lowest 10 % of them (at least one); tail, the
    last group.

    window: tokens in a group.
    top: most probable tokens that a confidence is taken over; 0 is the whole vocabulary.
    """
    name = spelled("group_confidence", window=window, kind=kind, top=top)

    def worth(search: Search, node: Node) -> float:
        tokens = _top_confidence(node, top) if top else per_token(name, node, "certainty")
        if not tokens.size:
            return math.nan
        groups = group_means(tokens, window)
        if kind == "tail":
            return float(groups[-1])
        count = max(1, int(len(groups) * BOTTOM)) if kind == "bottom" else 1
        return float(np.partition(groups, count - 1)[:count].mean())

    return PerNode(name, worth)


def most_confident(confidences: Sequence[float], share: float) -> list[bool]:
    """Which solutions DeepConf's offline filter keeps: those at or above the quantile 1 - share of all confidences.

    At least one is kept where there are any, and all that are as confident as the last that is kept; NaN never is.

    confidences: of the solutions, [N].
    share: η, in (0, 1].
    """
    known = [c for c in confidences if not math.isnan(c)]
    if not known:
        return [False] * len(confidences)
    # One of the values that are there: between -inf and another there is none.
    least = float(np.quantile(known, 1 - share, method="higher"))
    return [c >= least for c in confidences]


def group_means(values: Reals, window: int) -> Reals:
    """The mean of each `window` consecutive values, float64[T-window+1]; of all of them where there are fewer."""
    size = min(window, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: Reals = (sums[size:] - sums[:-size]) / size
    return means


def _top_confidence(node: Node, top: int) -> Reals:
    parts: list[Reals] = [np.zeros(0)]
    for part in node.solution_path:
        if part.origin is not Origin.SAMPLED or not len(part.segment):
            continue
        best = part.segment.top_logprob
        if best is None or best.shape[1] < top:
            recorded = 0 if best is None else best.shape[1]
            raise UsageError(
                f"group_confidence with top={top} needs that many log-probabilities a token, and {recorded} are there",
                f"Sample with top={top}, or leave `top` out to use the whole distribution",
            )
        parts.append(-np.maximum(best[:, :top].astype(np.float64), FLOOR).mean(axis=1))
    confidence = np.concatenate(parts)
    return confidence[~np.isnan(confidence)]
