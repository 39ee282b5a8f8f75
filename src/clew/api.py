"""The Python face: one call solves a problem, one call compares methods. Each has an async twin."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clew import runner
from clew.background import get_model, run_in_background
from clew.budget import Budget
from clew.errors import UsageError
from clew.lab.experiment import (
    DEFAULT_MODEL,
    Outcome,
    default_path,
    execute,
    make_plan,
    method_spec,
    prepare,
    prepare_again,
)
from clew.problem import Message, Problem
from clew.result import Result
from clew.sampling import Sampling
from clew.store import Store

if TYPE_CHECKING:
    from clew.models.base import Model

DEFAULT_BUDGET = 2000


def as_budget(budget: int | float | Budget | None) -> Budget:
    """A number is a number of tokens."""
    if isinstance(budget, Budget):
        return budget
    return Budget(tokens=DEFAULT_BUDGET if budget is None else int(budget))


def as_problem(question: str | Sequence[Message] | Problem, *, kind: str = "auto", max_tokens: int = 512) -> Problem:
    """A question as a problem. Its id is derived from the text, so the same question draws the same samples.

    Raises UsageError for an empty question.
    """
    if isinstance(question, Problem):
        return question
    from clew.tasks.answers import extractor

    turns = (Message("user", question),) if isinstance(question, str) else tuple(question)
    if not any(m.text.strip() for m in turns):
        raise UsageError("the question is empty", "Ask something")
    name = re.sub(r"\W+", "-", turns[-1].text.strip())[:40].strip("-").lower() or "question"
    return Problem(name, turns, extract=extractor(kind), max_tokens=max_tokens)


async def asolve(
    question: str | Sequence[Message] | Problem,
    *,
    model: str | Model = DEFAULT_MODEL,
    method: str = "self_consistency",
    budget: int | Budget | None = None,
    seed: int = 0,
    judge: str | Model | None = None,
    sampling: Sampling | None = None,
    kind: str = "auto",
    **params: Any,
) -> Result:
    """Solve one problem within a budget; the async twin of `solve`."""
    problem = as_problem(question, kind=kind)
    models = {"generate": get_model(model)} | ({"judge": get_model(judge)} if judge is not None else {})
    limits = as_budget(budget)
    trial = runner.Trial(problem, method_spec(method, params), seed)
    runner.check([trial], models, limits)
    return await runner.solve(trial, models, limits, sampling=sampling)


def solve(question: str | Sequence[Message] | Problem, **options: Any) -> Result:
    """Solve one problem within a budget.

    question: text, messages, or a Problem. Options: model (a spec or a Model), method (`name` or `name?key=value`),
    budget (tokens, or a Budget), seed, judge (a model for questions of opinion), sampling, kind (how the answer is read
    off: auto, math, number, choice, exact, text), and the method's own parameters.

    The result's `answer` holds the answer, `usage` what it cost, `tree` every step; `str(result)` is the answer.

    Raises UsageError for what cannot be done as asked, ModelError when the model failed for good.
    """
    return run_in_background(asolve(question, **options))


async def acompare(
    task: str, *, out: str | Path | None = None, watcher: runner.Watcher | None = None, **options: Any
) -> Outcome:
    """Compare methods on a task at equal budgets; the async twin of `compare`."""
    experiment = await asyncio.to_thread(prepare, make_plan(task, **options))
    with Store.create(
        Path(out) if out else default_path(experiment.plan), experiment.plan, experiment.problems
    ) as store:
        return await execute(experiment, store, watcher)


def compare(task: str, **options: Any) -> Outcome:
    """Compare methods on a task at equal budgets.

    Options: as `make_plan` takes them (model, methods, budgets, axis, count, seeds, …), and `out`, the run file.

    Raises UsageError for what cannot be done as asked, ModelError when the model failed for good, StoreError when the
    run file cannot be written.
    """
    return run_in_background(acompare(task, **options))


async def aresume(path: str | Path, *, watcher: runner.Watcher | None = None) -> Outcome:
    """Go on with an interrupted run; the async twin of `resume`."""
    with Store.open(Path(path)) as store:
        experiment = await asyncio.to_thread(prepare_again, store)
        return await execute(experiment, store, watcher)


def resume(path: str | Path, **options: Any) -> Outcome:
    """Go on with an interrupted run: what is done is not done again. On a finished run it only sums up.

    Raises as `compare` does.
    """
    return run_in_background(aresume(path, **options))
