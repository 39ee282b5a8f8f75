"""Files in the shapes of well-known data sets are read without a mapping. The rows are ours, the fields theirs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from clew.errors import UsageError
from clew.problem import Problem
from clew.tasks import load_problems
from clew.tasks.files import NAMES, read_file
from clew.testing import check_task
from support.data_files import ROWS, as_csv

REFERENCES = {
    "GSM8K": {"7", "1200"},
    "MATH": {"1.5", r"2 \sqrt{2}"},
    "AIME": {"73", "9"},
    "ARC": {"A", "B"},
    "MMLU-Pro": {"J", "C"},
    "OlympiadBench": {"9.81", "-3, 2"},
    "verl": {"1", "2"},
    "TRL": {"2", "3"},
}


def jsonl(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def problems_of(tmp_path: Path, *rows: dict[str, Any], **options: Any) -> dict[str, Problem]:
    return {p.id.split(":", 1)[1]: p for p in load_problems(str(jsonl(tmp_path / "x.jsonl", *rows)), **options)}


def right(problem: Problem, solution: str) -> bool:
    answer = problem.extract(solution)
    return problem.grader is not None and answer is not None and problem.grader(answer) == 1.0


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows in the format that the name of the file says."""
    if ".parquet" in path.name:
        pyarrow = pytest.importorskip("pyarrow")
        pyarrow.parquet = pytest.importorskip("pyarrow.parquet")
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    if path.suffix == ".csv":
        path.write_bytes(as_csv(rows))
        return path
    text = json.dumps(rows, indent=1) if ".json" in path.suffixes else "".join(json.dumps(r) + "\n" for r in rows)
    content = text.encode()
    if path.suffix == ".gz":
        content = gzip.compress(content)
    elif path.suffix == ".zst":
        content = pytest.importorskip("zstandard").ZstdCompressor().compress(content)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet", "csv", "jsonl.gz", "json.zst"])
@pytest.mark.parametrize("shape", ROWS)
def test_each_shape_is_recognised_in_each_format(tmp_path: Path, shape: str, ending: str) -> None:
    path = written(tmp_path / f"some.{ending}", ROWS[shape])
    file = read_file(path)
    assert file.shape.name == shape and f"the shape of {shape}; prompt: " in file.told()
    problems = load_problems(str(path))
    assert {p.reference for p in problems} == REFERENCES[shape]
    assert all(p.id.startswith("some:") for p in problems)
    for problem in problems:
        assert problem.grader and problem.reference and problem.grader(problem.reference) == 1.0
        assert not any(mark in m.text for m in problem.messages for mark in ("{'", "['", "None", "nan"))
        assert problem.meta["file"] == file.told()
    check_task(file, count=2)


def test_every_shape_that_the_help_names_is_tested() -> None:
    assert set(ROWS) == set(NAMES)


@pytest.mark.parametrize("shape", ROWS)
def test_the_first_rows_of_each_shape_are_examples(tmp_path: Path, shape: str) -> None:
    path = jsonl(tmp_path / "some.jsonl", *ROWS[shape])
    (problem,) = load_problems(str(path), shots=1)
    *_, example, solution, question = problem.messages
    assert [m.role for m in (example, solution, question)] == ["user", "assistant", "user"]
    first = next(p for p in load_problems(str(path)) if p.messages[-1] == example)
    assert first.extract(solution.text) == first.reference
    assert "<<" not in solution.text


def test_arc_as_the_authors_wrote_it_with_labels_in_any_order(tmp_path: Path) -> None:
    choices = [{"text": "wood", "label": "C"}, {"text": "iron", "label": "A"}, {"text": "wool", "label": "B"}]
    rows = [{"id": "q", "question": {"stem": "Which rusts?", "choices": choices}, "answerKey": "A"}]
    problem = problems_of(tmp_path, *rows)["q"]
    assert problem.question.startswith("Which rusts?\nA) iron\nB) wool\nC) wood") and problem.reference == "A"


def test_an_index_that_contradicts_the_letter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="x.jsonl:1: the answer 'J' and the index 3 name different options"):
        problems_of(tmp_path, ROWS["MMLU-Pro"][0] | {"answer_index": 3})


def test_olympiadbench_says_unit_and_number_of_answers_and_allows_its_error(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, *ROWS["OlympiadBench"])
    speed, roots = problems["11"], problems["12"]
    assert speed.question.startswith("A ball falls for one second.\n\nFind the speed $v$.")
    assert r"Give the answer in $\mathrm{m/s}$, without the unit." in speed.question
    assert right(speed, r"\boxed{9.8}") and right(speed, r"\boxed{9.86}") and not right(speed, r"\boxed{9.7}")
    assert "Give all answers, with commas" in roots.question and "context" not in roots.question
    assert right(roots, r"\boxed{-3, 2}") and right(roots, r"\boxed{2, -3}") and not right(roots, r"\boxed{2}")
    some = ROWS["OlympiadBench"][1] | {"error": "0.1,"}
    (loose,) = problems_of(tmp_path, some).values()
    assert right(loose, r"\boxed{-3, 2.05}") and not right(loose, r"\boxed{-3.05, 2}")


def test_a_picture_is_not_left_out_in_silence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="x.jsonl:1: image_1 holds a picture"):
        problems_of(tmp_path, ROWS["OlympiadBench"][0] | {"image_1": {"path": "a.png"}})
    for row in (ROWS["verl"][0], ROWS["TRL"][0], {"question": "a?", "answer": "1"}):
        assert problems_of(tmp_path, row | {"images": []})
        with pytest.raises(UsageError, match="x.jsonl:1: images holds a picture"):
            problems_of(tmp_path, row | {"images": ["a.png"]})


def test_a_prompt_of_verl_is_asked_as_it_stands(tmp_path: Path) -> None:
    assert problems_of(tmp_path, *ROWS["verl"])["1"].question == "What is 0 + 1? Put the answer after ####."
    assert "End with" in problems_of(tmp_path, *ROWS["verl"], instruct=True)["1"].question


def test_the_other_shapes_of_trl(tmp_path: Path) -> None:
    plain = problems_of(tmp_path, {"prompt": "Capital of Italy?", "completion": " Rome"})["1"]
    assert plain.reference == "Rome" and plain.question.startswith("Capital of Italy?\n")
    user, assistant = {"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "So #### 4"}
    chat = problems_of(tmp_path, {"messages": [user, assistant]})["1"]
    assert chat.reference == "4" and [m.role for m in chat.messages] == ["user"]
    solved = problems_of(tmp_path, {"prompt": [user], "solution": r"$\boxed{4}$"})["1"]
    assert solved.reference == "4" and right(solved, "#### 4")
    both = problems_of(tmp_path, {"problem": "2 + 2?", "answer": "4", "messages": [user, assistant]})["1"]
    assert both.question.startswith("2 + 2?") and both.reference == "4"
    with pytest.raises(UsageError, match="preferences, which have no gold answer"):
        problems_of(tmp_path, {"prompt": "Sky?", "completion": "blue", "label": True})


def test_a_mapping_goes_before_the_shape(tmp_path: Path) -> None:
    row = ROWS["verl"][0] | {"other": {"value": [41, 42]}}
    one = problems_of(tmp_path, row, fields={"answer": "other.value.1"})["1"]
    assert one.reference == "42" and one.question.startswith("What is 0 + 1?")
    both = problems_of(tmp_path, row, answers="other.value")["1"]
    assert right(both, "#### 41") and right(both, "#### 42") and not right(both, "#### 1")
