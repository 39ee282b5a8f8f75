"""Plots of traces for notebooks, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clew.analysis.anchors import Anchors
from clew.analysis.dynamics import Timeline, profile
from clew.analysis.trace import Trace
from clew.errors import UsageError, how_to_install
from clew.problem import is_right


def _axes(axes: Any) -> Any:
    if axes is not None:
        return axes
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise UsageError("plots need matplotlib, which is not installed", how_to_install("report")) from None
    return plt.subplots(figsize=(7, 3.5), layout="constrained")[1]


def plot_profile(traces: Sequence[Trace], stat: str = "entropy", *, bins: int = 20, axes: Any = None) -> Any:
    """Plot the mean of a per-token statistic along right and along wrong traces, all scaled to the same length.

    stat: a statistic of `Segment`, such as `entropy` or `logprob`.
    bins: equal parts of each trace.
    axes: matplotlib axes to draw on; new ones by default.

    Returns the matplotlib axes. Raises UsageError without matplotlib.
    """
    axes = _axes(axes)
    places = (np.arange(bins) + 0.5) / bins
    for name, want in (("right", True), ("wrong", False), ("not graded", None)):
        chosen = [t for t in traces if (None if t.grade is None else is_right(t.grade)) is want]
        known = np.array([profile(t, stat, bins) for t in chosen]).reshape(-1, bins)
        known = known[~np.isnan(known).all(axis=1)]
        if len(known):
            axes.plot(places, np.nanmean(known, axis=0), label=f"{name} ({len(known)})")
    axes.set(xlabel="part of the trace", ylabel=stat, xlim=(0, 1))
    axes.legend()
    return axes


def plot_timeline(timelines: Sequence[Timeline], *, axes: Any = None) -> Any:
    """Plot anytime accuracy: the mean success if stopped at each token. The area above it is the mean regret.

    axes: matplotlib axes to draw on; new ones by default.

    Returns the matplotlib axes. Raises UsageError without matplotlib.
    """
    axes = _axes(axes)
    places = np.unique(np.concatenate([np.append(t.tokens, t.end) for t in timelines] + [np.zeros(1)]))
    axes.step(places, np.mean([t.at(places.tolist()) for t in timelines], axis=0), where="post")
    axes.set(xlabel="tokens", ylabel="success if stopped", ylim=(0, 1.02))
    return axes


def plot_anchors(found: Anchors, *, axes: Any = None) -> Any:
    """Plot the counterfactual importance of each sentence as a bar, filled where p < 0.05.

    axes: matplotlib axes to draw on; new ones by default.

    Returns the matplotlib axes. Raises UsageError without matplotlib.
    """
    axes = _axes(axes)
    heights = np.nan_to_num([a.counterfactual for a in found.anchors])
    bars = axes.bar(range(len(heights)), heights)
    for bar, anchor in zip(bars, found.anchors, strict=True):
        bar.set_fill(anchor.p < 0.05)
        bar.set_edgecolor(bar.get_facecolor()[:3])
    axes.set(xlabel="sentence", ylabel="importance (KL, nats)")
    return axes
