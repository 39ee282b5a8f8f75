"""What is open when a program ends, and what a forked process can do: in programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.servers import Scripted

SOLVE = "clew.solve('six times seven?', model=URL, budget=200).answer.value"
ASOLVE = "clew.asolve('six times seven?', model=URL, budget=200)"
FORKED = """
pid = os.fork()
if pid == 0:
    signal.alarm(60)  # a child that hangs is ended, and then has not printed
    try:
        print("child", {call}, flush=True)
    except clew.ModelError as error:
        print("child", error, flush=True)
    {end}
assert os.waitpid(pid, 0)[1] == 0, "the child did not end by itself"
print("parent", {call})
"""


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    return {**os.environ, "CLEW_CACHE": str(tmp_path)}


def run(code: str, environment: dict[str, str], url: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import asyncio, os, signal, sys, clew\nURL = {url!r}\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100, check=False
    )


# --- what is open at the end ------------------------------------------------------------------------------------------

ENDS = {
    "script": f"print({SOLVE})",
    "exit": f"print({SOLVE}); sys.exit()",
    "asyncio.run": f"print(asyncio.run({ASOLVE}))",
    "a loop left open, as in a notebook": f"loop = asyncio.new_event_loop(); print(loop.run_until_complete({ASOLVE}))",
    "a loop closed in haste": f"l = asyncio.new_event_loop(); print(l.run_until_complete({ASOLVE})); l.close()",
    "both": f"print({SOLVE}); print(asyncio.run({ASOLVE}))",
    "an error": f"print({SOLVE}); sys.exit(1/0)",
}


@pytest.mark.parametrize("way", ENDS)
def test_a_program_that_used_a_server_ends_in_silence(way, environment):
    with Scripted() as server:
        done = run(ENDS[way], environment, server.url)
    assert done.stdout.startswith("42")
    assert "nclosed" not in done.stderr, done.stderr
    if way != "an error":
        assert done.stderr == ""


def test_a_command_that_used_a_server_ends_in_silence(environment):
    with Scripted() as server:
        for command in (["solve", "six times seven?", "--model", server.url], ["doctor", server.url]):
            done = subprocess.run(
                [sys.executable, "-m", "clew", *command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0
            assert "nclosed" not in done.stderr + done.stdout


# --- forked processes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_a_forked_process_solves_on_a_server_and_so_does_its_parent_afterwards(end, environment):
    with Scripted() as server:
        done = run(f"print({SOLVE}, flush=True)" + FORKED.format(call=SOLVE, end=end), environment, server.url)
    assert done.stdout.split() == ["42", "child", "42", "parent", "42"], done.stderr
    assert done.stderr == ""


def test_a_forked_process_goes_on_with_a_model_that_it_was_given(environment):
    call = f"asyncio.run({ASOLVE}).answer.value"
    code = "URL = clew.load(URL)\n" + f"print({call}, flush=True)" + FORKED.format(call=call, end="sys.exit(0)")
    with Scripted() as server:
        done = run(code, environment, server.url)
    assert done.stdout.split() == ["42", "child", "42", "parent", "42"], done.stderr


def test_a_pool_of_forked_processes_solves_after_a_first_solve(environment):
    code = f"""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
def solve(seed):
    return {SOLVE}
print(solve(0), flush=True)
with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
    print(list(pool.map(solve, range(4))))
"""
    with Scripted() as server:
        done = run(code, environment, server.url)
    assert done.stdout.split("\n")[:2] == ["42", "['42', '42', '42', '42']"], done.stderr


def test_a_forked_process_loads_an_embedded_model_of_its_own_and_refuses_its_parent_s():
    pytest.importorskip("llama_cpp")
    from clew.models.pull import pull

    code = f"""
model = clew.load(URL)
def solve(model):
    return clew.solve("What is 2+2?", model=model, method="sample", budget=80).answer.status
print(solve(model), solve(URL), flush=True)
{FORKED.format(call="solve(URL)", end="os._exit(0)")}
{FORKED.format(call="solve(model)", end="os._exit(0)")}
"""
    done = run(code, dict(os.environ), str(pull("smollm2-135m")))
    lines = done.stdout.splitlines()
    assert len(lines) == 5, done.stderr
    assert lines[1].split()[1] in ("answered", "abstained", "exhausted")
    assert lines[3].startswith("child") and "was loaded before this process was forked" in lines[3]


def test_importing_clew_loads_nothing_that_a_call_may_not_need(environment: dict[str, str]) -> None:
    heavy = ("scipy", "sympy", "math_verify", "matplotlib", "aiohttp", "llama_cpp", "rich", "reasoning_gym", "pyarrow")
    ran = run(f"print([name for name in {heavy} if name in sys.modules])", environment)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
