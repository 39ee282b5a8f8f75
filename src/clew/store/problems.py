"""The problems that a run file is about."""

from __future__ import annotations

from clew.errors import UsageError
from clew.plan import Plan
from clew.problem import Problem
from clew.store.format import IMPORTED
from clew.store.reader import Reader


def plan_problems(plan: Plan) -> list[Problem]:
    """The plan's problems, made anew (the same every time). Raises UsageError for a plan that is not clew's own."""
    if plan.task == IMPORTED:
        raise UsageError("imported traces cannot be run again", "`clew show` and `clew stats` read them")
    from clew.tasks import load_problems

    return load_problems(plan.task, **plan.task_options)


def stored_problems(store: Reader) -> list[Problem]:
    """The problems of a run file: its plan's, made anew, or those of imported traces, as the file has them."""
    return store.imported_problems() if store.plan.task == IMPORTED else plan_problems(store.plan)
