"""The work of `clew edit`: changes a stored trace, lets a model go on from there, and keeps the result if asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from clew.analysis.editing import Action, edit
from clew.analysis.trace import Trace
from clew.background import run_in_background
from clew.lab.experiment import maker
from clew.lab.stored_trace import StoredTrace
from clew.models import public
from clew.problem import Status
from clew.result import Result
from clew.search import GENERATE
from clew.store import Store


def edited(
    stored: StoredTrace, step: int, action: Action, text: str, *, model: str | None = None, n: int, seed: int
) -> tuple[Result, list[Trace]]:
    """Change a step of a trace and go on from there.

    stored: the trace.
    step, action, text: the change; see `clew.analysis.editing.edit`.
    model: the spec of the model that goes on; the run's own by default.
    n: solutions to draw.
    seed: of the solutions.

    Returns (the change as a finished search, in which the solutions vote; the trace of each solution).

    Raises UsageError for a step that does not exist or a missing text, ModelError when the model failed.
    """
    search = stored.search(model, seed)
    leaves = run_in_background(edit(search, stored.trace, step, action, text, n=n))
    search.propose(search.pick(leaves))
    answer = search.proposals[-1].answer
    if answer.value is None:
        answer = replace(answer, status=Status.ABSTAINED)
    problem = stored.trace.problem
    result = Result(
        problem=problem,
        method=f"edit?step={step}&action={action}",
        seed=seed,
        budget=stored.plan.budget,
        answer=answer,
        grade=problem.grade(answer.value),
        usage=search.ledger.usage,
        tree=search.tree,
        proposals=search.proposals,
        samples=tuple(leaf.id for leaf in leaves),
        cost=search.model.cost,
    )
    return result, [Trace(problem, leaf, search.model.name, result.method, seed) for leaf in leaves]


def keep(stored: StoredTrace, result: Result, model: str | None, out: Path) -> None:
    """Write a run file with the original search and the changed one, for `clew view`.

    stored: the original.
    result: the changed search.
    model: the spec of the model that went on; None for the run's own.
    out: the run file.

    Raises StoreError when the file exists or cannot be written.
    """
    plan = replace(
        stored.plan,
        models=stored.plan.models if model is None else {**stored.plan.models, GENERATE: public(model)},
        methods=(stored.result.method, result.method),
        seeds=tuple(dict.fromkeys((stored.result.seed, result.seed))),
    )
    player = stored.search(model).model
    with Store.create(out, plan, [stored.result.problem]) as store:
        for before in stored.made_by:
            store.note_maker(before)
        store.keep(stored.result)
        store.note_maker(run_in_background(maker({GENERATE: player})))
        store.keep(result)


def told(stored: StoredTrace, result: Result, after: list[Trace], step: int, action: Action) -> dict[str, Any]:
    """The answer before the change and the solutions after it, as plain data.

    stored: the original trace.
    result, after: what `edited` returned.
    step, action: the change.
    """
    return {
        "problem": stored.trace.problem.id,
        "step": step,
        "action": action,
        "before": _told(stored.trace),
        "after": [_told(t) for t in after],
        "tokens": result.usage.total.tokens,
    }


def _told(trace: Trace) -> dict[str, Any]:
    return {"answer": trace.answer, "grade": trace.grade, "text": trace.text}
