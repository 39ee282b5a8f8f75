"""Transforms change the problems of a task such that their answers stay right, or that there is none (`drop`).

They are written behind the task (`word+rename`, `data.jsonl+shuffle`, `word+rename+drop`); the seed fixes the changes.

shuffle: another order of the options; for problems with options.
rename: other names and things, the same answer; for tasks that say which words may change.
renumber: the same stories with other numbers, solved anew; for tasks that can.
drop: one premise is left out, so that the right answer is "unknown", and the question says that something may be
missing; for tasks that say which premises they need.
drop_unhinted: as `drop`, but the question does not say that something may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from clew.errors import UsageError
from clew.problem import Problem
from clew.sampling import Stream
from clew.tasks.answers import UNKNOWN, extract_or_unknown, extractor
from clew.tasks.base import Generated, Task
from clew.tasks.files import asked
from clew.tasks.lexicon import POOLS

_DROP_ASK = " If something needed is missing, answer unknown."


def _cannot(problem: Problem, name: str, why: str) -> UsageError:
    return UsageError(f"{problem.family} cannot be changed by {name!r}: {why}", "Leave the transform out")


def _shuffle(problem: Problem, stream: Stream) -> Problem:
    choices = problem.meta.get("choices")
    if not choices or problem.reference is None:
        raise _cannot(problem, "shuffle", "its problems have no options")
    old = asked(problem.meta["question"], choices)
    if old not in problem.question:
        raise _cannot(problem, "shuffle", "its options are not in the question")
    order = [int(i) for i in stream.generator().permutation(len(choices))]
    options = tuple(choices[i] for i in order)
    golds = problem.meta.get("golds", [problem.reference])
    rights = [chr(ord("A") + order.index(ord(gold) - ord("A"))) for gold in golds]
    question = problem.question.replace(old, asked(problem.meta["question"], options))
    return replace(
        problem,
        messages=problem.asking(question),
        reference=rights[0],
        grader=lambda answer: float(answer in rights),
        extract=extractor("choice", options),
        meta={**problem.meta, "choices": options, "golds": rights},
    )


def _rename(problem: Problem, stream: Stream) -> Problem:
    pools = problem.meta.get("renames")
    if not pools:
        raise _cannot(problem, "rename", "it does not say which words may change")
    taken = set(pools)
    names: dict[str, str] = {}
    for old, pool in sorted(pools.items()):
        fresh = [w for w in POOLS[pool] if w not in taken]
        names[old] = fresh[int(stream.child(old).generator().integers(len(fresh)))]
        taken.add(names[old])
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")

    def renamed(text: str) -> str:
        return pattern.sub(lambda m: names[m.group()], text)

    meta = dict(problem.meta)
    meta["solution"] = renamed(str(meta.get("solution", "")))
    meta["needed"] = tuple(renamed(p) for p in meta.get("needed", ()))
    meta["renames"] = {names[old]: pool for old, pool in pools.items()}
    return replace(problem, messages=problem.asking(renamed(problem.question)), meta=meta)


def _drop(problem: Problem, stream: Stream, hint: str = _DROP_ASK) -> Problem:
    needed = problem.meta.get("needed")
    if not needed:
        raise _cannot(problem, "drop", "it does not say which premises it needs")
    gone = needed[int(stream.generator().integers(len(needed)))]
    question = " ".join(problem.question.replace(gone, "", 1).split()) + hint
    return replace(
        problem,
        messages=problem.asking(question),
        reference=UNKNOWN,
        verifier=None,
        grader=lambda answer: float(answer == UNKNOWN),
        extract=extract_or_unknown(problem.extract),
        meta={**problem.meta, "solution": "#### unknown", "needed": (), "dropped": gone, "answerable": False},
    )


TRANSFORMS: dict[str, Callable[[Problem, Stream], Problem] | None] = {
    "shuffle": _shuffle,
    "rename": _rename,
    "drop": _drop,
    "drop_unhinted": partial(_drop, hint=""),
    "renumber": None,  # done by the task itself
}


@dataclass(frozen=True, slots=True)
class Transformed:
    """A task with one transform applied to its problems.

    name: the name of the task, with the transform.
    inner: the task.
    transform: a key of `TRANSFORMS`.
    """

    name: str
    inner: Task
    transform: str

    def problems(
        self, count: int | None, *, seed: int = 0, difficulty: float | None = None, shots: int | None = None
    ) -> list[Problem]:
        """See `Task.problems`. Raises UsageError also where the task cannot be changed in this way."""
        change = TRANSFORMS[self.transform]
        if change is None:
            if not isinstance(self.inner, Generated) or not self.inner.renumbers:
                raise UsageError(
                    f"{self.inner.name} cannot be renumbered", "Put renumber first, and behind a task that can"
                )
            problems = self.inner.drawn(count, seed=seed, difficulty=difficulty, shots=shots, renumbered=1)
        else:
            given = self.inner.problems(count, seed=seed, difficulty=difficulty, shots=shots)
            problems = [change(p, Stream(self.transform, seed, p.id)) for p in given]
        return [replace(p, id=f"{p.id}+{self.transform}", family=self.name) for p in problems]


def transformed(task: Task, names: list[str]) -> Task:
    """The task with these transforms applied, from left to right. Raises UsageError for an unknown one."""
    for name in names:
        if name not in TRANSFORMS:
            raise UsageError(f"no transform is called {name!r}", f"There are {', '.join(TRANSFORMS)}")
        task = Transformed(f"{task.name}+{name}", task, name)
    return task
