"""The comparison of methods at equal compute, paired over problems and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.budget import AXES, check_axis
from clew.errors import UsageError
from clew.lab.curves import Point, curve, grade_of, resampled
from clew.lab.stats import LEVEL, Interval, clustered, maj_at_k, pareto_front, pass_at_k
from clew.problem import Problem, is_right
from clew.registry import parse_spec
from clew.result import Result

_Pair = tuple[str, int]


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


@dataclass(frozen=True, slots=True)
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


def summarise(
    results: Iterable[Result],
    *,
    budgets: Sequence[float],
    axis: str = "tokens",
    baseline: str | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare the methods of these results at each budget on one axis.

    Only pairs of problem and seed that every method finished are compared. A failed search is left out with its pair,
    and a method whose searches all failed is left out altogether.

    results: of one run, in any order.
    budgets: in the unit of the axis.
    axis: one of `clew.budget.AXES`.
    baseline: the method that the others are compared with; the first one by default.
    seed: of all resampling.

    Raises UsageError without budgets, common pairs or graders, for an unknown axis or baseline, and for two results of
    the same method, problem and seed.
    """
    check_axis(axis)
    if not budgets or not all(b > 0 for b in budgets):
        raise UsageError("a comparison needs budgets above zero", "Give at least one")
    budgets = tuple(sorted(set(budgets)))
    return summarise_searched(
        searched(results, budgets, axis, seed), budgets=budgets, axis=axis, baseline=baseline, seed=seed
    )


def summarise_searched(
    searches: Iterable[Searched], *, budgets: tuple[float, ...], axis: str, baseline: str | None, seed: int = 0
) -> Comparison:
    """As `summarise`, but of facts that `searched` has taken from the searches for the same budgets and axis.

    budgets: ascending. axis, baseline, seed: as for `summarise`.
    """
    by_method, left_out = _pair_up(searches)
    base = _baseline(list(by_method), baseline)
    pairs = sorted(by_method[base])
    means, used = {}, {}
    for method, found in by_method.items():
        points = [found[pair].points for pair in pairs]
        means[method] = _by_problem(pairs, [[np.nan if p is None else p.grade for p in row] for row in points])
        used[method] = [_mean_used([row[j] for row in points]) for j in range(len(budgets))]
    rows = _rows(budgets, base, means, used, seed)
    finished = [s for found in by_method.values() for s in found.values()]
    return Comparison(
        axis=axis,
        budgets=budgets,
        baseline=base,
        rows=tuple(_mark_pareto(rows)),
        methods=tuple(_method(m, [s[pair] for pair in pairs], pairs, seed) for m, s in by_method.items()),
        problems=len({name for name, _ in pairs}),
        seeds=len({s for _, s in pairs}),
        searches=len(pairs),
        left_out=left_out,
        models=tuple(sorted({model for s in finished for model in s.models})),
        families=tuple(sorted({s.family for s in finished})),
        held_equal=tuple(_held_equal(by_method, axis)),
        uncached=tuple(sorted({model for s in finished for model in s.uncached})),
    )


@dataclass(frozen=True, slots=True)
class Searched:
    """The facts of one search that the comparison needs, so that its tree need not stay in memory."""

    method: str
    pair: _Pair
    error: str
    points: Sequence[Point | None]
    values: Sequence[str | None]
    grades: Sequence[float]
    resampled: bool
    used: Mapping[str, float]
    distinct: int
    computed: int
    logical: int
    uncached: frozenset[str]
    models: frozenset[str]
    family: str
    limit: str
    longest: int


def searched(results: Iterable[Result], budgets: Sequence[float], axis: str, seed: int = 0) -> Iterator[Searched]:
    """The facts of each result that a comparison needs, one after another, so that a run need not fit into memory.

    results, budgets, axis, seed: as for `summarise`.
    """
    problem: Problem | None = None
    for result in results:
        if problem is None or problem.id != result.problem.id:
            problem = result.problem.remembering()
        found = replace(result, problem=problem)
        values = [] if found.error else [problem.answer_in(leaf) for leaf in found.leaves]
        total = found.usage.total
        yield Searched(
            method=found.method,
            pair=(problem.id, found.seed),
            error=found.error,
            points=[] if found.error else curve(found, budgets, axis, seed=seed),
            values=values,
            grades=[grade_of(problem, v) for v in values],
            resampled=resampled(found, axis),
            used={a: found.usage.along(a) for a in AXES},
            distinct=total.distinct,
            computed=total.computed,
            logical=total.logical,
            uncached=frozenset(model for (model, _), s in found.usage.parts.items() if s.prefilled > s.distinct),
            models=frozenset(model for model, _ in found.usage.parts),
            family=problem.family,
            limit=str(found.budget),
            longest=problem.max_tokens,
        )


def _pair_up(searches: Iterable[Searched]) -> tuple[dict[str, dict[_Pair, Searched]], int]:
    """(method → pair → search, for the pairs that all methods have; number of pairs left out)."""
    by_method: dict[str, dict[_Pair, Searched]] = {}
    seen: set[_Pair] = set()
    for search in searches:
        seen.add(search.pair)
        found = by_method.setdefault(search.method, {})
        if search.pair in found:
            raise UsageError(
                f"{search.method} has two results for problem {search.pair[0]} with seed {search.pair[1]}",
                "Give the results of one run",
            )
        if not search.error:
            found[search.pair] = search
    # A method whose searches all failed is dropped, so that the other methods can still be compared.
    by_method = {method: found for method, found in by_method.items() if found}
    common = set.intersection(*(set(f) for f in by_method.values())) if by_method else set()
    if not common:
        raise UsageError(
            "there is no problem and seed that every method has finished", "Run them all on the same problems and seeds"
        )
    kept = {m: {p: s for p, s in found.items() if p in common} for m, found in by_method.items()}
    return kept, len(seen - common)


def _baseline(names: list[str], wanted: str | None) -> str:
    if wanted is None:
        return names[0]
    for name in names:
        if name == wanted or parse_spec(name) == parse_spec(wanted):
            return name
    raise UsageError(f"the baseline {wanted!r} is not among the methods", f"Choose one of {', '.join(names)}")


def _by_problem(pairs: Sequence[_Pair], values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """float64[problems, columns]: the mean over the seeds of each problem. values: one row of columns a pair."""
    table = np.asarray(values, np.float64)
    names = np.array([name for name, _ in pairs], dtype=object)
    return np.stack([table[names == name].mean(axis=0) for name in dict.fromkeys(names)])


def _mean_used(points: Sequence[Point | None]) -> dict[str, float]:
    there = [p for p in points if p is not None]
    if len(there) < len(points):
        return {}
    return {a: float(np.mean([p.used[a] for p in there])) for a in AXES}


def _rows(
    budgets: Sequence[float],
    base: str,
    means: Mapping[str, NDArray[np.float64]],
    used: Mapping[str, list[dict[str, float]]],
    seed: int,
) -> list[Row]:
    rows: list[Row] = []
    for method, table in means.items():
        # A mean without some problems could not be compared with the other budgets, so the whole column counts as not
        # reached.
        intervals = clustered(np.nan_to_num(table), seed=seed)
        apart = table - means[base]
        differences = clustered(np.nan_to_num(apart), lowest=-1.0, seed=seed)
        for j, budget in enumerate(budgets):
            accuracy = float(table[:, j].mean())
            difference = float(apart[:, j].mean())
            reached, paired = not np.isnan(accuracy), method != base and not np.isnan(difference)
            rows.append(
                Row(
                    method=method,
                    budget=budget,
                    accuracy=accuracy if reached else None,
                    interval=intervals[j] if reached else None,
                    difference=difference if paired else None,
                    difference_interval=differences[j] if paired else None,
                    used=used[method][j],
                )
            )
    return rows


def _mark_pareto(rows: Sequence[Row]) -> list[Row]:
    # A point with no right answer is on no front.
    reached = [r for r in rows if r.accuracy]
    front = pareto_front([r.budget for r in reached], [r.accuracy or 0.0 for r in reached])
    on_front = {(r.method, r.budget) for r, on in zip(reached, front, strict=True) if on}
    return [replace(r, pareto=(r.method, r.budget) in on_front) for r in rows]


def _method(method: str, searches: Sequence[Searched], pairs: Sequence[_Pair], seed: int) -> MethodSummary:
    distinct, computed = sum(s.distinct for s in searches), sum(s.computed for s in searches)
    fewest = min(len(s.values) for s in searches)
    ks = [2**i for i in range(fewest.bit_length())]
    pass_at: dict[int, Estimate] = {}
    maj_at: dict[int, Estimate] = {}
    if ks:
        right = [[pass_at_k(len(s.grades), sum(map(is_right, s.grades)), k) for k in ks] for s in searches]
        pass_at = _estimates(ks, pairs, right, seed)
        maj_at = _estimates(ks, pairs, [[maj_at_k(s.values, s.grades, k) for k in ks] for s in searches], seed)
    return MethodSummary(
        method=method,
        resampled=all(s.resampled for s in searches),
        samples=float(np.mean([len(s.values) for s in searches])),
        prefill_ratio=computed / distinct if distinct else None,
        used={a: float(np.mean([s.used[a] for s in searches])) for a in AXES},
        logical=float(np.mean([s.logical for s in searches])),
        pass_at=pass_at,
        maj_at=maj_at,
    )


def _estimates(
    ks: Sequence[int], pairs: Sequence[_Pair], values: Sequence[Sequence[float]], seed: int
) -> dict[int, Estimate]:
    table = _by_problem(pairs, values)
    intervals = clustered(table, seed=seed)
    return {k: Estimate(float(table[:, j].mean()), intervals[j]) for j, k in enumerate(ks)}


def _held_equal(by_method: Mapping[str, Mapping[_Pair, Searched]], axis: str) -> list[str]:
    """What the methods have in common, a phrase each."""
    searches = [s for found in by_method.values() for s in found.values()]
    equal = [f"the budget in {AXES[axis].unit}", "the problems and their seeds, search by search"]
    models = [{model for s in found.values() for model in s.models} for found in by_method.values()]
    if all(m == models[0] for m in models):
        equal.append(f"the model ({', '.join(sorted(models[0]))})")
    limits = {s.limit for s in searches}
    if len(limits) == 1:
        equal.append(f"the limit that each search ran under ({limits.pop()})")
    longest = {s.longest for s in searches}
    if len(longest) == 1:
        equal.append(f"the longest solution allowed ({longest.pop()} tokens)")
    return equal


def amount(value: float, unit: str = "") -> str:
    """A number for people: 1,600, 0.25, 3.2 T."""
    text = f"{value:.2g}"
    if abs(value) >= 1e6:
        power = min(int(np.log10(abs(value))) // 3, 6)
        text = f"{value / 1000**power:.3g} {'kMGTPE'[power - 1]}"
    elif abs(value) >= 10 or value == int(value):
        text = f"{value:,.0f}"
    return f"{text} {unit}".strip()
