"""The comparison of two runs: what each method gained or lost, paired over the problems that both runs have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from clew.budget import AXES
from clew.errors import UsageError
from clew.lab.compare import Searched, searched, summarise_searched
from clew.lab.comparison import Row, amount
from clew.lab.notes import count, percent, span
from clew.lab.stats import LEVEL
from clew.problem import Problem
from clew.result import Result
from clew.store import Reader, stored_problems


@dataclass(frozen=True, slots=True)
class Change:
    """One method in both runs.

    method: the method with its parameters, as `name?key=value`.
    before: a row for each budget, of the first run.
    after: a row for each budget, of the second run; its `difference` is its accuracy minus that of the first run on the
        same problems and seeds.
    searches: number of pairs of problem and seed that both runs have finished.
    """

    method: str
    before: tuple[Row, ...]
    after: tuple[Row, ...]
    searches: int


@dataclass(frozen=True, slots=True)
class Across:
    """The comparison of two runs, as `across` returns it.

    axis: the axis on which budgets are equal.
    budgets: in the unit of the axis.
    changes: one for each method that both runs have, in the order of the first run.
    unpaired: methods that the other run lacks, or has not finished on any common pair of problem and seed.
    problems: number of problems that are the same in both runs.
    different: number of problems with the same id and another question or answer.
    level: confidence level of the intervals.
    """

    axis: str
    budgets: tuple[float, ...]
    changes: tuple[Change, ...]
    unpaired: tuple[str, ...]
    problems: int
    different: int
    level: float = LEVEL

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @property
    def reach(self) -> float:
        """The half-width of the scale of differences, so that all intervals fit; at least 0.1."""
        found = [row.difference_interval for change in self.changes for row in change.after if row.difference_interval]
        return max([0.1, *(abs(x) for interval in found for x in interval)])


def across(first: Reader, second: Reader, on_search: Callable[[], None] = lambda: None) -> Across:
    """Compare each method of a run with itself in another run, on the problems and seeds that both have finished.

    The axis is that of the first run, the budgets are those of both. A problem is the same in both runs when its id,
    its question and its accepted answer are equal.

    first, second: the run files, open.
    on_search: is called after each search is read; it may raise an exception to abort the comparison.

    Raises UsageError where the runs have no problem, or no finished method, in common.
    """
    ours, theirs = stored_problems(first), stored_problems(second)
    others = {p.id: p for p in theirs}
    named = [p for p in ours if p.id in others]
    same = {p.id for p in named if _asked(p) == _asked(others[p.id])}
    if not same:
        raise UsageError("the two runs have no problem in common", "Compare runs of one task, seed and difficulty")
    axis = first.plan.view["axis"]
    budgets = tuple(sorted({*first.plan.view["budgets"], *second.plan.view["budgets"]}))

    def results(run: Reader, problems: Sequence[Problem], method: str) -> Iterator[Result]:
        for result in run.results(problems, method=method, every_tree=False):
            on_search()
            if result.problem.id in same:
                yield result

    def searches(method: str) -> Iterator[Searched]:
        for name, run, problems in (("before", first, ours), ("after", second, theirs)):
            for search in searched(results(run, problems, method), budgets, axis):
                yield replace(search, method=name)

    changes: list[Change] = []
    unpaired: list[str] = []
    for method in first.plan.methods:
        found = list(searches(method)) if method in second.plan.methods else []
        pairs = [{s.pair for s in found if s.method == run and not s.error} for run in ("before", "after")]
        if not pairs[0] & pairs[1]:
            unpaired.append(method)
            continue
        compared = summarise_searched(found, budgets=budgets, axis=axis, baseline="before")
        rows = [tuple(compared.of(run)) for run in ("before", "after")]
        changes.append(Change(method, rows[0], rows[1], compared.searches))
    unpaired += [m for m in second.plan.methods if m not in first.plan.methods]
    if not changes:
        raise UsageError("the two runs have finished no method in common", "Compare runs that share a method and seeds")
    return Across(axis, budgets, tuple(changes), tuple(unpaired), len(same), len(named) - len(same))


def _asked(problem: Problem) -> tuple[str, str | None]:
    return problem.question, problem.reference


@dataclass(frozen=True, slots=True)
class AcrossNotes:
    """The sentences about a comparison of two runs.

    finding: the result.
    table: the explanation of its table.
    left_out: what is not compared; empty where nothing is left out.
    """

    finding: str
    table: str
    left_out: str


def notes(a: Across) -> AcrossNotes:
    """The sentences about this comparison."""
    left = []
    if a.unpaired:
        left.append(f"Not in both runs, or with no search in common: {', '.join(a.unpaired)}.")
    if a.different:
        left.append(f"{count(a.different, 'problem')} of the same id ask something else in the other run.")
    return AcrossNotes(
        finding=_finding(a),
        table=f"Accuracy in percent in the first run → in the second, each with its {a.level:.0%} interval; below, the "
        f"difference in points on the same {count(a.problems, 'problem')} and seeds. The dashed line is no difference, "
        f"the bars span ±{100 * a.reach:.0f} points. Bold: the interval leaves zero out. Each interval is for one "
        "method and budget by itself: of many, some leave zero out by chance.",
        left_out=" ".join(left),
    )


def _finding(a: Across) -> str:
    """Which methods clearly differ at the greatest budget that both runs reach."""
    at = [
        b for b in a.budgets if any(row.difference is not None for c in a.changes for row in c.after if row.budget == b)
    ]
    if not at:
        return "The two runs reach no budget in common."
    said = []
    for change in a.changes:
        (row,) = [row for row in change.after if row.budget == at[-1]]
        if row.difference is None or row.difference_interval is None:
            continue
        if row.difference_interval.low > 0 or row.difference_interval.high < 0:
            said.append(f"{change.method} {percent(row.difference, '+')} ({span(row.difference_interval, '+')})")
    where = f"With {amount(at[-1])} {AXES[a.axis].unit} a search"
    if not said:
        return f"{where} the data do not tell the two runs apart, for any method."
    rest = len(a.changes) - len(said)
    text = f"{where} the second run differs, in points: {'; '.join(said)}."
    return f"{text} For the {count(rest, 'other method')} the data do not tell the runs apart." if rest else text
