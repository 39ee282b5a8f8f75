"""The work of `clew rescore`: reads and grades the answers of a run file again, and reports what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clew.errors import ClewError, UsageError
from clew.lab.curves import combiner
from clew.plan import Plan
from clew.problem import Answer, Problem, Status, is_right
from clew.result import Proposal, Result
from clew.store import IMPORTED, QUESTION, Reader, Store, run_problems
from clew.tasks import data_file, load_problems, load_task
from clew.tasks.answers import as_canonical, checked, extractor, grader
from clew.tasks.files import stored_problem

_WITHOUT_TASK = (IMPORTED, QUESTION)


@dataclass(frozen=True, slots=True)
class Change:
    """A search whose grade has changed.

    problem, method, seed: name the search.
    gold: the accepted answer.
    before, after: (answer, grade); the grade is None where it cannot be graded.
    """

    problem: str
    method: str
    seed: int
    gold: str | None
    before: tuple[str | None, float | None]
    after: tuple[str | None, float | None]


@dataclass(slots=True)
class Tally:
    """The counts of one method.

    searches: number of searches that did not fail.
    reread: number of searches whose answer has changed, whatever its grade.
    graded_before, graded_after: number of searches with a grade.
    before, after: sum of these grades.
    gained: number of searches that became right.
    lost: number of searches that are no longer right.
    """

    searches: int = 0
    reread: int = 0
    graded_before: int = 0
    before: float = 0.0
    graded_after: int = 0
    after: float = 0.0
    gained: int = 0
    lost: int = 0

    def count(self, before: Result, after: Result) -> None:
        """Take one search into account."""
        self.searches += 1
        self.reread += before.answer.value != after.answer.value
        if before.grade is not None:
            self.graded_before, self.before = self.graded_before + 1, self.before + before.grade
        if after.grade is not None:
            self.graded_after, self.after = self.graded_after + 1, self.after + after.grade
        self.gained += is_right(after.grade) and not is_right(before.grade)
        self.lost += is_right(before.grade) and not is_right(after.grade)

    @property
    def accuracy(self) -> tuple[float | None, float | None]:
        """The mean grade before and after; None where nothing is graded."""
        before = self.before / self.graded_before if self.graded_before else None
        return before, self.after / self.graded_after if self.graded_after else None


@dataclass(slots=True)
class Rescored:
    """What a new grading changed.

    run: the run file.
    methods: method → counts, in the order of the run.
    changes: the searches whose grade has changed.
    """

    run: Path
    methods: dict[str, Tally] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def count(self, before: Result, after: Result) -> None:
        """Take one search into account."""
        self.methods.setdefault(before.method, Tally()).count(before, after)
        if before.grade != after.grade:
            self.changes.append(
                Change(
                    before.problem.id,
                    before.method,
                    before.seed,
                    before.problem.reference,
                    (before.answer.value, before.grade),
                    (after.answer.value, after.grade),
                )
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "run": str(self.run),
            "methods": [
                {
                    "method": method,
                    "searches": tally.searches,
                    "before": tally.accuracy[0],
                    "after": tally.accuracy[1],
                    "reread": tally.reread,
                    "gained": tally.gained,
                    "lost": tally.lost,
                }
                for method, tally in self.methods.items()
            ],
            "changed": [
                {
                    "problem": c.problem,
                    "method": c.method,
                    "seed": c.seed,
                    "gold": c.gold,
                    "before": {"answer": c.before[0], "grade": c.before[1]},
                    "after": {"answer": c.after[0], "grade": c.after[1]},
                }
                for c in self.changes
            ],
        }


def rescore(run: Path, *, kind: str | None = None, task: str | None = None, out: Path | None = None) -> Rescored:
    """Read and grade the answers of a run again. The run file is not changed, and no model is asked.

    An answer is read again from the solution that stated it; a vote over recorded samples is held again. Failed
    searches are left out.

    run: the run file; nothing else is needed.
    kind: another kind of answers, for runs on data files and imported traces.
    task: a spec whose problems, with the same ids, say how answers are read and graded, such as a corrected data file.
    out: a new run file for a copy with the new answers and grades; None for no copy.

    Raises UsageError for a kind or a task that does not fit the run, StoreError for an unreadable run and for a copy
    that cannot be written.
    """
    with Reader.open(run) as store:
        plan, problems = _regraded(store, kind, task)
        problems = [problem.remembering() for problem in problems]
        found = Rescored(run)
        if out is None:
            for before, after in _again(store, problems):
                found.count(before, after)
            return found

        def fill(copy: Store) -> None:
            for before, after in _again(store, problems):
                found.count(before, after)
                copy.regrade(after)

        Store.copy(store, out, plan, problems, fill).close()
    return found


def _again(store: Reader, problems: Sequence[Problem]) -> Iterator[tuple[Result, Result]]:
    """Every search that did not fail, as it was kept and as it is read and graded now."""
    for before in store.results(problems):
        if before.error:
            continue
        try:
            yield before, _regrade(before)
        except ClewError:
            raise
        except Exception as error:  # graders of tasks may be anybody's code
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            cause = f"the answer {before.answer.value!r} to {before.problem.id} could not be graded ({said})"
            raise UsageError(cause, "Mend the grader of the task, or name another --kind or --task") from error


def _regrade(before: Result) -> Result:
    problem, combine = before.problem, combiner(before)
    answer = _reread(problem, before.answer) if combine is None else combine(before.leaves)
    status = before.answer.status
    if status is not Status.EXHAUSTED:
        status = Status.ABSTAINED if answer.value is None else Status.ANSWERED
    return replace(
        before,
        answer=replace(answer, status=status),
        grade=before.grade if problem.grader is None else problem.grade(answer.value),
        proposals=[Proposal(_reread(problem, p.answer), p.usage) for p in before.proposals],
    )


def _reread(problem: Problem, answer: Answer) -> Answer:
    """The answer as its solution states it now; as it was kept where no solution was kept with it."""
    if answer.node is None:
        return answer
    value = problem.answer_in(answer.node)
    # Weights of other answers are under the names that these had.
    return answer if value == answer.value else replace(answer, value=value, votes={})


def _regraded(store: Reader, kind: str | None, task: str | None) -> tuple[Plan, list[Problem]]:
    """The run's plan and problems, with answers read and graded as is asked for."""
    plan = store.plan
    problems = store.kept_problems() if plan.task in _WITHOUT_TASK else run_problems(store)
    if task is not None:
        if plan.task in _WITHOUT_TASK:
            raise UsageError(f"{store.path} is not the run of a task", "Leave --task out, or give --kind")
        return _of_task(plan, problems, task, kind)
    if kind is None:
        return plan, problems
    checked(kind)
    if plan.task not in _WITHOUT_TASK and "data" not in store:
        raise UsageError(f"{plan.task} says itself how its answers are read", "Leave --kind out, or name a --task")
    plan = replace(plan, task_options={**plan.task_options, "kind": kind})
    return plan, [_of_kind(problem, kind) for problem in problems]


def _of_kind(problem: Problem, kind: str) -> Problem:
    """The problem of a data file or of imported traces with another kind of answers. Raises UsageError where the gold
    answer is not of this kind."""
    known, meta = checked(kind), {**problem.meta, "kind": kind}
    choices = tuple(problem.meta.get("choices", ()))
    golds = problem.meta.get("golds", [] if problem.reference is None else [problem.reference])
    canonical = [as_canonical(gold, known, choices=choices) for gold in golds]
    if None in canonical:
        cause = f"the gold answer {golds[canonical.index(None)][:40]!r} of {problem.id} is not of the kind {kind}"
        raise UsageError(cause, "Give another kind")
    reference = canonical[0] if canonical else None
    if "golds" in problem.meta:
        graded = stored_problem(problem.id, problem.messages, meta).grader
        reference = golds[0] if known == "choice" else reference
    else:
        graded = None if reference is None else grader(reference, known)
    return replace(problem, extract=extractor(known, choices), grader=graded, reference=reference, meta=meta)


def _of_task(plan: Plan, problems: Sequence[Problem], task: str, kind: str | None) -> tuple[Plan, list[Problem]]:
    """The problems with extractor, grader and gold answer of another task's problems of the same ids."""
    of_file = data_file(task) is not None
    if of_file != (data_file(plan.task) is not None):
        raise UsageError(f"{task} and {plan.task}, of the run, are not both data files", "Name one of the same sort")
    options: dict[str, Any] = {"kind": kind} if kind is not None else {}
    others = (
        load_task(task, **options).problems(None)
        if of_file
        else load_problems(task, **{**plan.task_options, **options})
    )
    known = {_name(other): other for other in others}
    missing = [problem.id for problem in problems if _name(problem) not in known]
    if missing:
        cause = f"{task} lacks {len(missing)} of the {len(problems)} problems of the run ({missing[0]})"
        raise UsageError(cause, "Name a task or a file with problems of the same ids")
    for problem in problems:
        asked, other = (p.meta.get("question", p.question) for p in (problem, known[_name(problem)]))
        if asked != other:
            raise UsageError(
                f"{task} asks another question as {problem.id}", "Name a task or a file with the same questions"
            )
    found = []
    for problem in problems:
        other = known[_name(problem)]
        found.append(
            replace(
                problem, extract=other.extract, grader=other.grader, reference=other.reference, meta=dict(other.meta)
            )
        )
    return replace(plan, task=task, task_options={**plan.task_options, **options}), found


def _name(problem: Problem) -> str:
    """The id of a problem without the name of the file that it is from."""
    return problem.id.removeprefix(f"{problem.family}:")
