"""`clew solve` while it works and after it: progress, Ctrl-C, the run file that it keeps."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

import clew
from clew.budget import Spend, Usage
from clew.cli.thinking import FIRST, Thinking
from clew.problem import Answer, Status
from clew.result import Proposal
from clew.store import Reader, stored_problems
from support.servers import Scripted

MODEL = ("-m", "toy:arithmetic?skill=0.6")


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "CLEW_STATE": str(tmp_path / "state"), "CLEW_CACHE": str(tmp_path / "cache")}


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clew", *arguments], capture_output=True, text=True, timeout=60, env=env, input=""
    )


def kept(env: dict[str, str]) -> list[Path]:
    return sorted(Path(env["CLEW_STATE"]).glob("solved/*.db"))


def test_every_solve_is_kept_and_the_last_one_is_shown(state: dict[str, str]) -> None:
    assert "holds no solved question yet" in run(state, "show", "last").stderr
    for question in ("What is 1 + 1?", "What is 20 + 22?"):
        asked = run(state, "solve", question, *MODEL, "--stop", "####", "--max-tokens", "40")
    assert asked.stdout == "42\n" and len(kept(state)) == 2
    shown = run(state, "show", "last", "what-is-20-22")
    assert shown.returncode == 0 and "= 42" in shown.stdout and "toy:arithmetic" in shown.stdout
    with Reader.open(kept(state)[-1]) as reader:
        (problem,) = stored_problems(reader)
        (result,) = reader.results([problem])
        assert reader.made_by[0]["roles"]["generate"]["engine"] == "toy"
    assert problem.question == "What is 20 + 22?" and problem.stop == ("####",) and problem.max_tokens == 40
    assert problem.answer_in(result.leaves[0]) is not None
    run(state, "solve", "What is 5 + 5?", *MODEL, "--no-log")
    assert len(kept(state)) == 2
    assert "not a comparison" in run(state, "resume", "last").stderr


def test_show_prints_what_each_sample_answers_and_the_vote(state: dict[str, str]) -> None:
    told = run(state, "solve", "What is 20 + 22?", *MODEL, "--show", "-b", "300")
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    samples = [line for line in lines if " = 42" in line and "end" in line]
    votes = next(line for line in lines[lines.index("answer votes share") :] if line.startswith("42 "))
    assert int(votes.split()[1]) == len(samples) > 1


def test_where_nothing_can_be_kept_the_question_is_not_lost(state: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = run({**state, "CLEW_STATE": str(tmp_path / "file" / "state")}, "solve", "What is 1 + 1?", *MODEL)
    assert told.returncode == 2 and "CLEW_STATE" in told.stderr and "--no-log" in told.stderr


def test_progress_is_told_while_the_search_runs() -> None:
    told: list[Proposal] = []
    with Scripted(delay=0.06) as server:
        result = clew.solve("What is 6 * 7?", model=server.url, budget=200, method="self_consistency?n=2",
                            max_tokens=60, on_progress=told.append)  # fmt: skip
    spent = [p.usage.total.tokens for p in told]
    assert spent == sorted(spent) and told[-1].answer.value == result.answer.value == "42"
    assert len(told) > len(result.proposals)  # also between two proposals


def test_without_a_terminal_a_line_is_written_now_and_then() -> None:
    written = io.StringIO()
    thinking = Thinking(Console(file=written, width=60), 2000)
    answer = Answer("42", confidence=0.75, votes={"42": 3.0, "9": 1.0})
    with thinking.shown():
        for second in range(12):
            usage = Usage({("m", "generate"): Spend(generated=100 * second)}, seconds=float(second))
            thinking(Proposal(answer if second > 6 else Answer(None), usage))
    lines = written.getvalue().splitlines()
    assert lines == [
        "no answer yet · 500 of 2,000 tokens · 5 s",
        "42 (75% of the votes) · 800 of 2,000 tokens · 8 s",
    ]
    assert FIRST == 5


def test_a_model_that_falls_silent_is_told() -> None:
    written = io.StringIO()
    thinking = Thinking(Console(file=written, width=60), 2000)
    for second in range(16):
        usage = Usage({("m", "generate"): Spend(generated=min(second, 1))}, seconds=float(second))
        thinking(Proposal(Answer(None), usage))
    assert written.getvalue().splitlines()[-1] == "no answer yet · 1 of 2,000 tokens · 12 s · no token for 11 s"


def test_an_interrupt_prints_the_best_answer_so_far_and_where_the_trace_is(state: dict[str, str]) -> None:
    with Scripted(delay=0.02) as server:
        arguments = ["solve", "What is 6 * 7?", "-m", server.url, "-b", "100000"]
        running = subprocess.Popen(
            [sys.executable, "-m", "clew", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=state
        )
        end = time.monotonic() + 30
        while len(server.bodies) < 120:  # 64 are in flight: the first are answered
            assert time.monotonic() < end and running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        out, said = (stream.decode() for stream in running.communicate(timeout=30))
    assert running.returncode == 130 and out == "42\n"
    assert "interrupted; the best answer so far: 42 (100% of the votes)" in said and str(kept(state)[0]) in said
    with Reader.open(kept(state)[0]) as reader:
        (result,) = reader.results(stored_problems(reader))
    assert result.answer.value == "42" and result.answer.status is Status.INTERRUPTED and len(result.leaves) > 1
    assert "interrupted" in run(state, "show", "last").stdout


def test_a_model_that_fails_leaves_the_best_answer_so_far(state: dict[str, str]) -> None:
    with Scripted() as server:
        arguments = ("solve", "What is 6 * 7?", "-m", server.url, "-b", "80", "--max-tokens", "30")
        assert run(state, *arguments).returncode == 0  # the server is probed once
        server.faults = ["", *["400"] * 9]
        told = run(state, *arguments)
    assert told.returncode == 2 and told.stdout == "42\n"
    assert (
        "the model failed; the best answer so far: 42" in told.stderr and "temperature is not a colour" in told.stderr
    )


def test_samples_that_wait_for_room_are_explained(state: dict[str, str]) -> None:
    crowded = run(state, "solve", "What is 20 + 22?", *MODEL, "-p", "n=8", "-b", "1200")
    assert "2 samples ran at a time: 512 tokens are kept back for each" in crowded.stderr
    limit = crowded.stderr.split("With --max-tokens ")[1].split()[0]
    told = run(state, "solve", "What is 20 + 22?", *MODEL, "-p", "n=8", "-b", "1200", "--max-tokens", limit)
    assert "at a time" not in told.stderr and told.stdout == crowded.stdout == "42\n"
