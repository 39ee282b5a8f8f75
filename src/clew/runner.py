"""Runs problems × methods × seeds, many searches at once, each finished one kept at once."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from clew import registry
from clew.budget import Budget, Cost, Usage
from clew.errors import BudgetExhausted, ClewError, ContextOverflow, ModelError, StoreError, UsageError
from clew.models.base import Model
from clew.needs import Capability, Check
from clew.problem import Answer, Message, Problem, Status
from clew.result import Proposal, Result
from clew.sampling import Sampling
from clew.search import GENERATE, Scorers, Search
from clew.tree import Tree

FAILURES_IN_A_ROW = 5
"""After so many searches in a row that a model failed, each model is asked for one token: a silent one ends the run."""

PULSE = 0.5
"""Seconds between two reports of a search that is watched."""


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
    """Keeps the finished searches of a run (`clew.store.Store`)."""

    def finished(self) -> set[tuple[str, str, int]]:
        """The keys of the trials that need not be run again."""
        ...

    def keep(self, result: Result) -> None:
        """Keep a finished search, whole or not at all."""
        ...


class Watcher(Protocol):
    """Is told of each search of a run as it begins, proposes an answer, and ends."""

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
        _check_needs(spec, models, [trial.problem for trial in trials if trial.method == spec])
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


def _check_needs(spec: str, models: Mapping[str, Model], problems: Sequence[Problem]) -> None:
    """Raise UsageError where a model or a problem lacks what a method, or a scorer that it uses, needs.

    A scorer with a parameter `role` asks the model that plays it; all else needs the generating one.
    """
    entry, params = registry.methods.resolved(spec)
    wanted = [(entry.name, entry.all_needs(params), models[GENERATE])]
    for scorer in entry.scorers(params):
        judge, given = registry.scorers.resolved(scorer)
        asked = models.get(judge.completed(given).get("role", GENERATE), models[GENERATE])
        wanted.append((f"{scorer}, which {entry.name} uses,", judge.needs, asked))
    for by, needs, model in wanted:
        missing = [need for need in needs if need in list(Capability) and need not in model.capabilities]
        if missing:
            raise UsageError(
                f"{by} needs {', '.join(sorted(missing))}, which {model.name} does not offer",
                "Take another method or scorer, or the embedded engine",
            )
        for check in (check for check in Check if check in needs):
            lacking = next((p for p in problems if not check.offered_by(p)), None)
            if lacking is not None:
                raise UsageError(
                    f"{by} needs {check.said}, and {lacking.id} has none",
                    "Take a task that has that (`clew list tasks`; puzzles check steps), or another method or scorer",
                )


async def run_trial(
    trial: Trial,
    models: Mapping[str, Model],
    budget: Budget,
    *,
    sampling: Sampling | None = None,
    on_progress: Callable[[Proposal], None] | None = None,
    keep: Callable[[Result], None] | None = None,
    scorers: Scorers | None = None,
) -> Result:
    """Run one method on one problem and return what it found, whatever ended it.

    on_progress: told of the best answer so far and what is spent, at each proposal and every half second.
    keep: handed what was found, also where the search fails or is cancelled, which is raised after it.
    scorers: those of the run, which closes them.

    Raises ModelError when the model failed for good, UsageError for parameters that the method refuses, and whatever
    else the method, a scorer, the extractor or the grader raises.
    """
    result, failure = await _search(
        trial, models, budget, sampling=sampling, on_proposal=on_progress, scorers=scorers, pulse=on_progress
    )
    if keep is not None:
        keep(result)
    if failure is not None:
        raise failure
    return result


async def _search(
    trial: Trial,
    models: Mapping[str, Model],
    budget: Budget,
    *,
    sampling: Sampling | None,
    on_proposal: Callable[[Proposal], None] | None,
    scorers: Scorers | None,
    pulse: Callable[[Proposal], None] | None = None,
) -> tuple[Result, Exception | asyncio.CancelledError | None]:
    """See `run_trial`; what a search had found and spent comes with the exception that ended it, if one did."""
    search: Search | None = None
    ticking: asyncio.Task[None] | None = None
    answer, grade = Answer(None, status=Status.ABSTAINED), None
    failure: Exception | asyncio.CancelledError | None = None
    try:
        entry, params = registry.methods.resolved(trial.method)
        search = Search(
            trial.problem, models, budget, seed=trial.seed, sampling=sampling, on_proposal=on_proposal, scorers=scorers
        )
        if pulse is not None:
            ticking = asyncio.create_task(_tick(search, pulse))
        try:
            answer = _ended(search, await entry.make(search, **params))
        except BudgetExhausted:
            answer = replace(_best(search), status=Status.EXHAUSTED)
        except asyncio.CancelledError as cancelled:
            answer, failure = replace(_best(search), status=Status.INTERRUPTED), cancelled
        grade = trial.problem.grade(answer.value)
    except Exception as error:  # whatever a plug-in or a reply does, it does to this search alone
        failure = error
    finally:
        if ticking is not None:
            ticking.cancel()
        if search is not None:
            await search.close()
    result = Result(
        problem=trial.problem,
        method=trial.method,
        seed=trial.seed,
        budget=budget,
        answer=answer,
        grade=grade,
        usage=search.ledger.usage if search else Usage(),
        tree=search.tree if search else Tree(),
        proposals=search.proposals if search else [],
        samples=tuple(leaf.id for leaf in search.samples) if search else (),
        cost=search.model.cost if search else Cost(),
        error=_reason(failure) if isinstance(failure, Exception) else "",
    )
    return result, failure


def _best(search: Search) -> Answer:
    """What the search proposed last; no answer where it proposed none."""
    return search.proposals[-1].answer if search.proposals else Answer(None)


async def _tick(search: Search, pulse: Callable[[Proposal], None]) -> None:
    """Tell again and again what the search would answer now, and what it has spent."""
    while True:
        await asyncio.sleep(PULSE)
        pulse(Proposal(_best(search), search.ledger.usage))


def _ended(search: Search, answer: Answer) -> Answer:
    """What a method that came to its end answers, with its status; it is the last proposal."""
    if answer.value is None and answer.status is Status.ANSWERED:
        answer = replace(answer, status=Status.EXHAUSTED if search.ledger.spent else Status.ABSTAINED)
    if not search.proposals or search.proposals[-1].answer != answer:
        search.propose(answer)
    return answer


def _reason(error: BaseException) -> str:
    """Why a search failed, on one line; for what was not raised on purpose also where."""
    if isinstance(error, BaseExceptionGroup):
        error = next(_leaves(error))
    if isinstance(error, ClewError):
        return str(error)
    said = " ".join(str(error).split())[:400]
    places = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(places[-1].filename).name}:{places[-1].lineno} in {places[-1].name})" if places else ""
    return f"{type(error).__name__}{': ' if said else ''}{said}{where}"


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

    A search that anything but the keeper failed is kept as failed, with what it had found, and does not stop the
    others; `resume` tries it again. Cancelling (Ctrl-C) gives up what is in flight and keeps what is done.

    The trials are taken to be checked (see `check`).

    Raises ModelError when a model is gone (see `FAILURES_IN_A_ROW`), ClewError when all searches failed that there
    were, and what `keeper` raises.
    """
    done = keeper.finished()
    tell = watcher or _Nobody()
    todo = iter([trial for trial in trials if trial.key not in done])
    state = _Progress()
    scorers = Scorers()

    async def worker() -> None:
        for trial in todo:
            tell.begun(trial)
            result, failure = await _search(
                trial,
                models,
                budget,
                sampling=sampling,
                on_proposal=partial(tell.proposed, trial),
                scorers=scorers,
            )
            if isinstance(failure, asyncio.CancelledError):
                raise failure  # what is in flight is not kept: `resume` searches again
            try:
                keeper.keep(result)
            except StoreError:
                raise
            except Exception as error:  # what was found has a value that no run file can hold
                failure = error
                result = _failed(trial, budget, result.usage, error)
                keeper.keep(result)
            tell.ended(trial, result)
            if state.lost(failure):
                await _ask_for_a_token(models, state)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, concurrency)):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise next(_leaves(errors)) from None
    finally:
        await scorers.close()
    if state.last is not None and not state.successes and not done:
        if isinstance(state.last, ClewError):
            raise state.last
        raise ClewError(f"all {state.failures} searches failed, the last by {_reason(state.last)}") from state.last
    return state.failures


async def _ask_for_a_token(models: Mapping[str, Model], state: _Progress) -> None:
    """Raise the last failure if a model gives no token to a greeting: it is gone, and the run with it."""
    asked = Problem("hello", (Message("user", "Hello"),), max_tokens=1)
    for model in models.values():
        search = Search(asked, {GENERATE: model}, Budget())
        try:
            await search.extend(search.root)
        except ModelError:
            assert state.last is not None
            raise state.last from None
        finally:
            await search.close()
    state.in_a_row = 0


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
    last: Exception | None = None

    def lost(self, failure: Exception | None) -> bool:
        """Count how a search ended (None: well); whether so many failed in a row that a model may be gone."""
        if failure is None:
            self.successes += 1
        else:
            self.failures += 1
            self.last = failure
        of_the_model = isinstance(failure, ModelError) and not isinstance(failure, ContextOverflow)
        self.in_a_row = self.in_a_row + 1 if of_the_model else 0
        return self.in_a_row >= FAILURES_IN_A_ROW


def _failed(trial: Trial, budget: Budget, usage: Usage, error: Exception) -> Result:
    """A search of which nothing is left but what it spent and why it failed."""
    return Result(
        problem=trial.problem,
        method=trial.method,
        seed=trial.seed,
        budget=budget,
        answer=Answer(None, status=Status.ABSTAINED),
        grade=None,
        usage=usage,
        tree=Tree(),
        error=_reason(error),
    )
