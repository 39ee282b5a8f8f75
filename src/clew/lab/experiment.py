"""Experiments: a plan made and checked, everything it needs made ready, and what a run file holds compared."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from clew import registry, runner
from clew.background import get_model
from clew.budget import AXES, Budget, check_axis
from clew.errors import UsageError
from clew.lab.reproduce import reproduction
from clew.models import keyed, public
from clew.plan import Plan
from clew.plugin_files import loaded_plugins
from clew.problem import Problem
from clew.registry import parse_spec, spelled
from clew.result import Result
from clew.sampling import Sampling
from clew.store import (
    IMPORTED,
    QUESTION,
    Reader,
    Store,
    check_data,
    check_trust,
    load_plugins,
    plan_problems,
    run_problems,
    stored_problems,
)
from clew.store.shapes import Maker
from clew.tree import GENERATE

if TYPE_CHECKING:
    from clew.lab.comparison import Comparison
    from clew.models.base import Model

DEFAULT_MODEL = "smollm2-135m"

M = TypeVar("M")


def by_role(model: M, roles: Mapping[str, M] | None) -> dict[str, M]:
    """Role → model: `model` generates, and each of `roles` plays the role that it is given for.

    Raises UsageError for a role that is not a name, and for another model that generates.
    """
    for role in roles or {}:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", role):
            raise UsageError(f"{role!r} is not the name of a role", "Write it in small letters: draft, judge, …")
        if role == GENERATE:
            raise UsageError("the model that generates is given twice", "Give it as the model, not among the roles")
    return {GENERATE: model, **(roles or {})}


def method_spec(method: str, params: Mapping[str, Any]) -> str:
    """`method` with further parameters, checked.

    Raises UsageError for an unknown method or parameter.
    """
    name, given = parse_spec(method)
    given |= params
    spec = name + ("?" + "&".join(f"{k}={spelled(v)}" for k, v in given.items()) if given else "")
    registry.methods.resolved(spec)
    return spec


class PlanOptions(TypedDict, total=False):
    """What `make_plan` takes beside the task; all of it may be left out."""

    model: str
    roles: Mapping[str, str]
    methods: Sequence[str]
    budgets: Sequence[float]
    axis: str
    count: int
    seeds: int
    seed: int
    baseline: str | None
    concurrency: int
    sampling: Mapping[str, Any]
    task_options: Mapping[str, Any]
    model_options: Mapping[str, Any]


def make_plan(
    task: str,
    *,
    model: str = DEFAULT_MODEL,
    roles: Mapping[str, str] | None = None,
    methods: Sequence[str] = ("greedy", "self_consistency"),
    budgets: Sequence[float] = (500, 1000, 2000),
    axis: str = "tokens",
    count: int = 20,
    seeds: int = 1,
    seed: int = 0,
    baseline: str | None = None,
    concurrency: int = 32,
    sampling: Mapping[str, Any] | None = None,
    task_options: Mapping[str, Any] | None = None,
    model_options: Mapping[str, Any] | None = None,
) -> Plan:
    """A checked plan for a comparison.

    task: a task's name with its options, or the path of a data file.
    model: the spec of the model that generates.
    roles: role → spec of another model (`{"judge": "http://127.0.0.1:8080/v1"}`).
    methods: specs, `name` or `name?key=value`.
    budgets: the points of the comparison, on `axis`; each search may spend the greatest.
    axis: what a budget counts: tokens, generated, calls, seconds, flops or usd.
    count: problems. seeds: searches of each problem by each method. seed: the first seed, and that of the problems.
    baseline: the method that the others are compared with; the first by default.
    concurrency: searches in flight (one at a time on the axis of seconds).
    sampling: fields of `Sampling`. task_options, model_options: further options of the task and of every model.

    Raises UsageError for what cannot be done as asked.
    """
    check_axis(axis)
    if not budgets:
        raise UsageError("no budget is given", "Give at least one")
    if not methods:
        raise UsageError("no method is given", "`clew list methods` shows them all")
    if count < 1 or seeds < 1:
        raise UsageError("a comparison needs at least one problem and one seed", "Raise --count or --seeds")
    specs = tuple(dict.fromkeys(method_spec(m, {}) for m in methods))
    if baseline is not None and method_spec(baseline, {}) not in specs:
        raise UsageError(f"the baseline {baseline!r} is not among the methods", f"Choose one of {', '.join(specs)}")
    if "api_key" in (model_options or {}):
        raise UsageError("a plan is kept in a run file, and a key is not", "Name the variable that holds it: key_env")
    Sampling(**(sampling or {}))
    return Plan(
        models={role: public(spec) for role, spec in by_role(model, roles).items()},
        task=task,
        task_options={"count": count, "seed": seed, **(task_options or {})},
        methods=specs,
        budget=Budget.along(axis, max(budgets)),
        seeds=tuple(range(seed, seed + seeds)),
        sampling=dict(sampling or {}),
        # Searches that share the machine would take each other's seconds.
        concurrency=1 if axis == "seconds" else concurrency,
        view={"axis": axis, "budgets": sorted(budgets), "baseline": baseline},
        model_options=dict(model_options or {}),
        plugins=loaded_plugins(),
    )


@dataclass(frozen=True, slots=True)
class Experiment:
    """A plan made ready: its problems, models and searches, everything checked that can be known before any work."""

    plan: Plan
    problems: list[Problem]
    models: dict[str, Model]
    budget: Budget
    trials: list[runner.Trial]


def prepare(plan: Plan, problems: list[Problem] | None = None) -> Experiment:
    """Make a plan ready to run.

    problems: those of a run file; None makes them anew.

    Raises UsageError for what cannot be done as asked, ModelError when a server cannot be reached.
    """
    problems = plan_problems(plan) if problems is None else problems
    models = {role: get_model(spec, plan.model_options) for role, spec in plan.models.items()}
    trials = runner.trials_of(problems, plan.methods, plan.seeds)
    runner.check(trials, models, plan.budget)
    return Experiment(plan, problems, models, plan.budget, trials)


async def maker(models: Mapping[str, Model]) -> dict[str, Any]:
    """What makes the searches of a run: the version of clew, and what the model of each role says of itself.

    models: role → model. Raises ModelError when a model cannot be asked.
    """
    return {"clew": version("clew"), "roles": {role: dict(await model.provenance()) for role, model in models.items()}}


def unfinished(store: Reader) -> bool:
    """Whether a run has searches that are not done, or failed, or is no comparison that could be summed up (imported
    traces, a solved question)."""
    plan, done = store.plan, store.finished()
    asked = ((p, m, s) for p in store.problem_ids() for m in plan.methods for s in plan.seeds)
    return plan.task in (IMPORTED, QUESTION) or not done.issuperset(asked)


def prepare_again(
    store: Store, *, as_stored: bool = False, trust: bool = False, key_env: str | None = None
) -> Experiment:
    """The experiment of a run file made ready to go on.

    as_stored: take the problems as the run file holds them, whatever became of the data file.
    trust: ask the models that the file names although it was not begun here.
    key_env: the variable that holds the key of the generating model's server, in place of the one that the run names.

    Raises as `prepare` does, StoreError for another data file and UsageError for other problems than those that the
    run was begun with, and for a file that was not begun here and is not trusted.
    """
    if not trust:
        check_trust(store)
    load_plugins(store, trust=trust)
    if not as_stored:
        check_data(store)
    plan = store.plan
    plan = replace(plan, models={**plan.models, GENERATE: keyed(plan.models[GENERATE], key_env)})
    experiment = prepare(plan, run_problems(store))
    if [p.id for p in experiment.problems] != store.problem_ids():
        raise UsageError(
            f"{experiment.plan.task} no longer gives the problems that {store.path} was begun with",
            "Start a new run, or go on with the clew that began this one",
        )
    return experiment


async def execute(experiment: Experiment, store: Store, watcher: runner.Watcher | None = None) -> Outcome:
    """Run what the store has not finished yet, recording what makes it, and sum up all that the store holds.

    Raises ModelError when the model failed for good; what was finished before is kept.
    """
    if {trial.key for trial in experiment.trials} - store.finished():
        store.note_maker(await maker(experiment.models))
    failed = await runner.run(
        experiment.trials,
        experiment.models,
        experiment.budget,
        store,
        sampling=Sampling(**experiment.plan.sampling),
        concurrency=experiment.plan.concurrency,
        watcher=watcher,
    )
    return sum_up(store, experiment.problems, failed)


def sum_up(store: Reader, problems: Sequence[Problem] | None = None, failed: int = 0) -> Outcome:
    """What a run file holds, compared: neither a model nor a data file is needed.

    problems: those of the run; None makes them of the file. failed: searches that failed.

    Raises UsageError where nothing can be compared.
    """
    results = list(store.results(stored_problems(store) if problems is None else problems))
    compared = _summarised((r for r in results if not r.error), store.plan)
    return Outcome(compared, results, store.path, store.plan, store.made_by, failed)


def compared(store: Reader, on_search: Callable[[], None] = lambda: None) -> Comparison:
    """The comparison of what a run file holds, a search at a time.

    on_search: called after each search is read; it may raise to give the comparison up.

    Raises UsageError where nothing can be compared.
    """

    def finished() -> Iterator[Result]:
        for result in store.results(stored_problems(store), every_tree=False):
            on_search()
            if not result.error:
                yield result

    return _summarised(finished(), store.plan)


def _summarised(results: Iterable[Result], plan: Plan) -> Comparison:
    from clew.lab.compare import summarise

    view = plan.view
    return summarise(results, budgets=view["budgets"], axis=view["axis"], baseline=view["baseline"])


def default_path(plan: Plan) -> Path:
    """Where a run is kept when the user names no file."""
    name = re.sub(r"\W+", "-", f"{plan.task}-{plan.models['generate']}").strip("-")
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.db"


@dataclass(slots=True, repr=False)
class Outcome:
    """A finished comparison: its summary, its searches, and where they are kept. failed: searches the model failed.
    plan: what was run. made_by: what made it (see `Reader.made_by`)."""

    comparison: Comparison
    results: list[Result]
    path: Path
    plan: Plan
    made_by: list[Maker]
    failed: int = 0

    def to_pandas(self) -> Any:
        """A row for each search as a `pandas.DataFrame`. Raises UsageError where pandas is not installed."""
        from clew.lab.comparison import frame

        return frame(
            [
                {
                    "problem": r.problem.id,
                    "method": r.method,
                    "seed": r.seed,
                    "answer": r.answer.value,
                    "grade": r.grade,
                    "confidence": r.answer.confidence,
                    "status": str(r.answer.status),
                    **{axis: r.usage.along(axis) for axis in AXES},
                    "error": r.error,
                }
                for r in self.results
            ]
        )

    def __repr__(self) -> str:
        return f"<Outcome in {self.path}: {self.comparison!r}>"

    def _repr_html_(self) -> str:
        """The whole report with its plot, for a notebook."""
        from clew.lab.report import page

        whole = escape(page(self.comparison, self.results, reproduction(self.plan, self.made_by)))
        return f'<iframe srcdoc="{whole}" style="width:100%;height:600px;border:0"></iframe>'
