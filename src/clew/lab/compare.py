"""The comparison of methods at equal compute, paired over problems and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clew.budget import AXES, check_axis
from clew.errors import UsageError
from clew.lab.comparison import Comparison, Estimate, MethodSummary, Row
from clew.lab.curves import Point, curve, grade_of, resampled
from clew.lab.stats import clustered, maj_at_k, pareto_front, pass_at_k
from clew.problem import Problem, is_right
from clew.registry import parse_spec
from clew.result import Result

_Pair = tuple[str, int]


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
