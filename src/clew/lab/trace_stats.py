"""The work of `clew stats`: the measures of all traces of some runs, averaged over problems, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clew.analysis.dynamics import forking_threshold, length_and_grade
from clew.analysis.measures import SHARES, result_measures, trace_measures
from clew.analysis.trace import Trace, traces_of
from clew.lab.stats import clustered
from clew.result import Result
from clew.search import GENERATE
from clew.store import Reader, stored_problems

LENGTH = "right_is_longer"
"""The name of the measure that `clew.analysis.length_and_grade` computes for each problem."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure of one method in one run: its mean over problems, with a 95 % interval clustered by problem.

    run: the path of the run file.
    method: the method with its parameters, as `name?key=value`.
    measure: its name; docs/analysis.md defines all.
    mean: over problems, of the mean over each problem's traces; NaN where no trace has the measure.
    low, high: the interval; NaN with one problem, and for an unbounded measure that is equal in all problems.
    problems: number of problems with the measure.
    traces: number of traces with the measure; of searches, for measures of trees.
    """

    run: str
    method: str
    measure: str
    mean: float
    low: float
    high: float
    problems: int
    traces: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, in which NaN is None."""
        return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(self).items()}


def records(path: Path) -> Iterator[dict[str, Any]]:
    """One record for each trace of a run: run, problem, method, seed, node, and its measures by name.

    A token is a forking token if its entropy is among the highest fifth of all tokens of its method in this run.

    Raises StoreError for an unreadable run.
    """
    for method, results in _by_method(path):
        traces = [t for r in results for t in _traces(r)]
        threshold = forking_threshold(traces)
        for trace in traces:
            yield {
                "run": str(path),
                "problem": trace.problem.id,
                "method": method,
                "seed": trace.seed,
                "node": trace.node.id,
                **trace_measures(trace, None if np.isnan(threshold) else threshold),
            }


def measured(paths: Sequence[Path]) -> list[Measured]:
    """Every measure of every method of these runs. Raises StoreError for an unreadable run."""
    return [row for path in paths for row in _of_run(path)]


def _of_run(path: Path) -> Iterator[Measured]:
    told: dict[str, list[dict[str, Any]]] = {}
    for record in records(path):
        told.setdefault(record["method"], []).append(record)
    for method, results in _by_method(path):
        rows = told.get(method, [])
        names = [n for n in (rows[0] if rows else {}) if n not in ("run", "problem", "method", "seed", "node")]
        table = {n: [(r["problem"], r[n]) for r in rows] for n in names}
        for result in results:
            for name, value in result_measures(result).items():
                table.setdefault(name, []).append((result.problem.id, value))
        for name, pairs in table.items():
            yield _summed(str(path), method, name, pairs)
        traces = [t for r in results for t in _traces(r)]
        yield _summed(str(path), method, LENGTH, list(length_and_grade(traces).items()), lowest=-1.0)


def _by_method(path: Path) -> Iterator[tuple[str, list[Result]]]:
    with Reader.open(path) as store:
        plan, problems = store.plan, stored_problems(store)
        for method in plan.methods:
            yield method, [r for r in store.results(problems, method=method) if not r.error]


def _traces(result: Result) -> list[Trace]:
    return traces_of(result, next((m for m, role in result.usage.parts if role == GENERATE), ""))


def _summed(run: str, method: str, name: str, pairs: Sequence[tuple[str, float]], lowest: float = 0.0) -> Measured:
    groups: dict[str, list[float]] = {}
    for problem, value in pairs:
        if not np.isnan(value):
            groups.setdefault(problem, []).append(value)
    means = np.array([np.mean(values) for values in groups.values()])
    count = sum(map(len, groups.values()))
    if not means.size:
        return Measured(run, method, name, float("nan"), float("nan"), float("nan"), 0, 0)
    low, high = _interval(means, name in SHARES or lowest < 0, lowest)
    return Measured(run, method, name, float(means.mean()), low, high, len(means), count)


def _interval(means: np.ndarray[Any, np.dtype[np.float64]], bounded: bool, lowest: float) -> tuple[float, float]:
    if len(means) < 2 or (not bounded and np.ptp(means) < 1e-12):
        return float("nan"), float("nan")
    # The interval of measures without a bound is taken on a scale on which all of them lie in [-1, 1].
    scale = 1.0 if bounded else float(np.abs(means).max())
    low, high = clustered((means / scale)[:, None], lowest=lowest)[0]
    return low * scale, high * scale


def rendered(rows: Sequence[Measured], form: str) -> str:
    """Rows as `csv` or `json` (one array)."""
    import csv
    import io
    import json

    data: list[Mapping[str, Any]] = [row.as_dict() for row in rows]
    if form == "json":
        return json.dumps(data, ensure_ascii=False)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Measured.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(data)
    return out.getvalue().rstrip("\n")
