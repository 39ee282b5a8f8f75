"""What a server refuses is found out once and left out afterwards; which of several models is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import numpy as np
import pytest

import clew
from clew.budget import Budget
from clew.errors import UsageError
from clew.ledger import Ledger
from clew.models.openai import OpenAIModel, connect, probe
from clew.problem import Message
from clew.sampling import GREEDY, Sampling, Stream, Until
from clew.tree import Segment
from support.servers import SOLUTION, Scripted

QUESTION = (Message("user", "What is six times seven?"),)
DRAWN = Sampling(temperature=0.7, top_p=0.9)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))


def extend(model: OpenAIModel, n: int = 1, sampling: Sampling = DRAWN, until: Until | None = None) -> list[Segment]:
    async def go() -> list[Segment]:
        ledger = Ledger(Budget())
        try:
            return await model.extend(
                model.render(QUESTION),
                until=until or Until(limit=60),
                sampling=sampling,
                streams=[Stream("refused", i) for i in range(n)],
                gauges=[ledger.open(model.name, "generate", model.cost, fresh=1, reused=0) for _ in range(n)],
            )
        finally:
            await model.close()

    return asyncio.run(go())


# --- parameters -------------------------------------------------------------------------------------------------------

CASES = {
    "temperature": (("temperature",), ("temperature",), {"top_p": 0.9}),
    "top_p": (("top_p",), ("top_p",), {"temperature": 0.7}),
    "temperature with top_p": (("temperature+top_p",), ("temperature with top_p",), {"temperature": 0.7}),
    "seed": (("seed",), ("seed",), {"temperature": 0.7, "top_p": 0.9}),
    "stream_options": (("stream_options",), ("stream_options",), {"temperature": 0.7, "top_p": 0.9}),
    "all": (("temperature", "top_p", "seed", "n", "logprobs", "stop"), ("temperature", "top_p", "seed"), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused_is_left_out_afterwards_and_said(case):
    refuses, found, sent = CASES[case]
    with Scripted(refuses=refuses, logprobs="logprobs" not in refuses, many="n" not in refuses) as server:
        model = connect(server.url)
        assert model.probe.refused == found
        assert dict(model.probe.rows())["refused, so left out"] == ", ".join(found)
        server.bodies.clear()
        segments = extend(model, 3)
        assert [s.text for s in segments] == [SOLUTION] * 3
        assert len(server.bodies) == (1 if case == "seed" else 3), "nothing is asked twice; without seeds, n serves"
        for body in server.bodies:
            assert {k: body[k] for k in ("temperature", "top_p") if k in body} == sent
            assert ("seed" in body) == ("seed" not in found)
            assert ("stream_options" in body) == ("stream_options" not in found)
            assert "stop" not in body
        assert connect(server.url).probe == model.probe, "what was found is kept whole"
        assert asyncio.run(model.provenance()).get("left_out") == ", ".join(found)


def test_a_server_that_takes_everything_is_sent_everything():
    with Scripted() as server:
        model = connect(server.url)
        assert model.probe.refused == ()
        assert dict(model.probe.rows())["refused, so left out"] == "nothing that clew sends"


def test_a_server_that_takes_one_of_temperature_and_top_p_gets_the_one_that_says_something():
    with Scripted(refuses=("temperature+top_p",)) as server:
        model = connect(server.url)
        for sampling, sent in (
            (Sampling(temperature=0.7), {"temperature": 0.7}),
            (Sampling(temperature=1.0, top_p=0.9), {"top_p": 0.9}),
            (GREEDY, {"temperature": 0.0}),
        ):
            extend(model, sampling=sampling)
            assert {k: v for k, v in server.bodies[-1].items() if k in ("temperature", "top_p")} == sent


def test_without_its_temperature_the_draws_are_those_of_the_model_itself():
    with Scripted(refuses=("temperature",), logprobs=True) as server:
        (segment,) = extend(connect(server.url), sampling=Sampling(temperature=0.3))
        assert segment.proposal_logprob is not None and segment.logprob is not None
        np.testing.assert_array_equal(segment.proposal_logprob, segment.logprob)


def test_a_server_that_streams_but_takes_no_stream_options_still_streams():
    with Scripted(refuses=("stream_options",)) as server:
        found = probe(server.url)
        assert found.streams
        assert found.usage == "missing"


# --- several models ---------------------------------------------------------------------------------------------------

NAMES = ("org/large", "org/small", "llama3:latest")


@pytest.mark.parametrize("spec", ["#org/small", "?model=org/small", "/#org/small", "?concurrency=2#org/small"])
def test_a_model_is_named_in_the_address(spec):
    with Scripted(names=NAMES) as server:
        model = clew.load(server.url + spec)
        assert model.name.startswith("org/small@127.0.0.1")
        asyncio.run(model.close())
        assert server.bodies[-1]["model"] == "org/small"


def test_a_name_may_leave_out_its_usual_end():
    with Scripted(names=NAMES) as server:
        assert probe(f"{server.url}#llama3").model == "llama3:latest"
        assert probe(f"{server.url}#org/small:nitro").model == "org/small:nitro"


def test_no_name_and_a_wrong_name_are_refused_with_the_list():
    with Scripted(names=NAMES) as server:
        for spec, cause in (("", "several models"), ("#org/smal", "no model called 'org/smal'.*Did you mean")):
            with pytest.raises(UsageError, match=f"(?s){cause}.*org/large, org/small, llama3:latest"):
                clew.load(server.url + spec)
        with pytest.raises(UsageError, match="names two models"):
            clew.load(f"{server.url}?model=org/small#org/large")
        for option, cause in (
            ("colour=red", "has no parameter 'colour'"),
            ("retries=many", "cannot take retries=many"),
        ):
            with pytest.raises(UsageError, match=cause):
                clew.load(f"{server.url}?{option}")


def run(*arguments: str, cwd: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clew", *arguments],
        cwd=str(cwd),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_solve_compare_and_doctor_take_a_server_s_model(tmp_path):
    with Scripted(names=NAMES) as server:
        one, other = f"{server.url}#org/small", f"{server.url}?model=org/large"
        solved = run("solve", "six times seven?", "--model", one, "--budget", "200", "--json", cwd=tmp_path)
        assert json.loads(solved.stdout)["answer"] == "42", solved.stderr
        assert {b["model"] for b in server.bodies} == {"org/small"}
        compare = ("compare", "add", "--methods", "sample", "--budgets", "100", "--count", "1")
        assert run(*compare, "--model", other, cwd=tmp_path).returncode == 0
        assert server.bodies[-1]["model"] == "org/large"
        assert json.loads(run("doctor", one, "--json", cwd=tmp_path).stdout)["model"] == "org/small"
        for command in (("solve", "x", "--model"), (*compare, "--model"), ("doctor",)):
            wrong = run(*command, f"{server.url}#medium", cwd=tmp_path)
            assert wrong.returncode == 2
            assert "It has: org/large, org/small, llama3:latest" in wrong.stderr
            assert len(wrong.stderr.strip().splitlines()) == 1
