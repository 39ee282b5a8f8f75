"""Small enumerable models and problems that several tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from clew.budget import Budget
from clew.models.toy import ToyModel
from clew.problem import Message, Problem
from clew.sampling import Sampling
from clew.search import Search

T = TypeVar("T")


def letters(weights: dict[str, float] | None = None, length: int = 4, name: str = "letters") -> ToyModel:
    """A model that writes `length` letters (each with the given weight, whatever came before) and ends."""
    table = weights or {"a": 0.5, "b": 0.3, "c": 0.2}

    def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
        done = len(ids) >= length
        return [0.0 if done else w for w in table.values()] + [1.0 if done else 0.0]

    return ToyModel(list(table), source, name=name)


def geometric(stop: float = 0.25, name: str = "geometric") -> ToyModel:
    """A model that writes x's and after each ends with probability `stop`."""
    return ToyModel(["x"], lambda _, ids, __: [1.0 - stop if ids else 1.0, stop if ids else 0.0], name=name)


def problem(**changes: Any) -> Problem:
    """A problem whose answer is the text itself."""
    base = Problem("p", (Message("user", "go"),), max_tokens=64)
    return replace(base, **changes)


def search(model: ToyModel | None = None, *, tokens: int | None = None, seed: int = 0, **changes: Any) -> Search:
    """A search on a toy; `tokens` are those beyond the prompt."""
    toy = model or letters()
    given = problem(**changes)
    prompt = len(toy.render(given.messages))
    budget = Budget() if tokens is None else Budget(tokens=prompt + tokens)
    return Search(given, {"generate": toy}, budget, seed=seed, sampling=Sampling(temperature=1.0))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(work)
