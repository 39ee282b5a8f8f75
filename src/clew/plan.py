"""What a run shall do, as plain data: kept in the run file, so that `clew resume` can start from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clew.budget import Budget


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does, as plain data: it is kept in the run file, and `clew resume` starts from it.

    models: role → model spec. task: a spec for `clew.tasks.load_problems`, with its options. methods: `name?key=value`.
    view: how the comparison is drawn (axis, budgets, baseline).
    """

    models: Mapping[str, str]
    task: str
    task_options: Mapping[str, Any]
    methods: tuple[str, ...]
    budget: Budget
    seeds: tuple[int, ...] = (0,)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 32
    view: Mapping[str, Any] = field(default_factory=dict)
    model_options: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `Plan.from_dict` reads it."""
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
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Plan:
        """The inverse of `as_dict`."""
        return Plan(
            **{
                **data,
                "methods": tuple(data["methods"]),
                "seeds": tuple(data["seeds"]),
                "budget": Budget(**data["budget"]),
            }
        )
