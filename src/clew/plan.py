"""What a run shall do, as plain data: kept in the run file, so that `clew resume` can start from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from clew.budget import Budget


class View(TypedDict):
    """How a comparison is drawn: over which axis (of `clew.budget.AXES`), at which budgets, against which method (None:
    the first)."""

    axis: str
    budgets: Sequence[int | float]
    baseline: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does, as plain data: it is kept in the run file, and `clew resume` starts from it.

    models: role → model spec. task: a spec for `clew.tasks.load_problems`, with its options. methods: `name?key=value`.
    model_options: further options of every model. plugins: plug-in file → SHA-256 of what it held.
    """

    models: Mapping[str, str]
    task: str
    task_options: Mapping[str, Any]
    methods: tuple[str, ...]
    budget: Budget
    view: View
    seeds: tuple[int, ...] = (0,)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 32
    model_options: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `clew.store` reads it."""
        return {
            "models": dict(self.models),
            "task": self.task,
            "task_options": dict(self.task_options),
            "methods": list(self.methods),
            "budget": self.budget.as_dict(),
            "seeds": list(self.seeds),
            "sampling": dict(self.sampling),
            "concurrency": self.concurrency,
            "view": dict(self.view),
            "model_options": dict(self.model_options),
            "plugins": dict(self.plugins),
        }
