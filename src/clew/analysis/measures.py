"""All measures of a trace that need no model, as one flat record, and records as data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from clew.analysis.behaviours import tag_step
from clew.analysis.dynamics import checked_steps, first_wrong, forking_tokens, proposed, stated
from clew.analysis.rules import BEHAVIOURS
from clew.analysis.structure import trace_structure, tree_structure
from clew.analysis.trace import Trace
from clew.errors import UsageError
from clew.problem import is_right
from clew.result import Result

SHARES = frozenset(
    {"grade", "failed_step_fraction", "review_ratio", "repetition", "forking_share", "stated_regret", "converged_at"}
    | {"search_regret", "tree_failed_step_fraction", "tree_repetition", "first_wrong_at"}
    | {f"share_{b}" for b in BEHAVIOURS}
)
"""The measures that lie in [0, 1]."""


def trace_measures(trace: Trace, forking: float | None = None) -> dict[str, float]:
    """The measures of one trace: name → value, NaN where a measure does not apply. docs/analysis.md defines each.

    forking: the entropy in nats at and above which a token is a forking token; where None, that of the trace's own
        top fifth.
    """
    steps = trace.step_texts
    tags = [tag_step(step) for step in steps]
    held = stated(trace)
    graded = trace.grade is not None
    to_wrong, to_right = held.flips if graded else (np.nan, np.nan)
    sure = trace.stat("entropy")
    wrong = None
    if trace.problem.step_verifier is not None and steps:
        wrong = first_wrong(checked_steps(trace))
    found: dict[str, float] = {
        "grade": _number(trace.grade),
        "tokens": trace.tokens,
        "sentences": len(trace.sentences),
        "thoughts": len(trace.thoughts),
        **asdict(trace_structure(trace)),
        **{f"share_{b}": sum(b in t for t in tags) / len(tags) if tags else np.nan for b in BEHAVIOURS},
        "entropy": _mean(sure),
        "logprob": _mean(trace.stat("logprob")),
        "certainty": _mean(trace.stat("certainty")),
        "forking_share": len(forking_tokens(trace, forking)) / sure.size if np.isfinite(sure).any() else np.nan,
        "stated_regret": held.regret() / held.end if graded and held.end else np.nan,
        "right_to_wrong": to_wrong,
        "wrong_to_right": to_right,
        "answer_changes": held.changes,
        "converged_at": held.converged / held.end if held.converged is not None and held.end else np.nan,
        "overthinking": _number(held.after) if is_right(trace.grade) else np.nan,
        "first_wrong_at": wrong / len(steps) if wrong is not None else np.nan,
    }
    return {name: float(value) for name, value in found.items()}


def result_measures(result: Result) -> dict[str, float]:
    """The measures of one search's tree and of the answers that it proposed: name → value. See docs/analysis.md."""
    held = proposed(result)
    tree = {f"tree_{k}": float(v) for k, v in asdict(tree_structure(result)).items() if k != "review_ratio"}
    graded = result.grade is not None and held.end
    return tree | {
        "search_tokens": float(held.end),
        "search_regret": held.regret() / held.end if graded else float("nan"),
        "search_answer_changes": float(held.changes),
    }


def _mean(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if known.size else float("nan")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def frame(records: Sequence[Mapping[str, Any]]) -> Any:
    """Records as a pandas DataFrame. Raises UsageError where pandas is not installed."""
    try:
        import pandas as pd  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise UsageError("a data frame needs pandas, which is not installed", "pip install pandas") from None
    return pd.DataFrame(list(records))
