"""A method's temperature is that of all that its generating model writes: refinements and replies as well as drafts."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clew import load
from clew.budget import Budget
from clew.errors import BudgetExhausted
from clew.models.toy import ToyModel
from clew.registry import methods
from clew.search import GENERATE, Search
from clew.tasks import load_problems
from clew.testing.toys import run
from clew.tree import Origin

METHODS = [
    entry.name
    for entry in methods
    if entry.make.__module__.startswith("clew.methods.") and "temperature" in entry.parameters
]
GREEDY = [name for name in METHODS if name != "guarded_exact"]  # whose temperature is above 0
GIVEN: dict[str, dict[str, Any]] = {"constrained": {"regex": r"(.|\n)*"}, "rethink_mcts": {"good": 99.0}}


def words() -> ToyModel:
    """Spawns a thread, states something and ends, whatever it is asked; each token has one alternative."""
    tokens = ["<spawn>\n", "one\n", "</spawn>", "it.\n"]

    def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
        at = min(len(ids), len(tokens))
        return [3.0 if i == at else 1.0 if i == (at + 1) % 5 else 0.0 for i in range(5)]

    return ToyModel(tokens, source, name="words")


@pytest.mark.parametrize("name", GREEDY)
def test_at_temperature_0_nothing_is_left_to_chance(name: str) -> None:
    (problem,) = load_problems("arith", count=1, shots=0)
    given = replace(problem, verifier=lambda value: 0.0, step_verifier=lambda text: 1.0, max_tokens=64)
    for model in (load("toy:arithmetic?skill=0.6"), words()):
        search = Search(given, {"generate": model}, Budget(tokens=1500))
        with suppress(BudgetExhausted):
            run(methods[name].make(search, temperature=0.0, **GIVEN.get(name, {})))
        written = [n for n in search.tree.nodes if n.role == GENERATE and n.origin is Origin.SAMPLED]
        chances = [n.segment.proposal_logprob for n in written]
        known = np.concatenate([chance for chance in chances if chance is not None])
        assert len(known) and not known.any(), f"{name} drew tokens with probabilities {np.exp(known)}"
