"""What each cell of a run file holds: read by `select` alone, so that no reader meets anything else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Annotated, Any, NotRequired, TypedDict

from clew.budget import Cost, Spend, Usage, check_axis
from clew.errors import ClewError
from clew.parameters import Range
from clew.plan import Plan
from clew.problem import Message, Status
from clew.sampling import Sampling
from clew.store.format import Column, columns
from clew.store.typed import Fit, Weight, fit, parsed
from clew.tree import GENERATE, Finish, Origin

_YEAR_10000 = 253_402_300_800
_MOST_SEARCHES = 10**8
"""The most searches that a plan may ask for of each problem."""


class Maker(TypedDict):
    """What made searches: the version of clew, and role → `Model.provenance`."""

    clew: str
    roles: Mapping[str, Mapping[str, str]]


class Data(TypedDict):
    """The data file of a run, and the SHA-256 of what it held (None: it was not there)."""

    file: str
    sha256: str | None


class Sentence(TypedDict):
    """A sentence with its thought anchor: where it stands in the solution, and the fields of `Anchor` (`analysis`)."""

    start: int
    end: int
    sentence: str
    counterfactual: float | None
    resampling: float | None
    p: float | None
    advantage: float | None
    kept: int
    different: int
    forced: float | None
    receiver: float | None
    suppression: float | None


class _TaskOptions(TypedDict, total=False):
    """Those that every task takes."""

    count: int | None
    seed: int
    difficulty: float | None
    shots: int | None
    system: str | None
    stop: list[str]
    max_tokens: int | None


class _Usage(TypedDict):
    seconds: float
    peak: int
    parts: list[dict[str, Any]]


class KeptMeta(TypedDict):
    """`problems.meta` of imported traces and of a question that was solved."""

    kind: str
    stop: NotRequired[list[str]]
    max_tokens: NotRequired[int]


class FileMeta(TypedDict):
    """`problems.meta` of a data file, as far as problems are made of it again."""

    kind: str
    golds: list[str]
    choices: NotRequired[tuple[str, ...]]
    tolerances: NotRequired[list[float]]
    question: NotRequired[str]
    solution: NotRequired[str]
    file: NotRequired[str]


def plan_of(value: Any) -> Plan:
    """A plan as `Plan.as_dict` wrote it. Raises ValueError for anything else."""
    plan: Plan = fit(Plan)(value)
    _known_part(_TaskOptions, plan.task_options)
    sampling = _known_part(Sampling, plan.sampling, every=True)
    if GENERATE not in plan.models:
        raise ValueError("no model generates")
    if len(plan.methods) * len(plan.seeds) > _MOST_SEARCHES:
        raise ValueError("it asks for more searches than anybody can run")
    try:
        check_axis(plan.view["axis"])
    except ClewError as error:
        raise ValueError(error.cause) from None
    if min(plan.view["budgets"], default=-1) < 0:
        raise ValueError("it has no budget, or one below zero")
    return replace(plan, sampling=sampling)


def _known_part(hint: Any, value: Mapping[str, Any], *, every: bool = False) -> dict[str, Any]:
    """The entries of an object that `hint` has, as it wants them. every: whether it may have no others."""
    names = {f.name for f in fields(hint)} if hint is Sampling else set(hint.__annotations__)
    made = fit(hint)({name: item for name, item in value.items() if every or name in names})
    return {name: getattr(made, name) if hint is Sampling else made[name] for name in value if name in names}


def _usage(value: Any) -> Usage:
    told = fit(_Usage)(value)
    parts = {}
    for part in told["parts"]:
        names = tuple(fit(str)(part.pop(name, None)) for name in ("model", "role"))
        parts[names[0], names[1]] = fit(Spend)(part)
    return Usage(parts, told["seconds"], told["peak"])


FACTS: Mapping[str, Fit] = {
    "plan": plan_of,
    "created": fit(Annotated[float, Range(low=0, below=_YEAR_10000)]),
    "made_by": fit(list[Maker]),
    "data": fit(Data),
    "origin": fit(str),
    "sha256": fit(str),
}
"""Key of `meta` → what its JSON is made into."""

_JSON: Mapping[str, Mapping[str, Fit]] = {
    "problems": {"messages": fit(tuple[Message, ...]), "meta": fit(dict[str, Any])},
    "results": {
        "votes": fit(dict[str, Weight]),
        "usage": _usage,
        "samples": fit(tuple[int, ...]),
        "cost": fit(Cost),
    },
    "proposals": {"usage": _usage},
    "nodes": {"scores": fit(dict[str, Weight])},
    "anchors": {"usage": _usage, "sentences": fit(tuple[Sentence, ...])},
}
"""Table → column that holds JSON → what it is made into."""

_WORDS: Mapping[str, Mapping[str, Any]] = {
    "results": {"status": Status},
    "nodes": {"origin": Origin, "finish": Finish, "exact": Annotated[int, Range(low=0, high=1)]},
}
"""Table → column that holds one of a few words → these."""

_SCALARS: Mapping[str, Any] = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}


@cache
def _cells(table: str, raw: bool) -> dict[str, Fit]:
    """Column → what makes a cell of it the value that readers expect. raw: check JSON, and leave it as its text."""

    text = fit(str)

    def one(name: str, column: Column) -> Fit:
        made = _JSON.get(table, {}).get(name)
        if made is None:
            hint = _WORDS.get(table, {}).get(name, _SCALARS[column.kind])
            return fit(hint | None if column.nullable else hint)

        def from_json(cell: Any) -> Any:
            value = made(parsed(text(cell)))
            return cell if raw else value

        return from_json

    return {"rowid": fit(int)} | {name: one(name, column) for name, column in columns()[table].items()}


def select(
    db: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    tail: str = "",
    values: Sequence[Any] = (),
    *,
    raw: bool = False,
) -> Iterator[tuple[Any, ...]]:
    """These columns of a table: numbers, text and bytes as the schema has them, JSON as the types that it stands for.

    tail: what follows the name of the table in SQL, with its `values`. raw: leave JSON as its text.

    Raises ValueError for a cell that holds something else.
    """
    cells = _cells(table, raw)
    made = [cells[name] for name in names]
    at = 0
    for row in db.execute(f"SELECT {', '.join(names)} FROM {table} {tail}", tuple(values)):  # noqa: S608 (our own words)
        try:
            found = []
            for at, make in enumerate(made):
                found.append(make(row[at]))
        except ValueError as error:
            raise ValueError(f"{table}.{names[at]}: {error}") from None
        yield tuple(found)
