"""What cells of data files become: a cell that is not text never becomes a Python repr."""

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pytest

from clew.errors import UsageError
from clew.problem import Problem
from clew.tasks import load_problems


def problem_of(tmp_path: Path, row: dict[str, Any], **options: Any) -> Problem:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return load_problems(str(path), **options)[0]


def raw(tmp_path: Path, text: str, name: str = "x.jsonl", **options: Any) -> list[Problem]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return load_problems(str(path), **options)


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        (["7"], "7"),
        ([7], "7"),
        (7.0, "7"),
        ({"value": 7}, None),
        ([], None),
        (["7", "8"], None),
        ([None, "7"], "7"),
        (float("nan"), None),
        (None, None),
        ("  ", None),
        ([["7"]], None),
        (True, "true"),
        (float("inf"), "Infinity"),
        ("x\ud83d", "x\ufffd"),
    ],
)
def test_a_gold_answer_of_any_form(tmp_path: Path, value: Any, reference: str | None) -> None:
    row = {"question": "a?", "answer": value}
    if reference is not None:
        assert problem_of(tmp_path, row).reference == reference
        return
    with pytest.raises(UsageError, match=r"x.jsonl:1: (this row has no answer|answer holds)") as caught:
        problem_of(tmp_path, row)
    assert caught.value.cure


def test_true_and_false_are_compared_without_regard_to_case(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, {"question": "Is it?", "answer": False})
    answer = problem.extract("The answer is: False")
    assert problem.grader and answer and problem.grader(answer) == 1.0


def test_nested_fields_are_named_by_dotted_paths(tmp_path: Path) -> None:
    row = {"input": {"text": "a?"}, "ground_truth": {"value": "7", "aliases": ["seven"]}, "a.b": "9"}
    with pytest.raises(UsageError, match=r"Name a part of it: ground_truth.value, ground_truth.aliases"):
        problem_of(tmp_path, row, question="input.text")
    assert problem_of(tmp_path, row, question="input.text", answer="ground_truth.value").reference == "7"
    assert problem_of(tmp_path, row, question="input.text", answer="a.b").reference == "9"
    path = tmp_path / "x.jsonl"
    (problem,) = load_problems(f"{path}?question=input.text&answer=ground_truth.value")
    assert problem.question.startswith("a?")
    with pytest.raises(UsageError, match=r"x.jsonl:1: there is no field 'ground_truth.worth'"):
        problem_of(tmp_path, row, question="input.text", answer="ground_truth.worth")


def test_any_of_several_answers_counts_where_the_field_is_mapped_so(tmp_path: Path) -> None:
    row = {"question": "Big apple?", "aliases": ["New York", "NYC"]}
    problem = problem_of(tmp_path, row, answers="aliases")
    for solution, grade in (("#### NYC", 1.0), ("#### New York", 1.0), ("#### York", 0.0)):
        answer = problem.extract(solution)
        assert problem.grader and answer and problem.grader(answer) == grade
    with pytest.raises(UsageError, match=r"Write answers=aliases where any of them counts, or answer=aliases.0"):
        problem_of(tmp_path, row, answer="aliases")
    assert problem_of(tmp_path, row, answer="aliases.0").reference == "New York"


@pytest.mark.parametrize(
    ("choices", "answer", "shown", "reference"),
    [
        ({"B": "two", "A": "one"}, "B", "A) one\nB) two", "B"),
        ({"2": "two", "1": "one", "10": "ten"}, "10", "A) one\nB) two\nC) ten", "C"),
        ({"text": ["x", "y", "z"], "label": ["3", "1", "2"]}, "3", "A) y\nB) z\nC) x", "C"),
        ([{"label": "late", "text": "x"}, {"label": "early", "text": "y"}], "early", "A) x\nB) y", "B"),
        (["x", "y", "z"], 2, "A) x\nB) y\nC) z", "C"),
        (["x", "y", "z"], "b", "A) x\nB) y\nC) z", "B"),
        (["4", "2", "1", "0"], 3, "A) 4\nB) 2\nC) 1\nD) 0", "D"),
        (["3", "2", "1"], "2", "A) 3\nB) 2\nC) 1", "B"),
        ([1, 2.5, True], "2.5", "A) 1\nB) 2.5\nC) true", "B"),
        ({"A": "one", "B": "two", "C": None}, "A", "A) one\nB) two", "A"),
        ('{"A": "one", "B": "two"}', "B", "A) one\nB) two", "B"),
        ("one|two", "two", "A) one\nB) two", "B"),
    ],
)
def test_options_in_each_form(tmp_path: Path, choices: Any, answer: Any, shown: str, reference: str) -> None:
    rows = [{"question": "a?", "choices": choices, "answer": answer}]
    if choices == ["4", "2", "1", "0"]:  # that numbers are indices shows where one of them is not an option
        rows.append({"question": "b?", "choices": ["7", "8"], "answer": 0})
    problem = raw(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    first = next(p for p in problem if p.id == "x:1")
    assert first.question.startswith(f"a?\n{shown}\n") and first.reference == reference


@pytest.mark.parametrize(
    ("choices", "answer", "told"),
    [
        (["one"], "A", "choices is not a list of 2 to 26 options"),
        (5, "A", "choices is not a list"),
        (["one", None], "A", "choices has an option that is empty"),
        (["one", ["two"]], "A", "choices holds a list of 1, not text"),
        ({"text": ["x", "y"], "label": ["A"]}, "A", "does not have one label for each option"),
        ({"text": ["x", "y"], "label": ["A", "A"]}, "A", "does not have one label for each option"),
        (["one", "two"], "E", "the answer 'E' is none of the 2 options"),
        (["one", "two"], 7, "the answer '7' is none of the 2 options"),
    ],
)
def test_options_that_cannot_be_read(tmp_path: Path, choices: Any, answer: Any, told: str) -> None:
    with pytest.raises(UsageError, match=f"x.jsonl:1: .*{told}"):
        problem_of(tmp_path, {"question": "a?", "choices": choices, "answer": answer})


def test_options_that_the_first_row_does_not_have_are_not_passed_over(tmp_path: Path) -> None:
    rows = [{"question": "a?", "answer": "1"}, {"question": "b?", "answer": "A", "Options": ["1", "2"]}]
    with pytest.raises(UsageError, match="x.jsonl:2: this row has Options, and the first row has not"):
        raw(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))


def test_chat_messages_stay_messages(tmp_path: Path) -> None:
    url = "https://example.org/a.png"
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    turns = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]
    problem = problem_of(tmp_path, {"prompt": turns, "answer": "a cat"}, instruct=False)
    assert [m.role for m in problem.messages] == ["system", "user"]
    assert problem.question == "What is it?" and problem.messages[1].content[1]["image_url"] == {"url": url}
    for odd, told in (
        ([{"role": "tool", "content": "x"}], "a message of the role 'tool'"),
        ([{"role": "user", "content": None}], "a message without content"),
        ([{"role": "system", "content": "x"}], "does not end with the user"),
        ([{"role": "user", "content": [{"type": "audio"}]}], "other parts than texts and links to images"),
        (["a", "b"], "prompt holds a list of 2, not text"),
    ):
        with pytest.raises(UsageError, match=f"x.jsonl:1: .*{told}"):
            problem_of(tmp_path, {"prompt": odd, "answer": "1"})


def test_json_in_a_cell_of_text_is_read_and_a_python_repr_is_not(tmp_path: Path) -> None:
    def cell(value: str, answer: str = "1") -> Problem:
        path = tmp_path / "x.csv"
        path.write_text("prompt,answer\n" + ",".join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in (value, answer)))
        return load_problems(str(path))[0]

    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a?"}]
    assert [m.role for m in cell(json.dumps(turns)).messages] == ["system", "user"]
    assert cell("a?", '["7"]').reference == "7" and cell("a?", "[1, 2]").reference == "[1, 2]"
    with pytest.raises(UsageError, match="x.csv:2: prompt holds messages as Python prints them"):
        cell(str(turns))


def test_cells_of_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"

    def read(*answers: Any) -> list[str | None]:
        rows = [{"question": "a?", "answer": answer} for answer in answers]
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return sorted(str(p.reference) for p in load_problems(str(path), kind="exact"))

    assert read(decimal.Decimal("0.10"), decimal.Decimal("2.00")) == ["0.10", "2.00"]
    assert read(datetime.date(2031, 5, 6)) == ["2031-05-06"]
    assert read(3.0, 0.5) == ["0.5", "3"]
    for odd, told in (
        (b"ab", "row 1: answer holds bytes"),
        (datetime.timedelta(1), "holds a timedelta"),
        (float("nan"), "no answer"),
    ):
        with pytest.raises(UsageError, match=told):
            read(odd)


def test_long_and_large_things_are_read_or_told_in_one_line(tmp_path: Path) -> None:
    digits = "7" * 5_000
    assert raw(tmp_path, f'{{"question": "a?", "answer": 1, "other": {digits}}}\n')[0].reference == "1"
    with pytest.raises(UsageError, match=r"x.jsonl:1: the answer has 5,000 characters, more than the 400"):
        raw(tmp_path, f'{{"question": "a?", "answer": {digits}}}\n')
    with pytest.raises(UsageError, match=r"x.jsonl:1: this line is not JSON \(it is nested too deep\)"):
        raw(tmp_path, '{"question": ' + "[" * 200_000 + "]" * 200_000 + "}\n")
    long = "word " * 60_000
    assert raw(tmp_path, f'question,answer\n"{long}",1\n', "x.csv")[0].question.startswith(long.strip())
    assert raw(tmp_path, '{"question": "a?", "answer": 0.1000000000000000000001}\n')[0].reference != "0.1"


def test_byte_order_marks_line_ends_and_nul(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'\xef\xbb\xbfquestion,answer\r\n"two\r\nlines",1\r\n\r\nb,2\r\n')
    assert sorted(p.id for p in load_problems(str(path))) == ["x:3", "x:5"]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"question": "a", "answer": "1"}\r\n\r\n{"question": "b", "answer": "2"}')
    assert sorted(p.id for p in load_problems(str(path))) == ["x:1", "x:3"]
    path.write_bytes(b'{"question": "a", "answer": "1"}\n{"question": "b\0", "answer": "2"}\n')
    with pytest.raises(UsageError, match="x.jsonl:2: this line has a NUL character"):
        load_problems(str(path))


def test_json_that_is_a_list_an_object_around_it_or_lines(tmp_path: Path) -> None:
    rows = [{"question": "a?", "answer": "1"}, {"question": "b?", "answer": "2"}]
    for text in (
        json.dumps(rows, indent=2),
        json.dumps({"data": rows}),
        "".join(json.dumps(row) + "\n\n" for row in rows),
    ):
        assert sorted(p.id for p in raw(tmp_path, text, "x.json"))[0] == "x:1"
        assert {p.reference for p in raw(tmp_path, text, "x.json")} == {"1", "2"}
    for text, told in (("[1]", "row 1: this is not a JSON object"), ("{", "is not JSON"), ("3", "not a list of JSON")):
        with pytest.raises(UsageError, match=told):
            raw(tmp_path, text, "x.json")


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="x.csv:1: two columns are called 'answer'"):
        raw(tmp_path, "question,answer,answer\na,1,2\n", "x.csv")
