"""Toy models that write letters, and problems and searches for them."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from clew.background import run_afresh
from clew.budget import Budget
from clew.models.toy import ToyModel
from clew.problem import Message, Problem
from clew.sampling import Sampling
from clew.search import Search

T = TypeVar("T")


def letters(weights: dict[str, float] | None = None, length: int = 4, name: str = "letters") -> ToyModel:
    """A model that writes `length` independent letters and ends.

    weights: letter → probability; by default a, b and c with 0.5, 0.3 and 0.2.
    name: identifies the model.
    """
    table = weights or {"a": 0.5, "b": 0.3, "c": 0.2}

    def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
        done = len(ids) >= length
        return [0.0 if done else w for w in table.values()] + [1.0 if done else 0.0]

    return ToyModel(list(table), source, name=name)


def geometric(stop: float = 0.25, name: str = "geometric") -> ToyModel:
    """A model that writes the letter x, and ends after each one with probability `stop`."""
    return ToyModel(["x"], lambda _, ids, __: [1.0 - stop if ids else 1.0, stop if ids else 0.0], name=name)


def problem(**changes: Any) -> Problem:
    """A problem whose answer is the solution's text. changes: other fields of `Problem`."""
    base = Problem("p", (Message("user", "go"),), max_tokens=64)
    return replace(base, **changes)


def search(model: ToyModel | None = None, *, tokens: int | None = None, seed: int = 0, **changes: Any) -> Search:
    """A search on a toy model at temperature 1.

    model: `letters()` by default.
    tokens: the budget beyond the prompt; unlimited by default.
    seed: of the search.
    changes: fields of the problem.
    """
    toy = model or letters()
    given = problem(**changes)
    prompt = len(toy.render(given.messages))
    budget = Budget() if tokens is None else Budget(tokens=prompt + tokens)
    return Search(given, {"generate": toy}, budget, seed=seed, sampling=Sampling(temperature=1.0))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return run_afresh(work)
