"""Grading a run anew: what changes is shown, the run stays as it is, and a copy gives the table of the new grades."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clew import api
from clew.analysis.io.reading import read_traces
from clew.analysis.io.run_file import import_run
from clew.errors import ClewError, StoreError
from clew.lab.experiment import sum_up
from clew.lab.rescore import rescore
from clew.store import Reader, Store

QUESTIONS = [("What is 1 + 1?", "2"), ("What is 1 + 2?", "3"), ("What is 2 + 2?", "4")]


def data_file(path: Path, golds: tuple[str, ...] = ("2", "3", "4")) -> Path:
    rows = ({"question": q, "answer": gold} for (q, _), gold in zip(QUESTIONS, golds, strict=True))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three questions of a data file, answered by a model that always adds right, and by one vote of four."""
    path = tmp_path / "quiz.db"
    task = str(data_file(tmp_path / "quiz.jsonl"))
    methods = ["greedy", "self_consistency?n=4"]
    api.compare(task, model="toy:arithmetic?skill=1", methods=methods, budgets=[400], count=3, out=path)
    return path


def test_a_run_grades_as_it_was_graded_and_needs_no_other_file(run: Path) -> None:
    (run.parent / "quiz.jsonl").unlink()
    before = run.read_bytes()
    found = rescore(run)
    assert [(m, t.searches, t.accuracy) for m, t in found.methods.items()] == [
        ("greedy", 3, (1.0, 1.0)),
        ("self_consistency?n=4", 3, (1.0, 1.0)),
    ]
    assert not found.changes
    assert run.read_bytes() == before and [p.name for p in run.parent.iterdir()] == ["quiz.db"]


def test_a_corrected_gold_answer_changes_what_it_is_about_and_the_copy_has_the_table(run: Path) -> None:
    corrected = data_file(run.parent / "corrected.jsonl", ("2", "5", "4"))
    copy = run.parent / "new.db"
    found = rescore(run, task=str(corrected), out=copy)
    assert [(c.problem, c.method, c.gold, c.before, c.after) for c in found.changes] == [
        ("quiz:2", method, "5", ("3", 1.0), ("3", 0.0)) for method in ("greedy", "self_consistency?n=4")
    ]
    with Reader.open(copy) as store:
        table = sum_up(store).comparison
        assert [row.accuracy for row in table.rows] == [pytest.approx(2 / 3)] * 2
        assert Path(store.data["file"]).name == "corrected.jsonl"
    with Reader.open(run) as store:
        assert [row.accuracy for row in sum_up(store).comparison.rows] == [1.0, 1.0]
    assert not rescore(copy).changes


def test_another_kind_reads_the_solutions_again_and_holds_votes_again(run: Path) -> None:
    copy = run.parent / "exact.db"
    found = rescore(run, kind="exact", out=copy)
    assert all(tally.reread == 0 for tally in found.methods.values())
    back = rescore(copy, kind="number")
    assert not back.changes
    with Reader.open(copy) as store:
        assert store.plan.task_options["kind"] == "exact"
        assert {p.meta["kind"] for p in store.file_problems()} == {"exact"}


def test_a_wrong_verdict_that_is_kept_is_found(run: Path) -> None:
    with Store.open(run) as store:
        result = next(iter(store.results(store.file_problems(), method="greedy")))
        result.grade = 0.0
        store.regrade(result)
    (change,) = rescore(run).changes
    assert (change.method, change.before[1], change.after[1]) == ("greedy", 0.0, 1.0)


def test_imported_traces_are_graded_by_their_gold_answers(tmp_path: Path) -> None:
    source, path = tmp_path / "traces.jsonl", tmp_path / "traces.db"
    row = {"prompt": "Half of one?", "trace": r"It is \boxed{\frac12}.", "reference": "0.5"}
    source.write_text(json.dumps(row) + "\n")
    import_run(read_traces(source, fields={}), path, kind="text")
    (change,) = rescore(path, kind="math").changes
    assert (change.before, change.after) == ((r"\frac12", 0.0), ("0.5", 1.0))


def test_what_does_not_fit_the_run_is_one_clear_line(run: Path) -> None:
    other = data_file(run.parent / "short.jsonl")
    other.write_text("".join(other.read_text().splitlines(keepends=True)[:2]))
    asked = data_file(run.parent / "asked.jsonl")
    asked.write_text(asked.read_text().replace("2 + 2", "2 + 3"))
    cases = {
        "is not of the kind choice": {"kind": "choice"},
        "'nonsense' is not a kind of answer": {"kind": "nonsense"},
        "lacks 1 of the 3 problems of the run": {"task": str(other)},
        "asks another question as quiz:3": {"task": str(asked)},
        "are not both data files": {"task": "word"},
    }
    for said, options in cases.items():
        with pytest.raises(ClewError, match=said) as error:
            rescore(run, **options)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)
    with pytest.raises(StoreError, match="exists"):
        rescore(run, out=run)
    with pytest.raises(StoreError, match="there is no run file"):
        rescore(run.parent / "none.db")
    code = run.parent / "add.db"
    api.compare("add", model="toy:arithmetic", methods=["greedy"], budgets=[400], count=1, out=code)
    with pytest.raises(ClewError, match="add says itself how its answers are read"):
        rescore(code, kind="math")
    assert not rescore(code).changes
