"""Makes the problems of a run file again, with their extractors and graders, which no file can hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clew.errors import StoreError, UsageError
from clew.plan import Plan
from clew.problem import Problem
from clew.store.format import IMPORTED, QUESTION
from clew.store.plugins import load_plugins
from clew.store.reader import Reader, damage_told


def plan_problems(plan: Plan, count: int | None = None) -> list[Problem]:
    """The plan's problems, made anew (the same every time).

    count: the first so many; as many as the plan says unless it is given.

    Raises UsageError for a plan that is not clew's own.
    """
    if plan.task == IMPORTED:
        raise UsageError("imported traces cannot be run again", "`clew show` and `clew stats` read them")
    if plan.task == QUESTION:
        raise UsageError("a question that was solved is not a comparison", "`clew show` and `clew view` read it")
    from clew.tasks import load_problems

    options = {**plan.task_options, **({} if count is None else {"count": count})}
    return load_problems(plan.task, **options)


def stored_problems(store: Reader) -> list[Problem]:
    """The problems of a run file, with its own grades for the answers that it has graded.

    Those of a data file, of imported traces and of `solve` are made of what the run file holds, and no other file is
    opened; those of a task are made anew by its code.
    """
    if store.plan.task in (IMPORTED, QUESTION):
        return store.kept_problems()
    load_plugins(store)
    problems = run_problems(store)
    grades = store.grades()
    return [_graded_as_stored(problem, grades.get(problem.id, {})) for problem in problems]


def run_problems(store: Reader) -> list[Problem]:
    """The problems of a run that was made here, graded by code. No data file is opened.

    Raises StoreError where the run names a data file and does not hold its problems.
    """
    if "data" in store:
        return store.file_problems()
    from clew.tasks import data_file

    if data_file(store.plan.task) is not None:
        raise StoreError(
            f"{store.path} names the data file {store.plan.task}, and does not say what it held",
            "The file is damaged; run the comparison again",
        )
    with damage_told(store.path):
        return plan_problems(store.plan, len(store.problem_ids()))


def _graded_as_stored(problem: Problem, grades: dict[str, float]) -> Problem:
    if problem.grader is None or not grades:
        return problem
    code: Callable[[str], float] = problem.grader
    return replace(problem, grader=lambda value: grades[value] if value in grades else code(value))


def data_of(plan: Plan) -> dict[str, Any] | None:
    """The data file of a plan, and the SHA-256 of what it holds now (None: it is not there); None without a file."""
    from clew.tasks import data_file

    path = None if plan.task in (IMPORTED, QUESTION) else data_file(plan.task)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return {"file": str(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError:
        return {"file": str(path), "sha256": None}


def check_data(store: Reader) -> None:
    """Raise StoreError where the data file is not what the run was begun with."""
    if "data" not in store:
        return
    then, now = store.data, data_of(store.plan)
    if now is None or now["sha256"] != then["sha256"]:
        found = now["sha256"] if now is not None else None
        is_now = f"now it has {found}" if found else "now it is not there"
        raise StoreError(
            f"{then['file']} is not what {store.path} was begun with: "
            f"then it had the SHA-256 {then['sha256']}, {is_now}",
            "Put it back as it was, or go on by --stored-problems with the problems as the run file holds them",
        )
