"""What `clew edit` does: a trace of a run, changed, and gone on with by a model; kept as a run of its own, if asked."""

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
    """The change as a finished search (the `n` solutions vote), and each of its solutions.

    model: who goes on; the run's own by default.

    Raises UsageError for what cannot be done as asked, ModelError when the model failed.
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
    """A run file with the search as it was and the changed one, to look at side by side.

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
    """The answer before, and the solutions after the change, as plain data."""
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
