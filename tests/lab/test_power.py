"""What a comparison could have shown, and what it takes to run it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import clew
from clew.lab.experiment import Outcome, make_plan
from clew.lab.power import detectable, power, problems_needed
from clew.lab.report import write_report
from clew.lab.reproduce import command_line, reproduction
from clew.lab.stats import LEVEL, clustered
from support.commands import taken


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return clew.compare(
        "add",
        model="toy:arithmetic?skill=0.6",
        methods=["sample", "self_consistency"],
        budgets=[200, 400],
        count=12,
        sampling={"temperature": 0.9},
        out=tmp_path_factory.mktemp("runs") / "run.db",
    )


def test_a_difference_of_the_least_size_is_found_in_four_of_five_repetitions() -> None:
    rng, problems = np.random.default_rng(0), 40
    measured = clustered(rng.normal(0, 0.3, (problems, 40)), lowest=-1.0)
    least = float(np.mean([detectable(interval, LEVEL) for interval in measured]))
    again = [interval.low > 0 for interval in clustered(rng.normal(least, 0.3, (problems, 400)), lowest=-1.0)]
    assert 0.74 < np.mean(again) < 0.88
    assert problems_needed(least / 2, least, problems) == 4 * problems
    assert problems_needed(-least, least, problems) == problems and problems_needed(0.0, least, problems) is None


def test_the_report_says_what_so_many_problems_could_have_shown(outcome: Outcome, tmp_path: Path) -> None:
    (one,) = power(outcome.comparison)
    write_report(outcome.comparison, tmp_path / "r.html", again=reproduction(outcome.plan, outcome.made_by))
    page = (tmp_path / "r.html").read_text()
    assert f"self_consistency: 12 problems show a difference of {100 * one.least:.0f} points in 4 of 5" in page
    for said in ("clew compare add", "temperature 0.9", "toy:arithmetic?skill=0.6", "engine: toy"):
        assert said in page, said


def test_the_command_of_a_report_makes_the_same_plan(outcome: Outcome) -> None:
    plan = make_plan(
        "word",
        model="smollm2-135m",
        roles={"judge": "toy:arithmetic"},
        methods=["best_of_n?scorer=(step_verifier?seed=1&false_positive=0.2)&n=4", "greedy"],
        budgets=[100.5, 200],
        axis="tokens",
        seeds=2,
        seed=3,
        baseline="greedy",
        sampling={"temperature": 0.5, "top_k": 7},
        task_options={"shots": 2, "system": "Be brief; it's short.", "stop": ["\n\n", "a b"], "max_tokens": 40},
        model_options={"threads": 2},
    )
    command, asked = taken(command_line(plan))
    assert command == "compare"
    assert list(asked["methods"]) == list(plan.methods) and asked["budgets"] == "100.5,200"
    assert (asked["seeds"], asked["seed"], asked["baseline"], asked["threads"]) == (2, 3, "greedy", 2)
    assert (asked["system"], asked["max_tokens"], asked["shots"]) == ("Be brief; it's short.", 40, 2)
    assert asked["stop"] == ("\\n\\n", "a b") and asked["roles"] == ("judge=toy:arithmetic",)
    assert taken(command_line(outcome.plan))[1]["temperature"] == 0.9
