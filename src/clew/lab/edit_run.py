"""What `clew edit` does: a trace of a run, changed, and gone on with by a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clew.analysis.editing import Action, edit
from clew.analysis.trace import Trace, traces_of
from clew.api import get_model, run_in_background, stored_problems
from clew.errors import UsageError
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.store import IMPORTED, Store


def trace_in(run: Path, problem: str, method: str | None) -> tuple[Trace, str | None, Sampling, Mapping[str, Any]]:
    """The first trace of a problem in a run, the spec of the model that wrote it (None where it is imported), the run's
    sampling settings and the model's options.

    Raises StoreError for an unreadable run, UsageError where there is no such trace.
    """
    with Store.open(run) as store:
        plan = store.plan
        for result in store.results(stored_problems(store), problem=problem, method=method):
            wrote = next((m for m, purpose in result.usage.parts if purpose == GENERATE), "")
            for trace in traces_of(result, wrote):
                spec = None if plan.task == IMPORTED else plan.models[GENERATE]
                return trace, spec, Sampling(**plan.sampling), plan.model_options
    raise UsageError(f"{run} has no trace of {problem!r}", f"`clew show {run}` lists its problems")


def edited(
    trace: Trace,
    model: str | None,
    options: Mapping[str, Any],
    step: int,
    action: Action,
    text: str,
    *,
    n: int,
    seed: int,
    sampling: Sampling,
) -> dict[str, Any]:
    """The answer before, and the `n` solutions after the change, as plain data.

    Raises UsageError for what cannot be done as asked, ModelError when the model failed.
    """
    if model is None:
        raise UsageError("nobody can go on with an imported trace", "Name a model by --model")
    search = Search(trace.problem, {GENERATE: get_model(model, options)}, seed=seed, sampling=sampling)
    leaves = run_in_background(edit(search, trace, step, action, text, n=n))
    after = [Trace(trace.problem, leaf) for leaf in leaves]
    return {
        "problem": trace.problem.id,
        "step": step,
        "action": action,
        "before": _told(trace),
        "after": [_told(t) for t in after],
        "tokens": search.ledger.usage.total.tokens,
    }


def _told(trace: Trace) -> dict[str, Any]:
    return {"answer": trace.answer, "grade": trace.grade, "text": trace.text}
