"""Runs problems × methods × seeds, many searches at once, each finished one kept at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from clew import registry
from clew.budget import Budget, Usage
from clew.errors import BudgetExhausted, ModelError, UsageError
from clew.models.base import Model
from clew.needs import Capability, Check
from clew.problem import Answer, Problem, Status
from clew.result import Proposal, Result
from clew.sampling import Sampling
from clew.search import GENERATE, Scorers, Search
from clew.tree import Tree

FAILURES_IN_A_ROW = 5
"""After so many searches in a row that the model failed, the run stops: the model is gone."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One search to be run."""

    problem: Problem
    method: str
    seed: int

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.problem.id, self.method, self.seed)


class Keeper(Protocol):
    """Where finished searches go (`clew.store.Store`)."""

    def finished(self) -> set[tuple[str, str, int]]:
        """The keys of the trials that need not be run again."""
        ...

    def keep(self, result: Result) -> None:
        """Keep a finished search, whole or not at all."""
        ...


class Watcher(Protocol):
    """Who is told how a run goes."""

    def begun(self, trial: Trial) -> None: ...

    def proposed(self, trial: Trial, proposal: Proposal) -> None: ...

    def ended(self, trial: Trial, result: Result) -> None: ...


class _Nobody:
    def begun(self, trial: Trial) -> None: ...

    def proposed(self, trial: Trial, proposal: Proposal) -> None: ...

    def ended(self, trial: Trial, result: Result) -> None: ...


def check(trials: Sequence[Trial], models: Mapping[str, Model], budget: Budget) -> None:
    """Everything that can be known to be wrong before any work starts.

    Raises UsageError for an unknown method, parameter or scorer, a capability that the model lacks, a prompt that does
    not fit the context, or a budget that does not pay for the prompt and one token.
    """
    model = models[GENERATE]
    for spec in dict.fromkeys(trial.method for trial in trials):
        _check_needs(spec, model, [trial.problem for trial in trials if trial.method == spec])
    for problem in {trial.problem.id: trial.problem for trial in trials}.values():
        prompt = len(model.render(problem.messages))
        if model.context_length is not None and prompt + 1 > model.context_length:
            raise UsageError(
                f"the prompt of {problem.id} has {prompt} tokens, the context of {model.name} {model.context_length}",
                "Shorten the prompt (fewer --shots), or take a model with a longer context",
            )
        if budget.tokens is not None and prompt + 1 > budget.tokens:
            raise UsageError(
                f"a budget of {budget.tokens} tokens does not pay for the {prompt} prompt tokens of {problem.id}",
                f"Give at least {prompt + 1}, and enough beyond for the solution",
            )


def _check_needs(spec: str, model: Model, problems: Sequence[Problem]) -> None:
    """Raise UsageError where the model or a problem lacks what a method, or a scorer that it uses, needs."""
    entry, params = registry.methods.resolved(spec)
    wanted = {entry.name: entry.all_needs(params)}
    for scorer in entry.scorers(params):
        wanted[f"{scorer}, which {entry.name} uses,"] = registry.scorers.resolved(scorer)[0].needs
    for by, needs in wanted.items():
        missing = [need for need in needs if need in list(Capability) and need not in model.capabilities]
        if missing:
            raise UsageError(
                f"{by} needs {', '.join(sorted(missing))}, which {model.name} does not offer",
                "Take another one, or the embedded engine",
            )
        for check in (check for check in Check if check in needs):
            lacking = next((p for p in problems if not check.offered_by(p)), None)
            if lacking is not None:
                raise UsageError(
                    f"{by} needs a {check}, and {lacking.id} has none",
                    "Take a task that has one (`clew list tasks`; puzzles have both), or another one",
                )


async def solve(
    trial: Trial,
    models: Mapping[str, Model],
    budget: Budget,
    *,
    sampling: Sampling | None = None,
    on_proposal: Callable[[Proposal], None] | None = None,
    scorers: Scorers | None = None,
) -> Result:
    """Run one method on one problem and return what it found, whatever ended it.

    scorers: those of the run, which closes them.

    Raises ModelError when the model failed for good, and UsageError for parameters that the method refuses.
    """
    entry, params = registry.methods.resolved(trial.method)
    search = Search(
        trial.problem, models, budget, seed=trial.seed, sampling=sampling, on_proposal=on_proposal, scorers=scorers
    )
    try:
        answer: Answer = await entry.make(search, **params)
        if answer.value is None and answer.status is Status.ANSWERED:
            answer = replace(answer, status=Status.EXHAUSTED if search.ledger.spent else Status.ABSTAINED)
        if not search.proposals or search.proposals[-1].answer != answer:
            search.propose(answer)
    except BudgetExhausted:
        best = search.proposals[-1].answer if search.proposals else Answer(None)
        answer = replace(best, status=Status.EXHAUSTED)
    finally:
        await search.close()
    return Result(
        problem=trial.problem,
        method=trial.method,
        seed=trial.seed,
        budget=budget,
        answer=answer,
        grade=trial.problem.grade(answer.value),
        usage=search.ledger.usage,
        tree=search.tree,
        proposals=search.proposals,
        samples=tuple(leaf.id for leaf in search.samples),
        cost=search.model.cost,
    )


def trials_of(problems: Sequence[Problem], methods: Sequence[str], seeds: Sequence[int]) -> list[Trial]:
    """Every combination, problem by problem, so that an interrupted run has whole problems to compare."""
    return [Trial(p, m, s) for p in problems for s in seeds for m in methods]


async def run(
    trials: Sequence[Trial],
    models: Mapping[str, Model],
    budget: Budget,
    keeper: Keeper,
    *,
    sampling: Sampling | None = None,
    concurrency: int = 32,
    watcher: Watcher | None = None,
) -> int:
    """Run all trials that `keeper` has not finished yet, at most `concurrency` at a time; how many failed.

    A search that the model failed is kept as failed and does not stop the others; `resume` tries it again.
    Cancelling (Ctrl-C) gives up what is in flight and keeps what is done.

    The trials are taken to be checked (see `check`).

    Raises ModelError when the model failed `FAILURES_IN_A_ROW` searches in a row, or all there were.
    """
    done = keeper.finished()
    tell = watcher or _Nobody()
    todo = iter([trial for trial in trials if trial.key not in done])
    state = _Progress()
    scorers = Scorers()

    async def worker() -> None:
        for trial in todo:
            tell.begun(trial)
            try:
                result = await solve(
                    trial,
                    models,
                    budget,
                    sampling=sampling,
                    on_proposal=partial(tell.proposed, trial),
                    scorers=scorers,
                )
                state.succeeded()
            except ModelError as error:
                result = _failed(trial, budget, error)
                state.failed(error)
            keeper.keep(result)
            tell.ended(trial, result)
            state.stop_if_gone()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, concurrency)):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise next(_leaves(errors)) from None
    finally:
        await scorers.close()
    if state.failures and not state.successes and state.last is not None:
        raise state.last
    return state.failures


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


@dataclass(slots=True)
class _Progress:
    successes: int = 0
    failures: int = 0
    in_a_row: int = 0
    last: ModelError | None = None

    def succeeded(self) -> None:
        self.successes += 1
        self.in_a_row = 0

    def failed(self, error: ModelError) -> None:
        self.failures += 1
        self.in_a_row += 1
        self.last = error

    def stop_if_gone(self) -> None:
        if self.in_a_row >= FAILURES_IN_A_ROW and self.last is not None:
            raise self.last


def _failed(trial: Trial, budget: Budget, error: ModelError) -> Result:
    return Result(
        problem=trial.problem,
        method=trial.method,
        seed=trial.seed,
        budget=budget,
        answer=Answer(None, status=Status.ABSTAINED),
        grade=None,
        usage=Usage(),
        tree=Tree(),
        error=str(error),
    )
