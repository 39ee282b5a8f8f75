"""Turns the spec of a task (`word`, `rg:gcd`, `quiz.csv?kind=choice+shuffle`) into the task and its problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clew import registry
from clew.errors import UsageError
from clew.problem import Message, Problem
from clew.tasks.base import Task
from clew.tasks.files import ROLES, File, format_of, read_file
from clew.tasks.rg import gym
from clew.tasks.rg import told as told_of_family
from clew.tasks.transforms import TRANSFORMS, transformed

_FILE_OPTIONS = ("kind", "instruct")


def load_task(spec: str, **options: Any) -> Task:
    """The task that `spec` names: `NAME`, `rg:NAME`, or the path of a file, then `?key=value`, then `+transform`s.

    options: the same as `?key=value`, which they override: a file's `kind`, `instruct` and columns (the roles
    of `clew.tasks.files.ROLES`, or all of them as `fields`), a reasoning-gym family's configuration.
    Raises UsageError for an unknown name, option or transform, and for a file that cannot be read.
    """
    base, names = _untransformed(spec)
    name, given = registry.parse_spec(base)
    given = {**given, **{k: v for k, v in options.items() if v is not None}}
    if name.startswith("rg:"):
        task: Task = gym(name.removeprefix("rg:"), given)
    elif _names_file(name):
        task = _file(name, given)
    else:
        entry = registry.tasks[name]
        task = entry.make(**entry.checked(given))
    return transformed(task, names)


def data_file(spec: str) -> Path | None:
    """The file whose problems `spec` names; None for other tasks."""
    name = registry.parse_spec(_untransformed(spec)[0])[0]
    return Path(name).expanduser() if _names_file(name) else None


def _names_file(name: str) -> bool:
    return not name.startswith("rg:") and bool(format_of(name) or "/" in name)


def _file(name: str, given: dict[str, Any]) -> File:
    fields = given.pop("fields", {})
    if not isinstance(fields, Mapping):
        raise UsageError(f"fields is {fields!r}", "Name each role by itself, as in question=FIELD")
    fields = {**fields, **{role: given.pop(role) for role in ROLES if role in given}}
    for key, value in given.items():
        if key not in _FILE_OPTIONS:
            raise UsageError(f"a file has no option {key!r}", f"It takes: {', '.join((*ROLES, *_FILE_OPTIONS))}")
        if key == "instruct" and not isinstance(value, bool):
            raise UsageError(f"instruct is {value!r}", "Write true or false")
    return read_file(Path(name).expanduser(), fields=fields, **given)


def described(spec: str) -> tuple[dict[str, str], list[dict[str, str]]] | None:
    """What a spec names that is not registered (a family of reasoning-gym, a file), and its options, as `clew list`
    shows them; None for other specs. Raises UsageError as `load_task`."""
    name, given = registry.parse_spec(_untransformed(spec)[0])
    if name.startswith("rg:"):
        summary, options = told_of_family(name.removeprefix("rg:"))
        return {"name": name, "summary": summary}, options
    if format_of(name):
        file = _file(name, given)
        return {"name": name, "summary": file.told(), "problems": f"{len(file.rows):,}"}, []
    return None


def _untransformed(spec: str) -> tuple[str, list[str]]:
    """The spec without its transforms, and the transforms in order. A plus sign in the name of a file is kept."""
    names: list[str] = []
    while "+" in spec:
        head, _, tail = spec.rpartition("+")
        if tail not in TRANSFORMS and (format_of(spec) or "?" in head or Path(spec).exists()):
            break
        names.insert(0, tail)
        spec = head
    return spec, names


def load_problems(
    spec: str,
    *,
    count: int | None = None,
    seed: int = 0,
    difficulty: float | None = None,
    shots: int | None = None,
    system: str | None = None,
    stop: Sequence[str] = (),
    max_tokens: int | None = None,
    **options: Any,
) -> list[Problem]:
    """The problems that a spec names.

    spec: see `load_task`.
    count: how many; None gives 20 of a task and all of a file.
    seed: which problems, and in which order; the first ones are the same whatever the count.
    difficulty: the setting of the task's dial; None is its default.
    shots: worked examples in the prompt; None is the task's default.
    system: the system prompt; None is the task's default.
    stop: strings that end a solution; none given are the task's default.
    max_tokens: the most tokens of a solution; None is the task's default.
    options: see `load_task`.

    Raises UsageError, before any work, for anything that cannot be done as asked.
    """
    problems = load_task(spec, **options).problems(count, seed=seed, difficulty=difficulty, shots=shots)
    return [problem.prompted(system=system, stop=stop, max_tokens=max_tokens) for problem in problems]


def examples(spec: str, shots: int | None) -> tuple[Message, ...]:
    """The turns that a task or a data file puts before a question: its system prompt, then its worked examples.

    spec: see `load_task`.
    shots: how many worked examples; None is the task's default.

    Raises UsageError as `load_problems` does.
    """
    return load_problems(spec, count=1, shots=shots)[0].messages[:-1]
