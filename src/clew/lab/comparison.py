"""A comparison of methods: its rows, and how a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import numpy as np

from clew.budget import AXES
from clew.errors import UsageError, how_to_install
from clew.lab.stats import LEVEL, Interval


@dataclass(frozen=True, slots=True)
class Row:
    """One method at one budget.

    method: the method with its parameters, as `name?key=value`.
    budget: in the unit of the comparison's axis.
    accuracy: mean over problems of the mean grade over seeds; None where the recordings do not reach this budget.
    interval: of the accuracy.
    difference: accuracy minus the baseline's on the same problems and seeds; None for the baseline itself.
    difference_interval: of the difference.
    used: axis → mean amount spent when the budget was spent or the search had ended.
    pareto: whether no method has this accuracy at a smaller budget, or a greater accuracy at this budget.
    """

    method: str
    budget: float
    accuracy: float | None
    interval: Interval | None
    difference: float | None = None
    difference_interval: Interval | None = None
    used: Mapping[str, float] = field(default_factory=dict)
    pareto: bool = False

    @property
    def reached(self) -> bool:
        """Whether the recordings reach this budget."""
        return self.accuracy is not None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over problems, and its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """The measures of a method that do not depend on a budget.

    method: the method with its parameters, as `name?key=value`.
    resampled: whether its accuracies come from resampling its samples, and not from its proposals.
    samples: mean number of recorded samples of a search.
    prefill_ratio: tokens that the engine really prefilled, divided by those with a perfect cache of each search's own
        prefixes; None where nothing was prefilled.
    used: axis → mean amount that a whole search spent.
    logical: mean tokens that a whole search would have been charged with such a cache.
    pass_at: k → pass@k, for the powers of two that every search has samples for. A sample is right when its grade is 1.
    maj_at: k → maj@k, for the same k.
    """

    method: str
    resampled: bool
    samples: float
    prefill_ratio: float | None
    used: Mapping[str, float]
    logical: float
    pass_at: Mapping[int, Estimate] = field(default_factory=dict)
    maj_at: Mapping[int, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A comparison, as `summarise` returns it.

    axis: the axis of `clew.budget.AXES` on which budgets are equal.
    budgets: in the unit of the axis.
    baseline: the method that the others are compared with.
    rows: by method, then by budget.
    methods: what does not depend on a budget.
    problems, seeds: number of distinct problems and seeds.
    searches: number of pairs of problem and seed, which are the same for every method.
    left_out: number of pairs that some method lacks or failed on.
    models: names of the models that took part.
    families: families of the problems.
    held_equal: what all methods had in common, a phrase each.
    uncached: names of models that were not seen to cache prompts.
    level: confidence level of the intervals.
    """

    axis: str
    budgets: tuple[float, ...]
    baseline: str
    rows: tuple[Row, ...]
    methods: tuple[MethodSummary, ...]
    problems: int
    seeds: int
    searches: int
    left_out: int
    models: tuple[str, ...]
    families: tuple[str, ...]
    held_equal: tuple[str, ...]
    uncached: tuple[str, ...] = ()
    level: float = LEVEL

    def of(self, method: str) -> list[Row]:
        """The rows of one method, by budget."""
        return [r for r in self.rows if r.method == method]

    @property
    def names(self) -> list[str]:
        """The methods, in order."""
        return [m.method for m in self.methods]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`. Raises UsageError where pandas is not installed."""
        return frame([asdict(row) for row in self.rows])

    def __repr__(self) -> str:
        unit = AXES[self.axis].unit
        budgets = "/".join(amount(b) for b in self.budgets)
        of = f"{self.problems} problems × {self.seeds} seeds"
        return f"<Comparison of {', '.join(self.names)} at {budgets} {unit}: {of}>"

    def _repr_html_(self) -> str:
        """The accuracies with their intervals, for a notebook."""
        head = "".join(f"<th>{escape(amount(b))}</th>" for b in self.budgets)
        lines = []
        for name in self.names:
            cells = "".join(
                "<td>–</td>"
                if row.accuracy is None or row.interval is None
                else f"<td>{row.accuracy:.0%} [{row.interval.low:.0%}, {row.interval.high:.0%}]</td>"
                for row in self.of(name)
            )
            lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        return f"<p>{escape(repr(self))}</p><table><tr><th>method</th>{head}</tr>{''.join(lines)}</table>"


def frame(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as a `pandas.DataFrame`. Raises UsageError where pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise UsageError("a data frame needs pandas, which is not installed", how_to_install("pandas")) from None
    return pandas.DataFrame(rows)


def amount(value: float, unit: str = "") -> str:
    """A number for people: 1,600, 0.25, 3.2 T."""
    text = f"{value:.2g}"
    if abs(value) >= 1e6:
        power = min(int(np.log10(abs(value))) // 3, 6)
        text = f"{value / 1000**power:.3g} {'kMGTPE'[power - 1]}"
    elif abs(value) >= 10 or value == int(value):
        text = f"{value:,.0f}"
    return f"{text} {unit}".strip()
