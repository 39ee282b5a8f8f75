"""The table is a function of the run file alone: the data file is opened by nothing but `compare`, and checked by going
on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from clew import api
from clew.cli.main import cli
from clew.errors import StoreError
from clew.store import Reader, Store, stored_problems

SHAPES = {
    "math": [
        {"problem": f"{i}/2?", "solution": f"\\boxed{{\\frac{{{i}}}{{2}}}}", "level": "Level 3"} for i in range(1, 6)
    ],
    "number": [{"question": f"{i} + {i} = ?", "answer": f"Add.\n#### {2 * i}"} for i in range(1, 6)],
    "choice": [
        {"question": f"{i}", "choices": {"text": [str(i), "n"], "label": [*"AB"]}, "answerKey": "A"} for i in range(4)
    ],
    "several": [{"question": f"Say {i} or {i + 1}", "answers": [str(i), str(i + 1)]} for i in range(5)],
    "near": [{"question": f"About {i}?", "answer": f"{i}.0", "tolerance": "0.1"} for i in range(1, 6)],
}  # fmt: skip


def begun(folder: Path, shape: str) -> tuple[Path, Path]:
    """A data file, and a finished run on it."""
    data, path = folder / f"{shape}.jsonl", folder / "run.db"
    data.write_text("".join(json.dumps(row) + "\n" for row in SHAPES[shape]))
    api.compare(
        str(data),
        model="toy:arithmetic?skill=0.5",
        methods=["greedy", "self_consistency?n=3"],
        budgets=[2000],
        count=4,
        out=path,
    )
    return data, path


@pytest.mark.parametrize("shape", SHAPES)
def test_a_problem_of_a_data_file_is_made_again_of_the_run_file(tmp_path: Path, shape: str) -> None:
    """5 shapes, each answer of 7 graded alike by the file's problem and by the one of the run file."""
    from clew.tasks import load_problems

    data, path = begun(tmp_path, shape)
    fresh = load_problems(str(data), count=4, seed=0)
    data.unlink()
    with Reader.open(path) as store:
        again = stored_problems(store)
    for one, two in zip(fresh, again, strict=True):
        same = ("id", "messages", "family", "difficulty", "reference", "steps", "stop", "max_tokens")
        assert all(getattr(one, name) == getattr(two, name) for name in same)
        assert json.loads(json.dumps(dict(one.meta))) == json.loads(json.dumps(dict(two.meta)))
        texts = [
            f"The answer is {said}." for said in (one.reference, "1", "2.05", "A", r"\boxed{\frac{3}{2}}", "B", "no")
        ]
        for text in texts:
            value = one.extract(text)
            assert value == two.extract(text) and one.grade(value) == two.grade(value)
        assert two.grade(two.reference) == 1.0


def test_a_finished_run_is_read_without_its_data_file(tmp_path: Path) -> None:
    """8 ways to look, and resumed after 2 changes of the file."""
    data, path = begun(tmp_path, "number")
    before = api.resume(path).comparison
    name = json.loads(CliRunner().invoke(cli, ["show", str(path), "--json"]).output.splitlines()[0])["problem"]
    for change in (lambda: data.write_text(data.read_text().replace("####", "#### 1")), data.unlink):
        change()
        assert api.resume(path).comparison.as_dict() == before.as_dict()
    looks = [
        ["resume"],
        ["show"],
        ["show", name],
        ["stats"],
        ["export", "--to", "jsonl"],
        ["export", "--to", "inspect"],
    ]
    for command, *rest in [*looks, ["export", "--to", "otel"], ["view", "--export", str(tmp_path / "a.html")]]:
        found = CliRunner().invoke(cli, [command, str(path), *rest])
        assert found.exit_code == 0, (command, rest, found.output, found.exception)


def test_going_on_with_another_data_file_is_refused_with_both_hashes(tmp_path: Path) -> None:
    data, path = begun(tmp_path, "number")
    before = api.resume(path).comparison
    with Store.open(path) as store:
        store.db.execute("DELETE FROM results WHERE seed = 0 AND method = 'greedy'")
    then = data.read_text()
    data.write_text(then.replace("####", "#### 1"))
    with pytest.raises(
        StoreError, match=r"then it had the SHA-256 [0-9a-f]{64}, now it has [0-9a-f]{64}\. Put it back"
    ):
        api.resume(path)
    data.unlink()
    with pytest.raises(StoreError, match="now it is not there"):
        api.resume(path)
    after = api.resume(path, stored_problems=True).comparison
    assert [(row.method, row.accuracy) for row in after.rows] == [(row.method, row.accuracy) for row in before.rows]


def test_stored_grades_stand(tmp_path: Path) -> None:
    _, path = begun(tmp_path, "number")
    with Store.open(path) as store:
        for result in [r for r in store.results(stored_problems(store)) if r.method == "greedy"]:
            store.keep(replace(result, grade=1.0))
    assert {row.accuracy for row in api.resume(path).comparison.of("greedy")} == {1.0}
