"""Who may write a run file, and what becomes of a run whose file goes away under it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clew import api
from clew.errors import StoreError
from clew.lab.experiment import execute, make_plan, prepare
from clew.problem import Problem
from clew.result import Proposal, Result
from clew.runner import Trial
from clew.store import Reader, Store, plan_problems
from clew.testing.toys import run

MODEL = "toy:arithmetic?skill=0.5"


def plan(count: int = 6) -> Any:
    return make_plan("add", model=MODEL, methods=["greedy"], budgets=[800], count=count, concurrency=1)


def test_the_second_writer_is_refused_with_who_holds_the_run_and_readers_are_not(tmp_path: Path) -> None:
    """Two ways to write, in this process and in another; a lock whose holder was killed is nobody's."""
    path = tmp_path / "run.db"
    p = plan()
    code = f"import os, pathlib; from clew.store import Store; s = Store.open(pathlib.Path({str(path)!r}))"
    with Store.create(path, p, plan_problems(p)) as store:
        with pytest.raises(StoreError, match=rf"another command is writing .*process {os.getpid()} on .* since"):
            Store.open(path)
        other = subprocess.run([sys.executable, "-m", "clew", "resume", str(path)], capture_output=True, text=True)
        assert other.returncode == 2 and f"process {os.getpid()} on" in other.stderr and "Traceback" not in other.stderr
        with Reader.open(path) as reader:
            assert len(reader.problem_ids()) == 6
        store.keep(next(iter(kept_elsewhere(tmp_path))))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["other.db", "run.db"]
    subprocess.run([sys.executable, "-c", f"{code}; os.kill(os.getpid(), 9)"])
    assert (tmp_path / "run.db.lock").exists()
    api.resume(path)
    assert not (tmp_path / "run.db.lock").exists()


def kept_elsewhere(folder: Path) -> list[Result]:
    return api.compare("add", model=MODEL, methods=["greedy"], budgets=[800], count=6, out=folder / "other.db").results


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_run_file_that_goes_away_is_noticed_within_one_search(tmp_path: Path, how: str) -> None:
    class Remover:
        ended_count = 0

        def begun(self, trial: Trial) -> None: ...

        def proposed(self, trial: Trial, proposal: Proposal) -> None: ...

        def ended(self, trial: Trial, result: Result) -> None:
            self.ended_count += 1
            if self.ended_count == 2:
                path.unlink()
                if how == "replaced":
                    path.write_text("something else")

    path, watcher, p = tmp_path / "run.db", Remover(), plan()
    job = prepare(p)
    with (
        Store.create(path, p, job.problems) as store,
        pytest.raises(StoreError, match="was removed or replaced while it was written"),
    ):
        run(execute(job, store, watcher))
    assert watcher.ended_count == 2, "the third search was not kept, and a fourth was not begun"


class Killing(list[Problem]):
    """Problems that end the process when the one of this number is written."""

    at = 0

    def __iter__(self) -> Iterator[Problem]:
        for i, problem in enumerate(list.__iter__(self)):
            if i == self.at:
                os._exit(9)
            yield problem


def test_a_kill_while_a_run_file_is_made_leaves_none(tmp_path: Path) -> None:
    """Killed at 6 places; then the same command begins anew, and resume knows of no run."""
    path, p = tmp_path / "run.db", plan()
    for at in range(6):
        child = os.fork()
        if child == 0:
            problems = Killing(plan_problems(p))
            problems.at = at
            Store.create(path, p, problems)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert not path.exists() and (tmp_path / "run.db.part").exists()
        with pytest.raises(StoreError, match="there is no run file"):
            api.resume(path)
    with Store.create(path, p, plan_problems(p)) as store:
        assert len(store.problem_ids()) == 6
    assert [f.name for f in tmp_path.iterdir()] == ["run.db"]
