import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from clew.errors import UsageError
from clew.tasks import load_problems
from clew.tasks.files import read_file
from clew.testing import check_task


def jsonl(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def test_gsm8k(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "gsm8k.jsonl",
        {"question": "Tom has 3 apples and buys 4.", "answer": "He has 3 + 4 = <<3+4=7>>7.\n#### 7"},
        {"question": "A car?", "answer": "It is 1200.\n#### 1,200"},
        {"question": "Half of 5?", "answer": "Easy.\n#### 2.5"},
    )
    problems = load_problems(str(path))
    assert {p.id: p.reference for p in problems} == {"gsm8k:1": "7", "gsm8k:2": "1200", "gsm8k:3": "2.5"}
    assert problems[0].grader and problems[0].reference and problems[0].grader(problems[0].reference) == 1.0
    shown = load_problems(str(path), shots=1)
    assert len(shown) == 2 and shown[0].messages[1].text == "He has 3 + 4 = 7.\n#### 7"
    check_task(read_file(path), count=3)


def test_math_and_aime(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "math.jsonl",
        {"problem": "p", "solution": r"So \boxed{\frac{\sqrt{8}}{2}}.", "unique_id": "test/1.json", "answer": "x"},
        {"problem": "q", "solution": r"So \boxed{(1, \frac12)}.", "unique_id": "test/2.json", "answer": "x"},
    )
    problems = {p.id: p for p in load_problems(f"{path}?answer=solution")}
    assert problems["math:test/1.json"].reference == r"\sqrt{2}"
    assert problems["math:test/2.json"].reference == "(1, 0.5)"
    assert "boxed" in problems["math:test/1.json"].question
    aime = jsonl(tmp_path / "aime.jsonl", {"problem": "p", "answer": "073"}, {"problem": "q", "answer": 5})
    assert {p.reference for p in load_problems(str(aime))} == {"73", "5"}


def test_csv_with_options_and_other_field_names(tmp_path: Path) -> None:
    path = tmp_path / "quiz.csv"
    path.write_text('ask,right,opts\n"Capital, of Italy?",Rome,"Paris|Rome|Oslo"\nBiggest?,2,"[""a"", ""b"", ""c""]"\n')
    problems = load_problems(str(path), fields={"question": "ask", "answer": "right", "choices": "opts"})
    first, second = sorted(problems, key=lambda p: p.id)
    assert first.question.startswith("Capital, of Italy?\nA) Paris\nB) Rome\nC) Oslo")
    assert (first.reference, second.reference) == ("B", "C")
    assert first.extract("The answer is Rome") == "B"
    check_task(read_file(path, fields={"question": "ask", "answer": "right", "choices": "opts"}), count=2)
    seen = set()
    for seed in range(8):
        for problem in load_problems(f"{path}?question=ask&answer=right&choices=opts+shuffle", seed=seed):
            right = problem.meta["choices"][ord(problem.reference or "?") - ord("A")]
            assert right in ("Rome", "c") and f"{problem.reference}) {right}" in problem.question
            assert problem.grader and problem.grader(problem.reference or "") == 1.0
            assert problem.meta["golds"] == [problem.reference]
            seen.add(problem.question)
    assert len(seen) > 4


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "some.parquet"
    table = pyarrow.table({"question": ["a?", "b?"], "answer": [1, 2], "choices": [["x", "y"], ["u", "v", "w"]]})
    parquet.write_table(table, path)
    assert {p.id: p.reference for p in load_problems(str(path))} == {"some:1": "B", "some:2": "C"}


def test_seed_and_count(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "n.jsonl", *({"question": f"{i}?", "answer": i} for i in range(30)))
    all_ids = [p.id for p in load_problems(str(path))]
    assert len(set(all_ids)) == 30
    assert [p.id for p in load_problems(str(path), count=10)] == all_ids[:10]
    assert [p.id for p in load_problems(str(path), seed=1)] != all_ids
    assert len(load_problems(str(path), count=99)) == 30


def test_kinds(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "t.jsonl", {"q": "a?", "a": "New York"}, {"q": "b?", "a": "42"})
    fields = {"question": "q", "answer": "a"}
    by_kind = {kind: read_file(path, fields=fields, kind=kind).problems(None) for kind in ("exact", "text", "math")}
    references = {kind: {p.reference for p in problems} for kind, problems in by_kind.items()}
    assert references["exact"] == {"New York", "42"} and references["text"] == {"new york", "42"} == references["math"]
    assert read_file(path, fields=fields).kind == "exact"


@pytest.mark.parametrize(("name", "missing"), [("a.jsonl.zst", "zstandard"), ("a.parquet", "pyarrow")])
def test_what_needs_an_extra_says_so(tmp_path: Path, name: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[data\]'"):
        load_problems(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content", "options", "told"),
    [
        ("none.jsonl", None, {}, "none.jsonl: there is no such file"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n{"question": "b"}\n', {}, "a.jsonl:2: this row has no answer"),
        ("a.jsonl", '{"question": "", "answer": "1"}\n', {}, "a.jsonl:1: this row has no question"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\nno\n', {}, "a.jsonl:2: this line is not JSON"),
        ("a.jsonl", "[1]\n", {}, "a.jsonl:1: this line is not a JSON object"),
        ("a.jsonl", "", {}, "no rows"),
        ("a.jsonl", '{"x": "a", "answer": "1"}\n', {}, "question=…"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"answer": "gold"}, "Name one of: question, answer"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"fields": {"gold": "answer"}}, "no role 'gold'"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"kind": "maths"}, "math, number"),
        (
            "a.jsonl",
            '{"question": "a", "answer": "b"}\n',
            {"kind": "number"},
            "a.jsonl:1: the answer 'b' is not of the kind number",
        ),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"rows": 3}, "no option 'rows'"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"instruct": "no"}, "instruct is 'no'"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"fields": 3}, "fields is 3"),
        ("a.jsonl", '{"question": "a", "answer": "1"}\n', {"difficulty": 2}, "not have a dial"),
        ("a.jsonl", '{"id": 1, "question": "a", "answer": "1"}\n' * 2, {}, "a.jsonl:2: the id '1' occurs twice"),
        ("a.csv", "question,answer\na,1,2\n", {}, "a.csv:2: this row has 3 fields, and the header 2"),
        ("a.csv", 'question,answer\n"a"b,1\n', {}, "this row is not CSV"),
        ("a.csv", "question,answer,choices\na,A,one\n", {}, "a.csv:2: choices is not a list of 2 to 26 options"),
        ("a.parquet", "xx", {}, "not a Parquet file"),
        ("a.txt", "xx", {}, "is not a file of problems"),
        ("a.jsonl", b"\xff\xfe\x00", {}, "not UTF-8"),
    ],
)
def test_mistakes_name_file_line_and_cure(
    tmp_path: Path, name: str, content: str | bytes | None, options: dict[str, Any], told: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        load_problems(str(path), **options)
    assert caught.value.cure and "\n" not in str(caught.value)
