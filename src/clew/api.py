"""The Python face: one call solves a problem, one call compares methods. Each has an async twin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from clew import runner
from clew.background import get_model, run_in_background
from clew.budget import Budget
from clew.errors import UsageError
from clew.lab.experiment import (
    DEFAULT_MODEL,
    Outcome,
    PlanOptions,
    by_role,
    default_path,
    execute,
    make_plan,
    maker,
    method_spec,
    prepare,
    prepare_again,
    sum_up,
    unfinished,
)
from clew.lab.solving import plan_of, posed
from clew.problem import Message, Problem
from clew.result import Proposal, Result
from clew.sampling import Sampling
from clew.store import Reader, Store, load_plugins

if TYPE_CHECKING:
    from clew.models.base import Model

DEFAULT_BUDGET = 2000

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The twin of an async function that waits for its result: the same parameters, the name without its `a`."""

    @wraps(work)
    def twin(*args: P.args, **options: P.kwargs) -> T:
        return run_in_background(work(*args, **options))

    twin.__name__ = twin.__qualname__ = work.__name__.removeprefix("a")
    return twin


def as_budget(budget: int | float | Budget | None) -> Budget:
    """A number is a number of tokens."""
    if isinstance(budget, Budget):
        return budget
    return Budget(tokens=DEFAULT_BUDGET if budget is None else int(budget))


def as_problem(
    question: str | Sequence[Message] | Problem,
    *,
    kind: str = "auto",
    system: str | None = None,
    stop: Sequence[str] = (),
    max_tokens: int | None = None,
) -> Problem:
    """A question as a problem (see `clew.lab.solving.posed`); a Problem with another prompt or length where given.

    Raises UsageError for an empty question, and for what `Problem.prompted` refuses.
    """
    if isinstance(question, Problem):
        return question.prompted(system=system, stop=stop, max_tokens=max_tokens)
    turns = (Message("user", question),) if isinstance(question, str) else tuple(question)
    return posed(turns, kind=kind, system=system, stop=tuple(stop), max_tokens=max_tokens)


async def asolve(
    question: str | Sequence[Message] | Problem,
    *,
    model: str | Model = DEFAULT_MODEL,
    method: str = "consensus",
    params: Mapping[str, Any] | None = None,
    budget: int | Budget | None = None,
    seed: int = 0,
    roles: Mapping[str, str | Model] | None = None,
    sampling: Sampling | None = None,
    kind: str = "auto",
    system: str | None = None,
    stop: Sequence[str] = (),
    max_tokens: int | None = None,
    model_options: Mapping[str, Any] | None = None,
    on_progress: Callable[[Proposal], None] | None = None,
    out: str | Path | None = None,
) -> Result:
    """Solve one problem within a budget. `solve` waits for the result; `asolve` is awaited.

    question: text, messages, or a Problem.
    model: what generates: a spec, as `clew.load` takes it, or a Model.
    method: a method as `name` or `name?key=value`. params: further parameters of it.
    budget: tokens, or a Budget (2,000 tokens by default).
    seed: the same seed draws the same samples.
    roles: role → another model, for methods that ask one (`{"judge": …}`); `model` plays each role that is not given.
    sampling: temperature, truncation and penalties.
    kind: how the answer is read off: auto, math, number, choice, exact, text.
    system: the system prompt. stop: strings that end a solution. max_tokens: the most tokens of a solution (512).
    model_options: further options of every model that is given as a spec (`{"threads": 4}`).
    on_progress: told of the best answer so far, and of what is spent, at each change and every half second. It is
        called where the search runs, in a thread of its own for `solve`.
    out: a new run file that the search is kept in, also where it fails or is interrupted.

    The result's `answer` holds the answer, `usage` what it cost, `tree` every step; `str(result)` is the answer.

    Raises UsageError for what cannot be done as asked, ModelError when the model failed for good, StoreError when `out`
    cannot be written.
    """
    problem = as_problem(question, kind=kind, system=system, stop=stop, max_tokens=max_tokens)
    specs = by_role(model, roles)
    models = {role: get_model(one, model_options if isinstance(one, str) else None) for role, one in specs.items()}
    limits = as_budget(budget)
    trial = runner.Trial(problem, method_spec(method, params or {}), seed)
    runner.check([trial], models, limits)
    if out is None:
        return await runner.run_trial(trial, models, limits, sampling=sampling, on_progress=on_progress)
    if isinstance(question, Problem):
        raise UsageError("the extractor and the grader of a Problem are code, which no run file holds", "Give text")
    named = {role: one if isinstance(one, str) else one.name for role, one in specs.items()}
    plan = plan_of(trial.method, named, limits, seed=seed, sampling=sampling, model_options=model_options)
    with Store.create(Path(out), plan, [problem]) as store:
        # The hash of a big model file takes a while: the search does not wait for it.
        making = asyncio.ensure_future(maker(models))
        result = await runner.run_trial(
            trial, models, limits, sampling=sampling, on_progress=on_progress, keep=store.keep
        )
        store.note_maker(await making)
        return result


async def acompare(
    task: str, *, out: str | Path | None = None, watcher: runner.Watcher | None = None, **options: Unpack[PlanOptions]
) -> Outcome:
    """Compare methods on a task at equal budgets. `compare` waits for the result; `acompare` is awaited.

    task: a task's name with its options, or the path of a data file.
    out: the run file (by default one in `runs/`, named by task, model and time).
    watcher: told of each search as it begins, proposes and ends.
    options: as `clew.lab.experiment.make_plan` takes them: model, roles, methods, budgets, axis, count, seeds, …

    Raises UsageError for what cannot be done as asked, ModelError when the model failed for good, StoreError when the
    run file cannot be written.
    """
    experiment = await asyncio.to_thread(prepare, make_plan(task, **options))
    with Store.create(
        Path(out) if out else default_path(experiment.plan), experiment.plan, experiment.problems
    ) as store:
        return await execute(experiment, store, watcher)


async def aresume(
    path: str | Path,
    *,
    watcher: runner.Watcher | None = None,
    stored_problems: bool = False,
    trust: bool = False,
    key_env: str | None = None,
) -> Outcome:
    """Go on with an interrupted run: what is done is not done again. On a finished run it only sums up.

    path: the run file. watcher: told of each search as it begins, proposes and ends. stored_problems: go on with the
    problems as the run file holds them, although the data file is no longer what it was. trust: ask the models that the
    file names although it was not begun here. key_env: the variable that holds the key of the model's server.

    `resume` waits for the result; `aresume` is awaited. Raises as `compare` does, and StoreError for another data file.
    """
    with Reader.open(Path(path)) as reader:
        if trust:
            load_plugins(reader, trust=True)
        if not unfinished(reader):
            return await asyncio.to_thread(sum_up, reader)
    with Store.open(Path(path)) as store:
        experiment = await asyncio.to_thread(
            prepare_again, store, as_stored=stored_problems, trust=trust, key_env=key_env
        )
        return await execute(experiment, store, watcher)


solve = _blocking(asolve)
compare = _blocking(acompare)
resume = _blocking(aresume)
