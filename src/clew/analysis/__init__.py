"""Reasoning traces: read them, measure them, change them. See docs/analysis.md.

from clew import analysis
trace = analysis.traces_of(result)[0]
analysis.trace_measures(trace)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clew.analysis.agreement import kappa
    from clew.analysis.anchors import find_anchors, forced_answers
    from clew.analysis.behaviours import tag_step, tagger
    from clew.analysis.dynamics import forking_threshold, forking_tokens, length_and_grade, profile, proposed, stated
    from clew.analysis.editing import edit, faithfulness, force_tokens
    from clew.analysis.graph import reasoning_graph
    from clew.analysis.io.reading import read_traces
    from clew.analysis.io.run_file import import_run
    from clew.analysis.measures import frame, result_measures, trace_measures
    from clew.analysis.plots import plot_anchors, plot_profile, plot_timeline
    from clew.analysis.replay import step_values
    from clew.analysis.segment import sentences, steps, thoughts
    from clew.analysis.structure import trace_structure, tree_structure
    from clew.analysis.trace import Trace, traces_of

_LAZY = {
    "agreement": ("kappa",),
    "anchors": ("find_anchors", "forced_answers"),
    "behaviours": ("tag_step", "tagger"),
    "dynamics": ("forking_threshold", "forking_tokens", "length_and_grade", "profile", "proposed", "stated"),
    "editing": ("edit", "faithfulness", "force_tokens"),
    "graph": ("reasoning_graph",),
    "io.reading": ("read_traces",),
    "io.run_file": ("import_run",),
    "measures": ("frame", "result_measures", "trace_measures"),
    "plots": ("plot_anchors", "plot_profile", "plot_timeline"),
    "replay": ("step_values",),
    "segment": ("sentences", "steps", "thoughts"),
    "structure": ("trace_structure", "tree_structure"),
    "trace": ("Trace", "traces_of"),
}
_HOME = {name: module for module, names in _LAZY.items() for name in names}

__all__ = [
    "Trace",
    "edit",
    "faithfulness",
    "find_anchors",
    "force_tokens",
    "forced_answers",
    "forking_threshold",
    "forking_tokens",
    "frame",
    "import_run",
    "kappa",
    "length_and_grade",
    "plot_anchors",
    "plot_profile",
    "plot_timeline",
    "profile",
    "proposed",
    "read_traces",
    "reasoning_graph",
    "result_measures",
    "sentences",
    "stated",
    "step_values",
    "steps",
    "tag_step",
    "tagger",
    "thoughts",
    "trace_measures",
    "trace_structure",
    "traces_of",
    "tree_structure",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"clew.analysis.{_HOME[name]}"), name)
    raise AttributeError(f"module 'clew.analysis' has no attribute {name!r}")
