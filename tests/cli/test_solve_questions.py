"""`clew solve`: questions from pipes and files, answers to files that an interrupted run goes on with."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clew.budget import Budget, Usage
from clew.lab.answering import AnswersFile
from clew.problem import Answer, Message, Problem
from clew.result import Result
from clew.runner import Trial
from clew.tree import Tree

MODEL = ("-m", "toy:arithmetic?skill=1")
MUTE = ("-m", "toy:uniform?vocab=ab&length=4", "--method", "greedy", "--kind", "number")


def clew(*arguments: str, given: bytes | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "clew", *arguments], input=given or b"", capture_output=True, timeout=120, **options
    )
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


@pytest.mark.parametrize("arguments", [("solve", "-"), ("solve",)])
@pytest.mark.parametrize("given", [b"What is 20 + 22?\n", b"\xef\xbb\xbfWhat is 20 + 22?\r\n"])
def test_a_question_is_read_from_standard_input(arguments: tuple[str, ...], given: bytes) -> None:
    ran = clew(*arguments, *MODEL, given=given)
    assert (ran.returncode, ran.stdout) == (0, "42\n")
    data = json.loads(clew(*arguments, *MODEL, "--json", given=given).stdout)
    told = json.loads(clew("solve", "What is 20 + 22?", *MODEL, "--json").stdout)
    assert data["votes"] == told["votes"] and data["problem"] == told["problem"]


def test_a_question_given_beside_a_pipe_is_the_question() -> None:
    assert clew("solve", "What is 20 + 22?", *MODEL, given=b"What is 1 + 1?").stdout == "42\n"


@pytest.mark.parametrize(
    ("given", "told"),
    [(b"", "the question is empty"), (b"\xff\xfe?", "not UTF-8"), (b"x" * (2**24 + 1), "more than 16,777,216 bytes")],
)
def test_input_that_is_not_a_question_is_one_line(given: bytes, told: str) -> None:
    ran = clew("solve", "-", *MODEL, given=given)
    assert ran.returncode == 2 and ran.stdout == "" and told in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_without_a_question_a_terminal_is_not_waited_for() -> None:
    ours, theirs = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-m", "clew", "solve", *MODEL], stdin=theirs, capture_output=True, text=True, timeout=60
    )
    os.close(ours)
    os.close(theirs)
    assert ran.returncode == 2 and "no question is given" in ran.stderr


def test_no_answer_is_said_on_standard_error_with_status_1() -> None:
    ran = clew("solve", "Which number?", *MUTE)
    assert (ran.returncode, ran.stdout) == (1, "") and ran.stderr.startswith("no answer\n")
    ran = clew("solve", "Which number?", *MUTE, "--json")
    assert ran.returncode == 1 and json.loads(ran.stdout)["answer"] is None


def test_a_long_answer_stays_one_line_in_a_pipe() -> None:
    ran = clew("solve", "x", "-m", "toy:uniform?vocab=ab&length=300", "--method", "greedy", "--kind", "exact")
    assert ran.returncode == 0 and len(ran.stdout.strip()) == 300 and ran.stdout.count("\n") == 1


def asked(path: Path, count: int) -> Path:
    rows = [{"question": f"What is {i} + 1?", "source": "ours"} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answers(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    found = {line["id"]: {key: value for key, value in line.items() if key != "seconds"} for line in lines}
    assert len(found) == len(lines)  # no question is answered twice
    return found


def test_the_questions_of_a_file_are_answered_in_another(tmp_path: Path) -> None:
    out = tmp_path / "new" / "answers.jsonl"
    ran = clew("solve", "--file", str(asked(tmp_path / "q.jsonl", 5)), "--out", str(out), *MODEL, "-b", "300")
    assert ran.returncode == 0 and ran.stdout == f"{out}\n" and "5 answers, 0 questions without one" in ran.stderr
    found = answers(out)
    assert {line["id"]: line["answer"] for line in found.values()} == {f"q:{i + 1}": str(i + 1) for i in range(5)}
    first = found["q:1"]
    assert first["question"] == "What is 0 + 1?" and first["by"]["budget"] == 300 and first["tokens"] <= 300


def test_files_of_any_format_with_named_fields_and_options(tmp_path: Path) -> None:
    path, out = tmp_path / "q.csv", tmp_path / "a.jsonl"
    path.write_text("ask,opts,key\nWhat is 1 + 1?,3|2,x\n")
    fields = ("--field", "question=ask", "--field", "choices=opts", "--field", "id=key")
    ran = clew("solve", "--file", str(path), "--out", str(out), *MODEL, *fields, "--json")
    assert json.loads(ran.stdout) == {"out": str(out), "questions": 1, "without_answer": 0, "failed": 0}
    (line,) = answers(out).values()
    assert line["id"] == "q:x" and line["question"].startswith("What is 1 + 1?\nA) 3\nB) 2\nEnd with")
    assert line["answer"] == "B"


def test_questions_without_an_answer_are_counted_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    arguments = ("solve", "--file", str(asked(tmp_path / "q.jsonl", 3)), "--out", str(out), *MUTE)
    for _ in range(2):
        ran = clew(*arguments)
        assert ran.returncode == 0 and "0 answers, 3 questions without one" in ran.stderr
    assert {line["answer"] for line in answers(out).values()} == {None}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, how: signal.Signals) -> None:
    count = 60
    path, out, whole = asked(tmp_path / "q.jsonl", count), tmp_path / "a.jsonl", tmp_path / "whole.jsonl"
    arguments = ["solve", "--file", str(path), *MODEL, "-b", "1500", "--concurrency", "2"]
    running = subprocess.Popen(
        [sys.executable, "-m", "clew", *arguments, "--out", str(out)], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    end = time.monotonic() + 60
    while not (out.exists() and out.read_bytes().count(b"\n") >= 5):
        assert time.monotonic() < end and running.poll() is None
        time.sleep(0.01)
    running.send_signal(how)
    told = running.communicate(timeout=60)[1].decode()
    before = out.read_bytes()
    done = before.count(b"\n")
    assert done < count
    if how == signal.SIGINT:
        assert running.returncode == 130 and f"answers are kept in {out}. The same command goes on" in told
    ran = clew(*arguments, "--out", str(out))
    assert ran.returncode == 0 and f"{count - done} of {count} questions to answer" in ran.stderr
    assert out.read_bytes().startswith(before.rpartition(b"\n")[0])
    assert clew(*arguments, "--out", str(whole)).returncode == 0
    assert answers(out) == answers(whole)


def test_a_second_command_does_not_write_the_same_answers(tmp_path: Path) -> None:
    settings = {"method": "greedy", "seed": 0}
    with AnswersFile(tmp_path / "a.jsonl", [], settings):
        asked(tmp_path / "q.jsonl", 1)
        ran = clew("solve", "--file", "q.jsonl", "--out", "a.jsonl", *MODEL, cwd=tmp_path)
        assert ran.returncode == 2 and "another command is writing a.jsonl" in ran.stderr
    assert clew("solve", "--file", "q.jsonl", "--out", "a.jsonl", *MODEL, cwd=tmp_path).returncode == 0


def test_a_search_that_failed_is_asked_again(tmp_path: Path) -> None:
    trial = Trial(Problem("q:1", (Message("user", "What?"),)), "greedy", 0)
    failed = Result(trial.problem, "greedy", 0, Budget(tokens=9), Answer(None), None, Usage(), Tree(), error="gone")
    with AnswersFile(tmp_path / "a.jsonl", [trial.problem], {"method": "greedy", "seed": 0}) as kept:
        kept.keep(failed)
        assert kept.finished() == set() and not kept.answered
        kept.keep(replace(failed, error="", answer=Answer("half \ud83d")))
        assert kept.finished() == {trial.key}
    assert json.loads((tmp_path / "a.jsonl").read_bytes())["answer"] == "half \ud83d"


def test_a_torn_line_is_answered_again(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    arguments = ("solve", "--file", str(asked(tmp_path / "q.jsonl", 3)), "--out", str(out), *MODEL, "-b", "300")
    assert clew(*arguments).returncode == 0
    before = answers(out)
    for cut in (1, 40, len(out.read_bytes().splitlines()[-1]) - 2):
        out.write_bytes(out.read_bytes()[:-cut])
        ran = clew(*arguments)
        assert ran.returncode == 0 and "1 of 3 questions to answer" in ran.stderr and answers(out) == before


def test_answers_are_never_mixed_with_others(tmp_path: Path) -> None:
    path, out = asked(tmp_path / "q.jsonl", 2), tmp_path / "a.jsonl"
    arguments = ("solve", "--file", str(path), "--out", str(out), *MODEL)
    assert clew(*arguments, "-b", "300").returncode == 0
    kept = out.read_bytes()
    for more, told in (
        (("-b", "400"), "a.jsonl:1 was made with other settings (budget)"),
        (("-b", "300", "--seed", "1", "-t", "0.5"), "other settings (seed, sampling)"),
    ):
        ran = clew(*arguments, *more)
        assert ran.returncode == 2 and told in ran.stderr and out.read_bytes() == kept
    path.write_text('{"question": "What is 5 + 5?"}\n')
    ran = clew(*arguments, "-b", "300")
    assert ran.returncode == 2 and "answers a question that is not asked (q:" in ran.stderr
    for foreign in (b"my notes", b"my notes\n", b'{"id": 1}\n', b"\xff\n[]\n"):
        out.write_bytes(foreign)
        ran = clew(*arguments, "-b", "300")
        assert ran.returncode == 2 and "Name another --out" in ran.stderr and out.read_bytes() == foreign


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--file", "q.jsonl"], "--file and --out go together"),
        (["What?", "--out", "a.jsonl"], "--file and --out go together"),
        (["What?", "--file", "q.jsonl", "--out", "a.jsonl"], "--file takes the place of a question"),
        (["--show", "--file", "q.jsonl", "--out", "a.jsonl"], "shows no tree"),
        (["--file", "none.jsonl", "--out", "a.jsonl"], "none.jsonl: there is no such file"),
        (["--file", "q.jsonl", "--out", "a.jsonl", "--method", "gredy"], "Did you mean 'greedy'"),
        (["--file", "q.jsonl", "--out", "a.jsonl", "-b", "3"], "a budget of 3 tokens does not pay"),
        (["--file", "q.jsonl", "--out", "/dev/null/a.jsonl"], "cannot be written"),
        (["--file", "q.jsonl", "--out", "/dev/stdout"], "cannot be written"),
        (["--file", "q.jsonl", "--out", "."], "cannot be written"),
        (["--file", "q.jsonl", "--out", "a.jsonl", "--field", "question=ask"], "q.jsonl:1: there is no field 'ask'"),
    ],
)
def test_mistakes_are_one_line_before_any_work(tmp_path: Path, arguments: list[str], told: str) -> None:
    asked(tmp_path / "q.jsonl", 2)
    ran = clew("solve", *arguments, *MODEL, cwd=tmp_path)
    assert ran.returncode == 2 and ran.stdout == "" and told in ran.stderr
    assert not (tmp_path / "a.jsonl").exists()
