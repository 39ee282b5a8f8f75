"""Runs: what is kept, what survives a kill, what a resume does."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clew import api
from clew.background import get_model
from clew.budget import Budget
from clew.errors import ClewError, ModelError, StoreError, UsageError
from clew.lab.experiment import execute, make_plan, prepare
from clew.models.base import Context
from clew.models.toy import ToyModel
from clew.result import Result
from clew.runner import Trial, check, run_trial, trials_of
from clew.runner import run as run_cells
from clew.sampling import Sampling
from clew.store import Store, plan_problems
from clew.testing.toys import letters, problem, run
from clew.tree import Segment

METHODS = ("greedy", "self_consistency?n=4", "first_finish")
MODEL = "toy:arithmetic?skill=0.5"


def plan(count: int = 3, **changes: Any) -> Any:
    options = {"model": MODEL, "methods": METHODS, "budgets": [400, 800], "count": count}
    return make_plan("add", **(options | changes))


def shape(result: Result) -> Any:
    nodes = [
        (n.id, n.parent and n.parent.id, n.segment.text, str(n.finish), n.scores, n.born) for n in result.tree.nodes
    ]
    return (result.problem.id, result.method, result.seed, result.answer.value, result.grade, nodes)


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    p = plan()
    problems = plan_problems(p)
    trial = Trial(problems[0], "self_consistency?n=4&weighting=borda", 0)
    p = replace(p, methods=(trial.method,))
    found = run(run_trial(trial, {"generate": get_model(MODEL)}, p.budget))
    with Store.create(tmp_path / "run.db", p, problems) as store:
        store.keep(found)
    with Store.open(tmp_path / "run.db") as store:
        (back,) = store.results(problems)
        assert store.plan == p
    assert shape(back) == shape(found)
    assert back.usage == found.usage and back.samples == found.samples and back.cost == found.cost
    assert back.answer.votes == found.answer.votes and back.answer.status == found.answer.status
    assert [q.answer.value for q in back.proposals] == [q.answer.value for q in found.proposals]
    for mine, theirs in zip(found.tree.nodes, back.tree.nodes, strict=True):
        assert mine.solution == theirs.solution
        for name in ("token_ids", "offsets", "logprob", "entropy", "certainty", "proposal_logprob"):
            a, b = getattr(mine.segment, name), getattr(theirs.segment, name)
            assert (a is None) == (b is None) and (a is None or np.array_equal(a, b))


def test_trees_are_the_same_at_concurrency_1_and_64(tmp_path: Path) -> None:
    shapes = []
    for concurrency in (1, 64):
        p = plan(count=8, concurrency=concurrency)
        job = prepare(p)
        with Store.create(tmp_path / f"{concurrency}.db", p, job.problems) as store:
            run(execute(job, store))
            shapes.append([shape(r) for r in store.results(job.problems)])
    assert shapes[0] == shapes[1]


def test_a_run_names_what_made_it_and_once_while_that_stays_the_same(tmp_path: Path) -> None:
    p = plan(count=1)
    job = prepare(p)
    expected = {"clew": version("clew"), "roles": {"generate": {"engine": "toy", "spec": MODEL}}}
    with Store.create(tmp_path / "run.db", p, job.problems) as store:
        assert store.made_by == []
        run(execute(job, store))
        assert store.made_by == [expected]
        run(execute(job, store))
        store.db.execute("DELETE FROM results")
        run(execute(job, store))
        assert store.made_by == [expected]
        store.db.execute("DELETE FROM results")
        other = letters(name="other")
        run(execute(replace(job, models={"generate": other}), store))
        assert [m["roles"]["generate"]["spec"] for m in store.made_by] == [MODEL, "other"]
    shown = clew("show", str(tmp_path / "run.db"))
    assert f"clew {version('clew')}" in shown.stdout and MODEL in shown.stdout.replace("\n", "")


def start(path: Path, *extra: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "clew", "compare", "add", "--model", MODEL, "-n", "150", "-o", str(path)]
    command += ["--methods", "self_consistency,best_of_n", "--budgets", "600", "--concurrency", "4", "--json", *extra]
    # Whoever runs the tests in the background ignores Ctrl-C, and what is started from there inherits that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed)


def wait_for(path: Path, count: int) -> None:
    for _ in range(600):
        time.sleep(0.05)
        if path.exists():
            try:
                db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
                done = db.execute("SELECT count(*) FROM results").fetchone()[0]
                db.close()
            except sqlite3.Error:
                continue
            if done >= count:
                return
    raise AssertionError("the run did not begin")


def clew(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "clew", *arguments], capture_output=True, text=True, timeout=240)


def table(output: str | bytes) -> Any:
    data = json.loads(output)
    return [{k: v for k, v in row.items() if k != "used"} for row in data["rows"]]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The table of the run of `start` that nothing interrupts."""
    told, _ = start(tmp_path_factory.mktemp("whole") / "whole.db").communicate(timeout=240)
    return table(told)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_resumes_to_the_same_table(tmp_path: Path, how: signal.Signals, expected: Any) -> None:
    cut = start(tmp_path / "cut.db")
    wait_for(tmp_path / "cut.db", 20)
    cut.send_signal(how)
    _, err = cut.communicate(timeout=60)
    assert cut.returncode == (130 if how is signal.SIGINT else -9)
    if how is signal.SIGINT:
        assert b"clew resume" in err and b"Traceback" not in err
    with Store.open(tmp_path / "cut.db") as store:
        before = {row["id"]: row["usage"] for row in store.rows("results")}
    assert 20 <= len(before) < 300
    resumed = clew("resume", str(tmp_path / "cut.db"), "--json")
    assert table(resumed.stdout) == expected
    with Store.open(tmp_path / "cut.db") as store:
        after = {row["id"]: row["usage"] for row in store.rows("results")}
    assert len(after) == 300, "every search is there, and once"
    assert {i: after[i] for i in before} == before, "what was done was not done again"


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path) -> None:
    p = plan(count=40)
    job = prepare(p)
    with Store.create(tmp_path / "run.db", p, job.problems) as store:
        pages = store.db.execute("PRAGMA page_count").fetchone()[0]
        store.db.execute(f"PRAGMA max_page_count = {pages + 40}")
        with pytest.raises(StoreError, match=r"full.*what was finished before is kept"):
            run(execute(job, store))
    with Store.open(tmp_path / "run.db") as store:
        kept = list(store.results(job.problems))
        assert 0 < len(kept) < 120
        assert all(len(r.tree) > 1 for r in kept)


class Flaky(ToyModel):
    """A toy whose service fails for the calls that `fails` names."""

    def __init__(self, fails: Sequence[int]) -> None:
        inner = letters(length=2)
        super().__init__(inner.vocab[:-1], inner._source)
        self.fails = set(fails)
        self.calls = 0

    async def extend(self, context: Context, **rest: Any) -> list[Segment]:
        self.calls += 1
        if self.calls in self.fails:
            raise ModelError("the server is gone", "Start it")
        return await super().extend(context, **rest)


class Memory:
    def __init__(self) -> None:
        self.results: list[Result] = []

    def finished(self) -> set[tuple[str, str, int]]:
        return {(r.problem.id, r.method, r.seed) for r in self.results if not r.error}

    def keep(self, result: Result) -> None:
        self.results.append(result)


def test_a_failing_model_costs_a_search_and_a_dead_one_ends_the_run() -> None:
    trials = trials_of([problem(id=str(i)) for i in range(12)], ["sample"], [0])
    memory = Memory()
    model = Flaky([2, 5])
    assert run(run_cells(trials, {"generate": model}, Budget(tokens=100), memory, concurrency=1)) == 2
    assert len(memory.finished()) == 10 and sum(bool(r.error) for r in memory.results) == 2
    assert run(run_cells(trials, {"generate": model}, Budget(tokens=100), memory, concurrency=1)) == 0
    assert len(memory.finished()) == 12 and model.calls == 14

    dead = Flaky(range(1, 100))
    with pytest.raises(ModelError, match="the server is gone"):
        run(run_cells(trials, {"generate": dead}, Budget(tokens=100), Memory(), concurrency=1))
    assert dead.calls == 6, "five searches, and a last greeting"

    odd, memory = Flaky([2, 3, 4, 5, 6, 8, 9]), Memory()
    assert run(run_cells(trials, {"generate": odd}, Budget(tokens=100), memory, concurrency=1)) == 7
    assert len(memory.finished()) == 5, "a model that answers a greeting is not gone"


def test_a_mistake_in_a_method_is_not_hidden() -> None:
    class Broken(ToyModel):
        async def extend(self, context: Context, **rest: Any) -> list[Segment]:
            raise ZeroDivisionError

    inner = letters()
    model = Broken(inner.vocab[:-1], inner._source)
    with pytest.raises(ClewError, match=r"all 1 searches failed, the last by ZeroDivisionError \(test_runs.py:\d+ in"):
        run(run_cells(trials_of([problem()], ["sample"], [0]), {"generate": model}, Budget(tokens=99), Memory()))


@pytest.mark.parametrize(
    ("budget", "length", "method", "message"),
    [
        (Budget(tokens=5), None, "greedy", "does not pay for the .* prompt tokens"),
        (Budget(), 3, "greedy", "the context of letters 3"),
        (Budget(), None, "gredy", "Did you mean 'greedy'"),
        (Budget(), None, "greedy?n=3", "greedy has no parameter 'n'"),
    ],
)
def test_what_can_be_known_to_be_wrong_is_said_before_any_work(
    budget: Budget, length: int | None, method: str, message: str
) -> None:
    model = letters()
    model.context_length = length
    with pytest.raises(UsageError, match=message):
        check([Trial(problem(), method, 0)], {"generate": model}, budget)


def test_solving_works_inside_a_running_event_loop() -> None:
    async def notebook() -> str:
        return str(api.solve("What is 20 + 22?", model="toy:arithmetic?skill=1", method="greedy"))

    assert run(notebook()) == "42"


def test_the_same_question_draws_the_same_samples() -> None:
    one, two = (api.solve("What is 20 + 22?", model=MODEL, budget=600) for _ in range(2))
    assert [n.text for n in one.tree.nodes] == [n.text for n in two.tree.nodes]
    assert one.budget == Budget(tokens=600) and one.usage.total.tokens <= 600 + one.usage.peak


def test_importing_clew_loads_no_engine_and_no_torch() -> None:
    code = (
        "import sys, clew; from clew.cli.main import cli; cli(['--help'], standalone_mode=False);"
        "print([m for m in ('llama_cpp', 'torch', 'pandas', 'openai', 'scipy', 'sympy', 'pyarrow', 'matplotlib',"
        " 'reasoning_gym') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"COLUMNS": "80"}
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


def test_sampling_settings_reach_the_draws() -> None:
    toy = letters({"a": 0.5, "b": 0.3, "c": 0.2}, length=1)
    trials = [Trial(problem(), "sample", s) for s in range(60)]
    found = {
        str(run(run_trial(c, {"generate": toy}, Budget(), sampling=Sampling(temperature=1.0, top_k=2)))) for c in trials
    }
    assert found == {"a", "b"}
