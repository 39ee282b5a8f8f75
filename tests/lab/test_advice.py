"""Which method to take: the advice fits the task, runs on the model, and stands in the docs as it is given."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from clew.background import get_model
from clew.budget import Budget
from clew.lab.advice import advise, hint, rendered, table
from clew.problem import Answer, Message, Problem
from clew.registry import methods
from clew.runner import Trial, check, run_trial
from clew.tasks import load_problems
from clew.tasks.answers import extractor
from clew.tree import GENERATE

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize(
    ("model", "task", "first"),
    [
        ("toy:queens?skill=0.3", "puzzle:queens", "a_star?threshold=0&good=1"),
        ("toy:arithmetic", "words", "best_of_n?scorer=verifier"),
        ("toy:arithmetic", "word", "self_consistency"),
    ],
)
def test_the_first_advice_fits_the_task_and_all_of_it_runs(model: str, task: str, first: str) -> None:
    (problem,) = load_problems(task, count=1)
    models = {GENERATE: get_model(model)}
    lines = advise(problem, models)
    assert lines[0].spec == first and [line.only_if for line in lines].count("") == 1
    check([Trial(problem, line.spec, 0) for line in lines], models, Budget(tokens=9999))


def test_the_table_in_the_docs_is_the_one_that_advises() -> None:
    assert rendered(table()) in (DOCS / "search.md").read_text(), "run: python tools/advice_doc.py"
    for line in table():
        methods.resolved(line.spec)
        assert line.spec.partition("?")[0] in line.take


def test_free_text_is_not_voted_over() -> None:
    problem = Problem("p", (Message("user", "Write."),), extract=extractor("auto"))
    model = get_model("toy:uniform?vocab=abcdefgh&length=40")
    found = asyncio.run(run_trial(Trial(problem, "self_consistency?n=6", 0), {GENERATE: model}, Budget(tokens=999)))
    assert "no two of 6 samples agree" in hint(found)
    spaced = get_model("toy:uniform?vocab=abcd &length=80")
    found = asyncio.run(run_trial(Trial(problem, "self_consistency?n=6", 0), {GENERATE: spaced}, Budget(tokens=999)))
    assert "a vote needs short ones: take --method consensus" in hint(found)
    found = asyncio.run(run_trial(Trial(problem, "consensus?n=6", 0), {GENERATE: spaced}, Budget(tokens=999)))
    assert hint(found).startswith("free text: a vote needs short answers") and found.answer.node in found.leaves
    found.answer = Answer("4", votes={"4": 2.0, "5": 4.0})
    assert hint(found) == ""


def test_advice_fits_a_pipe() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "clew", "advise", "toy:arithmetic", "--task", "word"], capture_output=True, text=True
    )
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0 and lines[0].startswith("self_consistency\t") and all("\t" in line for line in lines)
