"""The conformance suite of methods, `check_method`, and the scorers that it needs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from clew import registry
from clew.background import run_afresh
from clew.budget import Budget
from clew.models.base import Model
from clew.needs import Check
from clew.problem import Problem, Status
from clew.registry import Entry, scorer
from clew.result import Result
from clew.runner import Trial, run_trial
from clew.search import Scorer, Search
from clew.testing.limited import Limited
from clew.tree import Node

BUDGETS = (1, 2, 5, 17, 60, 250, 1000)
"""Tokens beyond the prompt that `check_method` tries."""
PLENTY = 4000
"""Tokens beyond the prompt within which a method has to answer."""


class _Constant:
    def __init__(self, name: str, value: float) -> None:
        self.name = name
        self.value = value

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        return [self.value] * len(nodes)


class ScorerBroke(Exception):
    """The error of the scorer that always fails."""


class _Failing:
    name = "testing_failing"

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        raise ScorerBroke("this scorer always fails")


@scorer("testing_constant", family="testing")
def testing_constant(*, value: float = 0.0) -> Scorer:
    """The same score for every node, which carries no information.

    value: the score.
    """
    return _Constant("testing_constant", value)


@scorer("testing_nan", family="testing")
def testing_nan() -> Scorer:
    """NaN for every node, which says that there is nothing to score."""
    return _Constant("testing_nan", math.nan)


@scorer("testing_failing", family="testing")
def testing_failing() -> Scorer:
    """A scorer that always raises."""
    return _Failing()


def check_method(
    spec: str,
    *,
    problem: Problem | None = None,
    model: Callable[[], Model] | None = None,
    knows: Callable[[], Model] | None = None,
    models: Mapping[str, Model] | None = None,
) -> None:
    """Check that the registered method `spec` (`name?key=value`)

    - exceeds no token budget by more than one decode step, and makes no more calls than a budget of calls allows;
    - is anytime: where the budget ends it, it returns its last proposal;
    - grows the same tree and gives the same answer from the same seed, alone and beside other searches;
    - works on a model that offers exactly the declared needs of the method and of its scorers;
    - answers right, within a sufficient budget, on a model that knows the answer;
    - describes each of its parameters;
    - where it takes a `scorer`: survives one that gives a constant or NaN, and does not swallow a scorer's error.

    problem: the problem that it is tried on; by default a sum, for the toy solver.
    model: makes the model that it is tried on; by default a toy solver that is right in some of its solutions.
    knows: makes a model that is always right; by default `model`, or else the toy solver without mistakes.
    models: role → model, for the roles that the method asks.

    Raises AssertionError that names the broken promise.
    """
    entry, params = registry.methods.resolved(spec)
    from clew.models import load
    from clew.tasks import load_problems

    check_meanings(entry)

    make = model or (lambda: load("toy:arithmetic?skill=0.6"))
    given = problem or load_problems("arith", count=1, seed=0, shots=0)[0]
    reference, declared = given.reference, _declared(spec)
    if Check.VERIFIER in declared and given.verifier is None:
        given = replace(given, verifier=lambda value: float(value == reference))
    if Check.STEP_VERIFIER in declared and given.step_verifier is None:
        given = replace(given, step_verifier=lambda text: 1.0)
    unlimited = make()
    roles = {"generate": unlimited, **(models or {})}

    def go(spec: str, budget: Budget, seed: int = 0, beside: int = 0, model: Model = unlimited) -> Result:
        limited = {**roles, "generate": Limited(model, _declared(spec))}
        return run_afresh(_beside(spec, given, limited, budget, seed, beside))

    prompt = len(roles["generate"].render(given.messages))
    for extra in BUDGETS:
        result = go(spec, Budget(tokens=prompt + extra))
        total = result.usage.total
        over = total.tokens - prompt - extra
        step = result.usage.peak
        assert over <= step, f"{spec} passed its budget by {over} tokens, more than one decode step ({step})"
        _check_anytime(spec, result)
    for calls in (1, 3, 10):
        result = go(spec, Budget(calls=calls, tokens=prompt + 2000))
        assert result.usage.total.calls <= calls, f"{spec} made {result.usage.total.calls} calls of {calls}"
        _check_anytime(spec, result)

    sure = knows or model or (lambda: load("toy:arithmetic?skill=1.0"))
    solved = go(spec, Budget(tokens=prompt + PLENTY), model=sure())
    assert solved.grade in (1.0, None), f"{spec} answered {solved.answer.value!r} where the model knows better"
    assert solved.answer.value is not None, f"{spec} does not answer"

    budget = Budget(tokens=prompt + 400)
    alone, again, beside = go(spec, budget), go(spec, budget), go(spec, budget, beside=7)
    for other, how in ((again, "a second time"), (beside, "beside other searches")):
        assert _shape(alone) == _shape(other), f"{spec} grew another tree from the same seed {how}"
        assert alone.answer.value == other.answer.value, f"{spec} gave another answer from the same seed {how}"

    if "scorer" in entry.parameters and "scorer" not in params and entry.scorers(params):
        _check_scorers(entry, spec, lambda s: go(s, budget))


def check_meanings(entry: Entry) -> None:
    """Check that an entry describes each of its parameters. Raises AssertionError that names the first without."""
    for parameter in entry.parameters.values():
        assert parameter.meaning, (
            f"{entry.name} does not describe {parameter.name}: its docstring needs a line `{parameter.name}: …`"
        )


def _declared(spec: str) -> frozenset[str]:
    """The declared needs of a method and of the scorers that it uses."""
    entry, params = registry.methods.resolved(spec)
    scorers = [registry.scorers.resolved(scorer)[0] for scorer in entry.scorers(params)]
    return entry.all_needs(params).union(*(scorer.needs for scorer in scorers))


async def _beside(
    spec: str, problem: Problem, models: Mapping[str, Model], budget: Budget, seed: int, others: int
) -> Result:
    trials = [Trial(problem, spec, seed), *(Trial(problem, spec, seed + 1 + i) for i in range(others))]
    results = await asyncio.gather(*(run_trial(trial, models, budget) for trial in trials))
    return results[0]


def _check_anytime(spec: str, result: Result) -> None:
    assert result.answer.status in set(Status), f"{spec} ended as {result.answer.status!r}"
    if result.proposals:
        last = result.proposals[-1].answer.value
        assert result.answer.value == last, f"{spec} answered {result.answer.value!r} after proposing {last!r}"
    stamps = [p.usage.total.tokens for p in result.proposals]
    assert stamps == sorted(stamps), f"{spec}'s proposals are not in the order of spending"
    if result.answer.node is not None:
        assert any(n is result.answer.node for n in result.tree.nodes), f"{spec} answered with a node of another tree"


def _shape(result: Result) -> list[tuple[int | None, str, str, str]]:
    """The tree without what timing may change: node ids depend on the order of completion, so texts stand for nodes."""
    return sorted(
        ((n.depth, n.text, str(n.origin), str(n.finish)) for n in result.tree.nodes), key=lambda row: row[1:] + row[:1]
    )


def _check_scorers(entry: Entry, spec: str, go: Callable[[str], Result]) -> None:
    join = "&" if "?" in spec else "?"
    for name in ("testing_constant", "testing_nan"):
        result = go(f"{spec}{join}scorer={name}")
        assert result.answer.status in set(Status), f"{entry.name} did not survive the scorer {name}"
    failing = f"{spec}{join}scorer=testing_failing"
    used = False
    try:
        result = go(failing)
        used = any("testing_constant" in n.scores for n in go(f"{spec}{join}scorer=testing_constant").tree.nodes)
    except ScorerBroke:
        return
    assert not used, f"{entry.name} swallowed the error of its scorer and answered {result.answer.value!r}"
