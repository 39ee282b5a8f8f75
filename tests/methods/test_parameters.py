"""What a method does not take, or needs and does not get, is one clear line before any work starts."""

from __future__ import annotations

import pytest

from clew import solve
from clew.errors import UsageError
from clew.lab.experiment import make_plan, prepare
from clew.registry import methods
from clew.tasks import load_problems


@pytest.mark.parametrize(
    "spec",
    [
        "particle_filter?potential=loud",
        "particle_filter?target=moon",
        "particle_filter?n=0",
        "particle_filter?scheme=roulette",
        "particle_gibbs?n=1",
        "backward_check?alpha=1.5",
        "failed_step_pruning?n=0",
        "parallel_distill_refine?workspace=none",
        "reflexion?memory=0",
        "retro_search?gamma=0",
        "antislop?strength=0",
        "backspace?limit=0",
        "guarded?guard=moon",
        "guarded?guard=json&unit=word",
        "guarded?retries=0",
        "guarded_exact?temperature=0",
        "ab_mcts?belief=uniform",
        "beam?width=0",
        "beam?width=[]",
        "beam?width=true",
        "dfs?backtracks=-1",
        "graph_of_thought?policy=chance",
        "mcts?policy=best",
        "mcts?backup=sum",
        "mcts?evaluate=guess",
        "mcts?mix=2.0",
        "mcts?widen=1.0",
        "mcts_refine?policy=nash",
        "pass_until?passes=1",
        "rebase?n=0",
        "tot_bfs?evaluate=coin",
    ],
)
def test_a_value_that_a_method_does_not_take_is_named(spec: str) -> None:
    name, _, last = spec.partition("?")
    parameter = last.split("&")[-1].partition("=")[0]
    with pytest.raises(UsageError, match=rf"{name} cannot take {parameter}=.*\. {parameter} is "):
        methods.resolved(spec)


@pytest.mark.parametrize(
    ("spec", "task", "message"),
    [
        ("pass_until", "add", "pass_until needs a verifier, and add@"),
        ("guarded", "add", "guarded needs a step_verifier, and add@"),
        ("beam?scorer=step_verifier", "word", "step_verifier, which beam uses, needs a step_verifier, and word@"),
        ("best_of_n?scorer=verifier", "word", "verifier, which best_of_n uses, needs a verifier, and word@"),
    ],
)
def test_what_the_task_lacks_is_said_before_any_search(spec: str, task: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prepare(make_plan(task, model="toy:arithmetic", methods=["greedy", spec], count=3))


def test_a_scorer_that_is_not_used_is_not_asked_what_it_needs() -> None:
    (given,) = load_problems("add", count=1)
    assert solve(given, model="toy:arithmetic", method="self_consistency?scorer=step_verifier&n=2").answer.value
    with pytest.raises(UsageError, match="needs a step_verifier"):
        solve(given, model="toy:arithmetic", method="self_consistency?scorer=step_verifier&n=2&weighting=score")
