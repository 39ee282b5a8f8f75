"""The conformance suite of scorers, `check_scorer`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from clew import registry
from clew.background import run_afresh
from clew.budget import Budget
from clew.models.base import Model
from clew.needs import Capability
from clew.problem import Problem
from clew.registry import Scale
from clew.sampling import STEP, Sampling
from clew.scorers.base import scale_of
from clew.search import Search
from clew.testing.limited import Limited
from clew.testing.methods import check_meanings
from clew.tree import Node

RANGES: dict[Scale, tuple[float, float]] = {
    "probability": (0.0, 1.0),
    "log_probability": (-math.inf, 0.0),
    "unbounded": (-math.inf, math.inf),
}


def check_scorer(
    spec: str,
    *,
    problem: Problem | None = None,
    model: Callable[[], Model] | None = None,
    models: Mapping[str, Model] | None = None,
) -> None:
    """Check that the registered scorer `spec` (`name?key=value`)

    - gives one float for each node, in order, and the same ones when asked again, alone or beside other nodes (which
      scorers registered with `of_set` need not);
    - works on a model that offers exactly its declared needs, and describes each of its parameters;
    - scores finished and partial solutions, never as NaN and within its declared scale, and fails neither for the root
      nor for no nodes at all;
    - records its scores under a name of its own, leaves the solutions alone, and does not spend unless it asks a model.

    problem: the problem that it is tried on; by default a sum, for the toy solver.
    model: makes the model that it is tried on; by default the toy solver.
    models: role → model, for the roles that the scorer asks.

    Raises AssertionError that names the broken promise.
    """
    from clew.models import load
    from clew.tasks import load_problems

    entry, _ = registry.scorers.resolved(spec)
    check_meanings(entry)
    make = model or (lambda: load("toy:arithmetic?skill=0.6"))
    given = problem or load_problems("arith", count=1, seed=0, shots=0)[0]
    if given.verifier is None:
        reference = given.reference
        given = replace(given, verifier=lambda value: float(value == reference))
    if given.step_verifier is None:
        given = replace(given, step_verifier=lambda text: 1.0)
    able = entry.needs | {Capability.TEXT, Capability.CONTINUE}  # the check itself writes solutions step by step
    roles = {"generate": Limited(make(), able), **(models or {})}
    run_afresh(_check(spec, given, roles))


async def _check(spec: str, problem: Problem, models: Mapping[str, Model]) -> None:
    first, second = [await _scored(spec, problem, models) for _ in range(2)]
    assert first == second, f"{spec} gave {first}, then {second}, for the same solutions"


async def _scored(spec: str, problem: Problem, models: Mapping[str, Model]) -> list[float]:
    search = Search(problem, models, Budget(), seed=1, sampling=Sampling(top=20))
    steps = await search.extend(search.root, 3, until=STEP)
    ends = await search.extend_each([*steps, *steps])
    nodes = [*steps, *ends]
    before = (len(search.tree.roots), [n.solution for n in nodes], search.ledger.tokens)

    scores = await search.score(nodes, spec)
    assert len(scores) == len(nodes), f"{spec} gave {len(scores)} scores for {len(nodes)} nodes"
    assert all(isinstance(s, float) for s in scores), f"{spec} gives other things than floats: {scores}"
    for node, score in zip(nodes, scores, strict=True):
        assert not math.isnan(score), f"{spec} says NaN of {node.solution!r}"
        low, high = RANGES[scale_of(spec)]
        assert low <= score <= high, f"{spec} declares scores from {low:g} to {high:g}, and gives {score:g}"
    _check_recorded(spec, nodes, scores)
    assert [n.solution for n in nodes] == before[1], f"{spec} changed the solutions it scored"
    if len(search.tree.roots) == before[0]:
        assert search.ledger.tokens == before[2], f"{spec} charged the budget without asking a model"

    (root,) = await search.score([search.root], spec)
    assert isinstance(root, float), f"{spec} gives no float for a solution that has not begun"
    assert await search.score([], spec) == [], f"{spec} gives scores for no nodes"
    if not registry.scorers.resolved(spec)[0].of_set:
        alone = [(await search.score([node], spec))[0] for node in nodes[-2:]]
        assert np.allclose(alone, scores[-2:], atol=1e-3), f"{spec} scores {alone} alone, {scores[-2:]} beside others"
    return scores


def _check_recorded(spec: str, nodes: Sequence[Node], scores: Sequence[float]) -> None:
    names = set.intersection(*(set(n.scores) for n in nodes))
    assert len(names) == 1, f"{spec} is recorded as {sorted(names)}"
    (name,) = names
    assert name.partition("?")[0] == spec.partition("?")[0], f"{spec} is recorded as {name}"
    assert [n.scores[name] for n in nodes] == list(scores), f"{spec} recorded other scores than it gave"
