"""Accuracy against budget, computed from searches that ran once.

An aggregate of independent samples (voting, best-of-N) is evaluated on random orders of its recorded samples. A
search draws its samples by number and keeps the longest run of them that fits its budget; given how many it kept, they
are exchangeable. So the grade of the answer from the samples that fit a smaller budget, averaged over orders, is an
unbiased estimate of the grade that a search with that budget would have had. The order of completion is not used, since
short samples complete first and are not representative.

Seconds cannot be resampled, because samples run in parallel. On that axis, and for every other method, the answer at a
budget is the last proposal that was made within it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew import registry
from clew.budget import AXES, Budget, Spend, check_axis
from clew.errors import UsageError
from clew.problem import Answer, Problem, Status
from clew.result import Result
from clew.sampling import Stream
from clew.tree import Node, Origin

PERMUTATIONS = 32
"""Random orders of the samples that are averaged; with four samples or fewer, all orders are."""

_Combine = Callable[[Sequence[Node]], Answer]


@dataclass(frozen=True, slots=True)
class Point:
    """One search at one budget.

    grade: in [0, 1], the mean over orders of its samples where it is resampled; 0 without an answer.
    used: axis → amount that the search had spent when it had spent the budget or had ended, interpolated between its
        proposals.
    """

    grade: float
    used: Mapping[str, float]


def grade_of(problem: Problem, value: str | None) -> float:
    """The grade of an answer; 0 where there is none.

    Raises UsageError for a problem that cannot be graded.
    """
    grade = problem.grade(value)
    if grade is None:
        raise UsageError(f"problem {problem.id} has no grader", "Compare on problems with reference answers")
    return grade


def resampled(result: Result, axis: str) -> bool:
    """Whether the points of this result on this axis come from resampling, and not from its proposals."""
    return axis != "seconds" and combiner(result) is not None


def curve(result: Result, budgets: Sequence[float], axis: str, *, seed: int = 0) -> list[Point | None]:
    """The point of a search at each budget; None where its recording does not reach the budget.

    result: the search, as it was recorded.
    budgets: in the unit of the axis.
    axis: one of `clew.budget.AXES`.
    seed: of the random orders of the samples.

    Raises UsageError for an unknown axis, or a problem without a grader.
    """
    check_axis(axis)
    combine = None if axis == "seconds" else combiner(result)
    if combine is None:
        grades = [_held(result, b, axis) for b in budgets]
    else:
        grades = _resample(result, combine, budgets, axis, Stream(seed, result.problem.id, result.seed).generator())
    limit = reach(result, axis)
    spent = _spent(result, budgets, axis)
    return [Point(g, used) if b <= limit else None for b, g, used in zip(budgets, grades, spent, strict=True)]


def reach(result: Result, axis: str) -> float:
    """The greatest budget on an axis for which the recording of a search is valid.

    It is the search's own limit on this axis. Where another limit ended the search, it is the amount that was spent;
    where the search ended by itself and had no limit on this axis, it is infinite.
    """
    own, hit = _own_limit(result, axis), _cut_by_another(result, axis)
    if own is None and not hit:
        return math.inf
    if own is not None and not hit:
        return own
    combine = None if axis == "seconds" else combiner(result)
    if combine is None:
        return result.usage.along(axis)
    # The cost of the cancelled last sample does not count: the sample cannot take part in other orders.
    first, each = _costs(result, axis)
    return first + float(each.sum())


# --- where a recording ends -------------------------------------------------------------------------------------------


def _limit(budget: Budget, axis: str) -> float | None:
    limit: float | None = getattr(budget, axis)
    return limit


def _by_tokens(budget: Budget, axis: str) -> bool:
    return axis == "generated" and budget.generated is None and budget.tokens is not None


def _own_limit(result: Result, axis: str) -> float | None:
    if _by_tokens(result.budget, axis):
        assert result.budget.tokens is not None
        # After the prompt is paid, a limit on tokens is a limit on generated tokens.
        return max(0, result.budget.tokens - result.usage.total.prefilled)
    return _limit(result.budget, axis)


def _cut_by_another(result: Result, axis: str) -> bool:
    own = _own_limit(result, axis)
    if own is not None and result.usage.along(axis) >= own:
        return False
    others = [a for a in AXES if a != axis and not (a == "tokens" and _by_tokens(result.budget, axis))]
    limits = [(result.usage.along(a), _limit(result.budget, a)) for a in others]
    if any(limit is not None and used >= limit for used, limit in limits):
        return True
    return own is None and result.answer.status is Status.EXHAUSTED


# --- from the proposals -----------------------------------------------------------------------------------------------


def _held(result: Result, budget: float, axis: str) -> float:
    own = _own_limit(result, axis)
    # The last decode step may exceed the limit by the tokens of other continuations; the answer still is within it.
    whole = budget >= result.usage.along(axis) or (own is not None and budget >= own)
    held = [p for p in result.proposals if whole or p.usage.along(axis) <= budget]
    return grade_of(result.problem, held[-1].answer.value) if held else 0.0


def _spent(result: Result, budgets: Sequence[float], axis: str) -> list[dict[str, float]]:
    stamps = [*(p.usage for p in result.proposals), result.usage]
    along = {a: np.array([0.0, *(u.along(a) for u in stamps)]) for a in AXES}
    return [{a: float(np.interp(b, along[axis], along[a])) for a in AXES} for b in budgets]


# --- from the samples -------------------------------------------------------------------------------------------------


def combiner(result: Result) -> _Combine | None:
    """Samples → the answer of the method that drew them; None where the answer is not a function of the samples."""
    name, given = registry.parse_spec(result.method)
    if not result.samples or name not in registry.methods:
        return None
    entry = registry.methods[name]
    aggregate = entry.aggregate
    if aggregate is None:
        return None
    params = entry.completed(entry.checked(given))
    return lambda nodes: aggregate(result.problem, nodes, params)


def _costs(result: Result, axis: str) -> tuple[float, NDArray[np.float64]]:
    """(cost of the prompt, which is paid once; costs of the N samples, float64[N]), in the unit of the axis.

    Where a model caches nothing, each sample pays for the prompt. The cost of other roles, such as a judge, is divided
    evenly among the samples.
    """
    leaves = result.leaves
    prompt = sum(len(n.segment) for n in leaves[0].path() if n.origin is Origin.PROMPT)
    opened = Spend()
    if result.cost.caches:
        opened = Spend(prefilled=prompt, flops=result.cost.flops(prompt, 0), usd=result.cost.usd(prefilled=prompt))
        opened.usd -= result.cost.usd(reused=prompt)
    other = sum(float(getattr(s, axis)) for (_, role), s in result.usage.parts.items() if role != "generate")
    each = [float(getattr(_sample_spend(result, leaf, prompt), axis)) for leaf in leaves]
    return float(getattr(opened, axis)), np.array(each) + other / len(leaves)


def _sample_spend(result: Result, leaf: Node, prompt: int) -> Spend:
    generated = sum(len(n.segment) for n in leaf.solution_path if n.origin is Origin.SAMPLED)
    again = result.cost.billed(0, prompt)
    prefilled = leaf.tokens - generated + again
    return Spend(
        generated=generated,
        prefilled=prefilled,
        calls=1,
        flops=result.cost.flops(leaf.tokens + again, prompt - again),
        usd=result.cost.usd(prefilled=prefilled, reused=prompt - again, generated=generated),
    )


def _resample(
    result: Result, combine: _Combine, budgets: Sequence[float], axis: str, rng: np.random.Generator
) -> list[float]:
    leaves = result.leaves
    first, each = _costs(result, axis)
    own = _own_limit(result, axis)
    whole = np.array([own is not None and b >= own for b in budgets])
    known: dict[tuple[int, ...], float] = {}
    total = np.zeros(len(budgets))
    orders = list(_orders(len(leaves), rng))
    for order in orders:
        # The relative slack of 1e-12 keeps rounding from deciding whether the last sample fits.
        fitting = np.searchsorted(first + np.cumsum(each[order]), np.array(budgets) * (1 + 1e-12), side="right")
        for j, k in enumerate(np.where(whole, len(leaves), fitting)):
            # Samples are combined in the order of their numbers, as the search did, so that ties are broken as there.
            chosen = tuple(sorted(order[:k].tolist()))
            if chosen not in known:
                value = combine([leaves[i] for i in chosen]).value if chosen else None
                known[chosen] = grade_of(result.problem, value)
            total[j] += known[chosen]
    return [float(t) for t in total / len(orders)]


def _orders(n: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """All orders of n samples where there are few; else rotations of random orders.

    Rotations are as unbiased as independent orders and less noisy, since each sample comes first about equally often.
    """
    if math.factorial(min(n, 20)) <= PERMUTATIONS:
        yield from (np.array(p, np.intp) for p in itertools.permutations(range(n)))
        return
    turns = min(n, PERMUTATIONS)
    for _ in range(-(-PERMUTATIONS // turns)):
        base = rng.permutation(n)
        yield from (np.roll(base, shift * n // turns) for shift in range(turns))
