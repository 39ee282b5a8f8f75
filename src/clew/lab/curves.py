"""Accuracy against budget, from searches that ran once.

An aggregate of independent samples (voting, best-of-N) is evaluated on random orders of its recorded samples. A
search draws its samples by number and keeps the longest run of them that fits its budget; given how many it kept, they
are exchangeable. So the mean over orders of the answer from the samples that fit a smaller budget is an unbiased
estimate of what a search with that budget would have answered. The order of completion plays no part in it: short
samples finish first, and are not a fair draw.

Seconds cannot be resampled, since samples run side by side. There, and for every other method, the answer at a budget
is the last proposal that was made within it.
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
"""Orders of the samples that are averaged; with four samples or fewer all orders are."""

_Combine = Callable[[Sequence[Node]], Answer]


@dataclass(frozen=True, slots=True)
class Point:
    """One search at one budget.

    grade: in [0, 1], expected over the orders of its samples where it is resampled; 0 without an answer.
    used: on each of `AXES`, what the search had spent when it had spent the budget, or had ended; interpolated between
        its proposals.
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
    """Whether the points of this result on this axis come from resampling (else from its proposals)."""
    return axis != "seconds" and combiner(result) is not None


def curve(result: Result, budgets: Sequence[float], axis: str, *, seed: int = 0) -> list[Point | None]:
    """What this search would have reached at each budget; None where the recording does not reach.

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
    """The greatest budget on `axis` that the recording can speak about.

    A search that was given B on this axis says nothing about more than B. One that was cut by another limit reaches
    as far as it went; one that ended by itself would have done so with any greater budget.
    """
    own, hit = _own_limit(result, axis), _cut_by_another(result, axis)
    if own is None and not hit:
        return math.inf
    if own is not None and not hit:
        return own
    combine = None if axis == "seconds" else combiner(result)
    if combine is None:
        return result.usage.along(axis)
    # What the cancelled last sample cost bought nothing that could be put in another order.
    first, each = _costs(result, axis)
    return first + float(each.sum())


# --- where a recording ends -------------------------------------------------------------------------------------------


def _limit(budget: Budget, axis: str) -> float | None:
    return None if axis == "generated" else getattr(budget, axis)


def _own_limit(result: Result, axis: str) -> float | None:
    if axis == "generated" and result.budget.tokens is not None:
        # A limit on tokens is one on generated tokens, once the prompt is paid.
        return max(0, result.budget.tokens - result.usage.total.prefilled)
    return _limit(result.budget, axis)


def _cut_by_another(result: Result, axis: str) -> bool:
    own = _own_limit(result, axis)
    if own is not None and result.usage.along(axis) >= own:
        return False
    others = [a for a in AXES if a != axis and not (axis == "generated" and a == "tokens")]
    limits = [(result.usage.along(a), _limit(result.budget, a)) for a in others]
    if any(limit is not None and used >= limit for used, limit in limits):
        return True
    return own is None and result.answer.status is Status.EXHAUSTED


# --- from the proposals -----------------------------------------------------------------------------------------------


def _held(result: Result, budget: float, axis: str) -> float:
    own = _own_limit(result, axis)
    # The last decode step may pass the limit by its other tokens; that answer still is the one for this budget.
    whole = budget >= result.usage.along(axis) or (own is not None and budget >= own)
    held = [p for p in result.proposals if whole or p.usage.along(axis) <= budget]
    return grade_of(result.problem, held[-1].answer.value) if held else 0.0


def _spent(result: Result, budgets: Sequence[float], axis: str) -> list[dict[str, float]]:
    stamps = [*(p.usage for p in result.proposals), result.usage]
    along = {a: np.array([0.0, *(u.along(a) for u in stamps)]) for a in AXES}
    return [{a: float(np.interp(b, along[axis], along[a])) for a in AXES} for b in budgets]


# --- from the samples -------------------------------------------------------------------------------------------------


def combiner(result: Result) -> _Combine | None:
    """Samples → the answer of the method that drew them; None for a method whose answer is no function of samples."""
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
    """The cost of the prompt, paid once, and float64[N]: of each sample. Where a model caches nothing, each sample pays
    for the prompt.

    What other roles (a judge) cost is shared out evenly over the samples: no order of them makes it cheaper.
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
        # The slack keeps the rounding of a sum from deciding whether its last sample fits.
        fitting = np.searchsorted(first + np.cumsum(each[order]), np.array(budgets) * (1 + 1e-12), side="right")
        for j, k in enumerate(np.where(whole, len(leaves), fitting)):
            # By number, as the search itself saw them: at the full budget the grade is the recorded one, ties included.
            chosen = tuple(sorted(order[:k].tolist()))
            if chosen not in known:
                value = combine([leaves[i] for i in chosen]).value if chosen else None
                known[chosen] = grade_of(result.problem, value)
            total[j] += known[chosen]
    return [float(t) for t in total / len(orders)]


def _orders(n: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """All orders of n samples where they are few; else rotations of random orders, so that each sample comes first
    about equally often, which is unbiased too and less noisy."""
    if math.factorial(min(n, 20)) <= PERMUTATIONS:
        yield from (np.array(p, np.intp) for p in itertools.permutations(range(n)))
        return
    turns = min(n, PERMUTATIONS)
    for _ in range(-(-PERMUTATIONS // turns)):
        base = rng.permutation(n)
        yield from (np.roll(base, shift * n // turns) for shift in range(turns))
