"""Advice on which method to take for a model and a task, from the measurements of docs/search.md."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from clew import runner
from clew.budget import Budget
from clew.errors import UsageError
from clew.methods.sample.consensus import SHORT, free_text
from clew.models.base import Model
from clew.needs import Check
from clew.problem import Problem
from clew.registry import parse_spec
from clew.result import Result


@dataclass(frozen=True, slots=True)
class Advice:
    """A line of the table in `advice.toml`, which explains the fields.

    only_if: a condition that only the user can judge; empty where there is none.
    """

    have: str
    take: str
    reason: str
    spec: str
    needs: frozenset[str]
    only_if: str = ""


def table() -> list[Advice]:
    """All lines, in order of precedence."""
    data = tomllib.loads(files("clew.lab").joinpath("advice.toml").read_text(encoding="utf-8"))
    return [
        Advice(row["have"], row["take"], row["reason"], row["spec"], frozenset(row["needs"]), row.get("if", ""))
        for row in data["row"]
    ]


def advise(problem: Problem, models: Mapping[str, Model]) -> list[Advice]:
    """The lines that apply to a problem: first the recommendation, then the lines that depend on the user's judgement.

    A method whose needs the models or the problem do not meet (see `runner.check`) is left out.
    """
    offered = offers(problem)
    fitting = [line for line in table() if line.needs <= offered and _runs(line.spec, problem, models)]
    first = next((line for line in fitting if not line.only_if), None)
    return [*([first] if first else []), *(line for line in fitting if line.only_if)]


def offers(problem: Problem) -> set[str]:
    """The properties of a problem that lines may need."""
    found = {str(check) for check in Check if check.offered_by(problem)}
    found.add("votes" if _short(problem.reference) else "free_text")
    if re.search(r"\d", problem.question):
        found.add("numbers")
    return found


def hint(result: Result) -> str:
    """A line of advice after a solved question whose samples did not agree; empty where the vote was meaningful."""
    name, answer, drawn = parse_spec(result.method)[0], result.answer, len(result.leaves)
    if name not in ("consensus", "self_consistency") or drawn < 3 or (answer.votes and max(answer.votes.values()) > 1):
        return ""
    if name == "consensus" and answer.value is not None and not answer.votes:
        return "free text: a vote needs short answers, so this is the sample that shares most words with the others"
    if free_text(answer.votes):
        return "the answers are free text, and a vote needs short ones: take --method consensus"
    return (
        f"no two of {drawn} samples agree, so the vote says little: worked examples (--examples), a greater budget or "
        "a stronger model help more than another method"
    )


def _short(value: str | None) -> bool:
    return value is None or len(value.split()) <= SHORT


def _runs(spec: str, problem: Problem, models: Mapping[str, Model]) -> bool:
    try:
        runner.check([runner.Trial(problem, spec, 0)], models, Budget())
    except UsageError:
        return False
    return True


def rendered(lines: Sequence[Advice]) -> str:
    """The table of docs/search.md."""
    rows = [f"| {line.have} | {line.take} | {line.reason} |" for line in lines]
    return "\n".join(["| you have | take | reason |", "|---|---|---|", *rows])
