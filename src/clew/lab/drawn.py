"""The independent solutions of a run's searches, with what scorers say of them: what an audit of scorers is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew import registry
from clew.background import get_model, run_afresh
from clew.errors import UsageError
from clew.models.base import Model
from clew.problem import Problem, is_right
from clew.result import Result
from clew.search import GENERATE, Search
from clew.store import Reader, begun_here, stored_problems


@dataclass(slots=True)
class Drawn:
    """The n independent solutions of one search, with their scores.

    problem: the problem's id.
    values: [n], canonical answers; None where none is stated.
    grades: float64[n], in [0, 1].
    tokens: float64[n], the cost of each solution.
    scores: scorer → float64[n]; NaN where it has no score.
    price: scorer → tokens that it spends on a solution.
    """

    problem: str
    values: list[str | None]
    grades: NDArray[np.float64]
    tokens: NDArray[np.float64]
    scores: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    price: dict[str, float] = field(default_factory=dict)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each solution is right, bool[n]."""
        return np.array([is_right(g) for g in self.grades])

    @property
    def stated(self) -> NDArray[np.bool_]:
        """Whether each solution states an answer, bool[n]."""
        return np.array([v is not None for v in self.values])


def gather(
    run: Path,
    scorers: Sequence[str],
    *,
    model: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Drawn]:
    """Score the independent solutions of a run file's searches. The run file does not change.

    run: its path.
    scorers: specs of scorers.
    model: the spec of the model that scorers with a role ask; the run's own models by default.
    on_progress: is called after each search with (searches done, searches in all).

    Raises UsageError for an unknown scorer or one whose needs are not met, for a run without independent solutions or
    without gold answers, and for a run from elsewhere whose model would be asked.
    """
    specs = list(dict.fromkeys(registry.scorers.spelled(spec) for spec in scorers))
    with Reader.open(run) as store:
        plan, problems = store.plan, stored_problems(store)
        own = begun_here(store)
        results = _largest(r for r in store.results(problems, every_tree=False) if len(r.samples) > 1)
    if not results:
        raise UsageError(
            f"{run} holds no search that drew several independent solutions",
            "Audit a run of self_consistency or best_of_n with n of 8 or more",
        )
    ungraded = next((r.problem.id for r in results if r.problem.grader is None), None)
    if ungraded is not None:
        raise UsageError(f"the problem {ungraded} has no gold answer to grade by", "Audit on problems that have one")
    asking = [spec for spec in specs if _asks(spec)]
    if asking and model is None and not own:
        raise UsageError(
            f"{asking[0]} would ask {plan.models[GENERATE]}, the model of a run that was not begun here",
            "Name a model by --model, that one or another",
        )
    if not asking:
        models = {GENERATE: get_model("toy:arithmetic", {})}  # a search has a model, though nothing asks this one
    elif model is None:
        models = {role: get_model(spec, plan.model_options) for role, spec in plan.models.items()}
    else:
        models = {GENERATE: get_model(model, {})}
    return run_afresh(_scored(results, specs, models, on_progress))


def _largest(results: Any) -> list[Result]:
    """For each problem and seed, the search with the most solutions; methods that sample from the root share theirs."""
    found: dict[tuple[str, int], Result] = {}
    for result in results:
        key = (result.problem.id, result.seed)
        if key not in found or len(result.samples) > len(found[key].samples):
            found[key] = result
    return list(found.values())


def _asks(spec: str) -> bool:
    """Whether a scorer asks a model, which its parameter `role` shows."""
    return "role" in registry.scorers.resolved(spec)[0].parameters


async def _scored(
    results: Sequence[Result],
    specs: Sequence[str],
    models: Mapping[str, Model],
    on_progress: Callable[[int, int], None] | None,
) -> list[Drawn]:
    drawn = []
    for number, result in enumerate(results, 1):
        drawn.append(await _score(result, specs, models))
        if on_progress is not None:
            on_progress(number, len(results))
    return drawn


async def _score(result: Result, specs: Sequence[str], models: Mapping[str, Model]) -> Drawn:
    problem: Problem = result.problem
    nodes = result.leaves
    values = [problem.answer_in(node) for node in nodes]
    grades = np.array([problem.grade(value) or 0.0 for value in values])
    drawn = Drawn(problem.id, values, grades, np.array([float(node.tokens) for node in nodes]))
    for spec in specs:
        # A search of its own for each scorer: judges put the same solutions to the model, and in one search the first
        # of them would pay for what the others read again.
        search = Search(problem, models, seed=result.seed)
        try:
            drawn.scores[spec] = np.array(await search.score(nodes, spec))
            drawn.price[spec] = search.ledger.tokens / len(nodes)
        finally:
            await search.close()
    return drawn
