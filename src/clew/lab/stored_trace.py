"""A trace of a run file, with what is needed to go on from it as the run would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clew.analysis.trace import Trace, traces_of
from clew.background import get_model
from clew.errors import UsageError
from clew.plan import Plan
from clew.result import Result
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.store import IMPORTED, Maker, Reader, begun_here, stored_problems


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """A trace, the search that it is from, and the plan of its run. made_by: see `Reader.made_by`. begun_here: whether
    the run file is this user's own, so that its model may be asked."""

    trace: Trace
    result: Result
    plan: Plan
    made_by: list[Maker]
    begun_here: bool

    def search(self, model: str | None, seed: int = 0) -> Search:
        """A new search on the trace's problem by this model (None: the run's own), sampling as the run did.

        Raises UsageError where nobody is named and the trace is imported or not begun here, ModelError when the model
        cannot be loaded.
        """
        if model is None and self.plan.task == IMPORTED:
            raise UsageError("nobody can go on with an imported trace", "Name a model by --model")
        if model is None and not self.begun_here:
            raise UsageError(
                f"the run was not begun here, and its model would be {self.plan.models[GENERATE]}",
                "Name a model by --model, that one or another",
            )
        options: Mapping[str, Any] = self.plan.model_options if model is None else {}
        player = get_model(model or self.plan.models[GENERATE], options)
        return Search(self.trace.problem, {GENERATE: player}, seed=seed, sampling=Sampling(**self.plan.sampling))


def stored_trace(run: Path, problem: str, method: str | None = None) -> StoredTrace:
    """The trace of a problem that its answer was read from (else the first one), in the first search by the method, or
    by any.

    Raises StoreError for an unreadable run, UsageError where there is no such trace.
    """
    with Reader.open(run) as store:
        plan = store.plan
        for result in store.results(stored_problems(store), problem=problem, method=method):
            wrote = next((m for m, role in result.usage.parts if role == GENERATE), "")
            traces = traces_of(result, wrote)
            if traces:
                answered = (t for t in traces if t.node is result.answer.node)
                return StoredTrace(next(answered, traces[0]), result, plan, store.made_by, begun_here(store))
    by = f" by {method!r}" if method else ""
    raise UsageError(f"{run} has no trace of {problem!r}{by}", f"`clew show {run}` lists its searches")
