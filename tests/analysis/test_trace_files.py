"""Traces from elsewhere become runs, and runs become what other tools read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from clew.analysis.io.inspect_log import read_log
from clew.analysis.io.reading import read_traces
from clew.analysis.io.run_file import import_run
from clew.analysis.io.writing import export_traces
from clew.analysis.trace import Trace, traces_of
from clew.api import compare, resume
from clew.errors import StoreError, UsageError
from clew.result import Result
from clew.store import Store, stored_problems
from clew.tree import Finish, Origin

LOGS = Path(__file__).parent / "logs"


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def loaded(path: Path) -> list[Result]:
    with Store.open(path) as store:
        return list(store.results(stored_problems(store)))


def imported(tmp_path: Path, *rows: Any, kind: str = "auto", **fields: str) -> list[Result]:
    run = tmp_path / "run.db"
    import_run(read_traces(jsonl(tmp_path / "traces.jsonl", *rows), fields=fields), run, kind=kind)
    return loaded(run)


def test_plain_chains_of_thought(tmp_path: Path) -> None:
    results = imported(
        tmp_path,
        {"prompt": "2 + 3 * 4?", "trace": "3 * 4 = 12.\n\n2 + 12 = 14.", "answer": "14", "reference": "14"},
        {"prompt": "2 + 3 * 4?", "trace": "2 + 3 = 5.\n\n5 * 4 = 20.", "answer": "20", "reference": "14"},
        {"prompt": "1 + 1?", "trace": "It is 2."},
    )
    assert [(r.problem.id, r.seed, r.answer.value, r.grade) for r in results] == [
        ("1", 0, "14", 1.0),
        ("1", 1, "20", 0.0),
        ("3", 0, "2", None),
    ]
    node = results[0].answer.node
    assert node is not None
    assert [n.segment.text for n in node.solution_path] == ["3 * 4 = 12.\n\n", "2 + 12 = 14."]
    assert node.complete
    assert results[0].usage.total.generated == node.tokens > 0


def test_an_answer_told_beside_the_text_is_a_node_of_its_own(tmp_path: Path) -> None:
    result = imported(tmp_path, {"question": "Why?", "cot": "Because of A.", "answer": "42"})[0]
    assert result.answer.value == "42"
    assert result.answer.node is not None
    assert result.answer.node.origin is Origin.INSERTED
    assert result.answer.node.label == "answer"


def test_reasoning_models_output(tmp_path: Path) -> None:
    results = imported(
        tmp_path,
        {"prompt": "a", "response": "<think>\nPerhaps 3. Wait, 4.\n</think>\n\nThe answer is 4.", "target": 4},
        {"prompt": "b", "reasoning_content": "Perhaps 5.", "content": "The answer is 6.", "correct": True},
        {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "7"}], "model": "m"},
    )
    assert [r.answer.value for r in results] == ["4", "6", "7"]
    assert [r.grade for r in results] == [1.0, 1.0, None]
    assert results[1].answer.text == "<think>\nPerhaps 5.\n</think>\n\nThe answer is 6."
    assert [r.method for r in results] == ["imported", "imported", "m"]
    assert len(traces_of(results[0])[0].thoughts) == 2


def test_fields_of_other_names(tmp_path: Path) -> None:
    result = imported(tmp_path, {"Q": "x", "T": "It is 3.", "A": "3"}, question="Q", trace="T", reference="A")[0]
    assert result.grade == 1.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "traces.jsonl:1 is not JSON"),
        ("[1]", "traces.jsonl:1 is not a JSON object"),
        ('{"trace": "x"}', "traces.jsonl:1: there is no question"),
        ('{"prompt": "x"}', "traces.jsonl:1: there is no trace"),
        ('{"prompt": 3, "trace": "x"}', "neither a text nor a list"),
        ('{"prompt": "q", "trace": "x", "score": 7}', "not a number from 0 to 1"),
        ("", "does not contain any trace"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text(line)
    with pytest.raises(UsageError, match=message):
        read_traces(path)


def test_files_that_are_no_traces(tmp_path: Path) -> None:
    for name, content, message in (
        ("a.txt", "", "reads no traces from"),
        ("a.json", "{}", "not a log of Inspect"),
        ("a.json", "x", "not JSON"),
        ("a.eval", "x", "not a log of Inspect"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(UsageError, match=message):
            read_traces(tmp_path / name)
    with pytest.raises(UsageError, match="no file"):
        read_traces(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="no part 'colour'"):
        read_traces(jsonl(tmp_path / "b.jsonl", {}), fields={"colour": "x"})


@pytest.mark.parametrize("name", ["inspect.json", "inspect.eval"])
def test_logs_that_inspect_wrote(tmp_path: Path, name: str) -> None:
    if name.endswith(".eval"):
        pytest.importorskip("zstandard")
    traces = read_traces(LOGS / name)
    assert [t.id for t in traces] == ["1", "b"]
    assert [t.grade for t in traces] == [1.0, 0.0]
    assert traces[0].text == "<think>\n2+2 is 4. Wait, check: 4.\n</think>\n\nThe answer is 4"
    assert [t.reference for t in traces] == ["4", "6"]
    assert import_run(traces, tmp_path / "run.db") == 2
    results = loaded(tmp_path / "run.db")
    assert [(r.method, r.answer.value, r.grade) for r in results] == [
        ("mockllm/model", "4", 1.0),
        ("mockllm/model", "7", 0.0),
    ]
    assert results[0].usage.total.generated == 9


def test_tokens_that_a_log_tells_are_kept(tmp_path: Path) -> None:
    log = json.loads((LOGS / "inspect.json").read_text())
    choice = log["samples"][1]["output"]["choices"][0]
    choice["message"]["content"] = "3 + 3 = 6.\n\nSo 6."
    pieces = [("3 + ", -0.5), ("3 = 6.", -1.0), ("\n\nSo", -2.0), (" 6.", -0.25)]
    choice["logprobs"] = {"content": [{"token": t, "logprob": lp} for t, lp in pieces]}
    choice["stop_reason"] = "max_tokens"
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log))
    import_run(list(read_log(path)), tmp_path / "run.db")
    result = loaded(tmp_path / "run.db")[1]
    assert result.answer.node is not None
    trace = Trace(result.problem, result.answer.node)
    assert trace.stat("logprob").tolist() == [-0.5, -1.0, -2.0, -0.25]
    assert trace.offsets.tolist() == [0, 4, 10, 14]
    assert result.answer.node.finish is Finish.LENGTH


def test_an_imported_run_is_read_but_not_run(tmp_path: Path) -> None:
    imported(tmp_path, {"prompt": "x", "trace": "It is 3."})
    with pytest.raises(UsageError, match="cannot be run again"):
        resume(tmp_path / "run.db")
    with pytest.raises(StoreError, match="exists"):
        imported(tmp_path, {"prompt": "x", "trace": "It is 3."})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.db"
    compare(
        "add",
        model="toy:arithmetic?skill=0.6",
        methods=["greedy", "self_consistency?n=3"],
        budgets=[300],
        count=3,
        seeds=2,
        out=path,
    )
    return path


def exported(run: Path, form: str, folder: Path) -> dict[str, int]:
    with Store.open(run) as store:
        return export_traces(store, stored_problems(store), form, folder)


def test_a_run_goes_to_inspect_and_back(run: Path, tmp_path: Path) -> None:
    counts = exported(run, "inspect", tmp_path / "out")
    assert {Path(p).name: n for p, n in counts.items()} == {"greedy.eval": 6, "self_consistency-n=3.eval": 6}
    with zipfile.ZipFile(tmp_path / "out" / "greedy.eval") as archive:
        assert len([n for n in archive.namelist() if n.startswith("samples/")]) == 6
    import_run(read_traces(tmp_path / "out" / "greedy.eval"), tmp_path / "back.db", kind="number")
    ours = [r for r in loaded(run) if r.method == "greedy"]
    back = loaded(tmp_path / "back.db")
    assert sorted((r.answer.text, r.grade) for r in back) == sorted((r.answer.text, r.grade) for r in ours)
    assert not list((tmp_path / "out").glob("part-*"))


def test_spans_follow_the_conventions(run: Path, tmp_path: Path) -> None:
    exported(run, "otel", tmp_path)
    results = loaded(run)
    requests = [json.loads(line) for line in (tmp_path / "spans.jsonl").read_text().splitlines()]
    assert len(requests) == len(results) == 12
    seen = set()
    for request, result in zip(requests, results, strict=True):
        spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
        root, *children = spans
        said = {a["key"]: a["value"] for a in root["attributes"]}
        assert root["name"] == f"invoke_agent {result.method}"
        assert said["gen_ai.operation.name"] == {"stringValue": "invoke_agent"}
        assert said["gen_ai.usage.output_tokens"] == {"intValue": str(result.usage.total.generated)}
        assert len(children) == sum(n.origin is Origin.SAMPLED for n in result.tree.nodes)
        assert all(c["parentSpanId"] == root["spanId"] and c["traceId"] == root["traceId"] for c in children)
        assert all(int(s["startTimeUnixNano"]) <= int(s["endTimeUnixNano"]) for s in spans)
        assert all(len(s["traceId"]) == 32 and len(s["spanId"]) == 16 for s in spans)
        seen.add(root["traceId"])
    assert len(seen) == 12
