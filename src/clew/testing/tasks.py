"""The conformance suite of tasks, `check_task`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clew.problem import Problem
from clew.tasks import Task, load_task

_SHOWN = ("{}", "#### {}", "The answer is {}.", "<answer>{}</answer>", "\\boxed{{{}}}")


def check_task(
    task: str | Task, *, count: int = 8, seeds: Sequence[int] = (0, 1), difficulties: Sequence[float | None] = (None,)
) -> None:
    """Check that for every seed and difficulty

    - the same seed gives the same problems, the first ones whatever the count, and ids are unique;
    - the worked solution states the reference, and extraction reads the reference back unchanged;
    - grader and verifier accept the reference with 1.0;
    - the grader rejects corrupted answers (below 1.0);
    - neither fails on empty, huge or foreign text.

    task: a spec or a task.
    count: problems of each seed and difficulty.
    seeds: of the problems.
    difficulties: values of the task's dial; None is its default.

    Raises AssertionError that names the problem and the broken promise.
    """
    posed = load_task(task) if isinstance(task, str) else task
    for seed in seeds:
        for difficulty in difficulties:
            problems = posed.problems(count, seed=seed, difficulty=difficulty)
            _demand(len(problems) == count, posed.name, f"{count} problems were asked for, {len(problems)} came")
            again = posed.problems(max(1, count // 2), seed=seed, difficulty=difficulty)
            _demand(
                [_face(p) for p in again] == [_face(p) for p in problems[: len(again)]],
                posed.name,
                "the same seed does not give the same first problems",
            )
            _demand(len({p.id for p in problems}) == count, posed.name, "ids are not unique")
            for problem in problems:
                _check_problem(problem)


def _face(problem: Problem) -> tuple[Any, ...]:
    return problem.id, problem.messages, problem.reference, problem.difficulty


def _demand(good: bool, where: str, what: str) -> None:
    if not good:
        raise AssertionError(f"{where}: {what}")


def _check_problem(problem: Problem) -> None:
    grade, reference = problem.grader, problem.reference
    if grade is None:
        raise AssertionError(f"{problem.id}: there is no grader")
    _demand(bool(problem.question.strip()), problem.id, "the question is empty")
    _demand(
        problem.max_tokens > 0 and all(problem.steps) and all(problem.stop), problem.id, "empty steps, stop or limit"
    )
    for text in ("", " \n", "\x00", "</think>", "<think>never closed 12", "9" * 30_000, "{" * 3_000, "ÆŒ漢字🙂"):
        read = problem.extract(text)
        _demand(read is None or isinstance(read, str), problem.id, "extraction gives neither text nor None")
        for foreign in (text, read):
            if foreign is not None:
                _demand(0 <= grade(foreign) <= 1, problem.id, "a grade is outside [0, 1]")
                if problem.verifier:
                    _demand(0 <= problem.verifier(foreign) <= 1, problem.id, "a worth is outside [0, 1]")
    _demand(
        problem.extract("<think>never closed 12") is None, problem.id, "an answer is read out of an open thinking block"
    )
    if reference is None:
        return
    _demand(grade(reference) == 1.0, problem.id, f"the grader rejects the reference {reference!r}")
    if problem.verifier:
        _demand(problem.verifier(reference) == 1.0, problem.id, f"the verifier rejects the reference {reference!r}")
    _demand(
        any(problem.extract(form.format(reference)) == reference for form in _SHOWN),
        problem.id,
        f"no statement of the reference {reference!r} is read back as it stands",
    )
    solution = problem.meta.get("solution")
    if isinstance(solution, str) and solution:
        _demand(problem.extract(solution) == reference, problem.id, f"{solution!r} does not state {reference!r}")
    for wrong in corruptions(reference):
        _demand(grade(wrong) < 1.0, problem.id, f"the grader accepts {wrong!r} for {reference!r}")


def corruptions(reference: str) -> Iterator[str]:
    """Answers that are certainly wrong: nearby numbers, additional digits, a truncated text, an unrelated answer."""
    yield "zqx"
    try:
        number = float(reference)
    except ValueError:
        if len(reference) > 3:
            yield reference[: len(reference) // 2]
        return
    if reference.lstrip("-").isdigit():
        yield from (str(int(number) + 1), str(int(number) - 1), f"{reference}1", f"1{reference.lstrip('-')}")
    yield str(2 * number + 3 if number >= 0 else 2 * number - 3)
    if number:
        yield str(-number)
