"""`--system`, `--stop`, `--max-tokens`, `--threads`, `--examples`: what they do, and that a run remembers them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from clew.store import Reader, stored_problems
from support.servers import Scripted

TOY = ("-m", "toy:arithmetic?skill=1")


def clew(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clew", *arguments], capture_output=True, text=True, timeout=60, cwd=cwd, input=""
    )


def test_solve_sends_what_was_asked_for() -> None:
    with Scripted() as server:
        arguments = ("--system", "Be brief.", "--stop", r"That\n", "--max-tokens", "33", "--examples", "add")
        told = clew("solve", "What is 6 * 7?", "-m", server.url, *arguments, "--shots", "1", "--method", "sample")
        assert told.returncode == 0, told.stderr
        body = server.bodies[-1]
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][0]["content"] == "Be brief." and body["messages"][-1]["content"] == "What is 6 * 7?"
    assert 33 in (body.get("max_tokens"), body.get("max_completion_tokens"))


@pytest.mark.parametrize("data", [False, True])
def test_a_comparison_keeps_them_for_resume(tmp_path: Path, data: bool) -> None:
    task = "add"
    if data:
        task = str(tmp_path / "asked.jsonl")
        rows = [{"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(4)]
        Path(task).write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = tmp_path / "run.db"
    arguments = ("--methods", "sample", "--budgets", "300", "-n", "3", "-o", str(run))
    prompting = ("--system", "Be brief.", "--stop", "####", "--max-tokens", "40")
    assert clew("compare", task, *TOY, *arguments, *prompting).returncode == 0
    with Reader.open(run) as reader:
        for problem in stored_problems(reader):
            assert (problem.messages[0].text, problem.stop, problem.max_tokens) == ("Be brief.", ("####",), 40)
    assert "the longest solution allowed (40 tokens)" in run.with_suffix(".html").read_text()
    with sqlite3.connect(run) as db:
        db.execute("DELETE FROM results WHERE problem = (SELECT min(problem) FROM results)")
    assert clew("resume", str(run)).returncode == 0
    with Reader.open(run) as reader:
        texts = [r.answer.text for r in reader.results(stored_problems(reader))]
    assert len(texts) == 3 and not any("####" in text for text in texts)


def test_the_answers_to_a_file_depend_on_them(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "What is 2 + 3?"}\n')
    asked = ("solve", "--file", "q.jsonl", "--out", "a.jsonl", *TOY, "-b", "200")
    assert clew(*asked, "--max-tokens", "50", cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path / "a.jsonl").read_text())["by"]["max_tokens"] == 50
    assert "other settings (max_tokens)" in clew(*asked, "--max-tokens", "60", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--max-tokens", "0"), "a solution cannot be limited to 0 tokens"),
        (("--stop", ""), "an empty stop string"),
        (("--threads", "0"), "--threads"),
        (("--threads", "2"), "threads"),  # the toy computes nothing
        (("--memory", "2G"), "memory"),
        (("--shots", "2"), "--shots needs worked examples"),
        (("--examples", "nothing"), "no task is called 'nothing'"),
        (("--examples", "add", "--shots", "99"), "99 worked examples were asked for"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], told: str) -> None:
    ran = clew("solve", "What is 2 + 3?", *TOY, *arguments)
    assert ran.returncode == 2 and told in ran.stderr and "Traceback" not in ran.stderr
