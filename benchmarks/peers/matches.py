"""One peer's method and ours on the same problems: what each costs, and how often each is right."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.peers.drivers.soundness import soundness
from benchmarks.peers.places import home, llama_server
from benchmarks.peers.proxy import Proxy
from clew.budget import Budget
from clew.lab.stats import clustered
from clew.methods.common.rewriting import CRITIC, REWRITER
from clew.models import load
from clew.models.llamacpp import LlamaCppModel
from clew.problem import Message, Problem
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.search import GENERATE
from clew.tasks import load_problems

MODEL = "smollm2-135m"
MAX_TOKENS = 64
SEED = 11
PARTICLES, VOTES, ANSWERS, SIMULATIONS, PARALLEL, STEPS = 8, 16, 8, 2, 4, 8
_UNRELATED = (Message("user", "Name a colour."),)

Texts = tuple[float, list[str]]
"""Seconds, and the final text of each problem."""


@dataclass(frozen=True, slots=True)
class Match:
    """A peer's method, and what of ours it is compared with.

    ours: method and parameters. temperature: of both. problems, quick: how many, in a full run and in a quick one (0:
    not in it). play: runs the peer over (proxy's URL, match, problems). same_tokens: whether ours may spend as many
    tokens as the peer has generated, a problem's share each, instead of as many samples.
    """

    peer: str
    name: str
    ours: str
    temperature: float
    problems: int
    quick: int
    play: Callable[[str, Match, Sequence[Problem]], Awaitable[Texts]]
    same_tokens: bool = False

    @property
    def key(self) -> str:
        """What the figures are reported under."""
        return f"{self.peer}.{self.name}"


@dataclass(frozen=True, slots=True)
class Side:
    """What one side took: wall seconds, tokens of all that it generated, prompt tokens computed, and each grade."""

    seconds: float
    generated: int
    prefilled: int
    grades: Sequence[float]
    calls: int

    def as_dict(self) -> dict[str, float]:
        """For the report."""
        accuracy = sum(self.grades) / len(self.grades)
        return {
            "seconds": round(self.seconds, 2),
            "generated": self.generated,
            "prefilled": self.prefilled,
            "calls": self.calls,
            "accuracy": round(accuracy, 3),
        }


def problems_for(count: int) -> list[Problem]:
    """One-step word problems, whose steps both sides judge by `soundness`."""
    found = load_problems("word", count=count, difficulty=1, seed=SEED)
    return [replace(p, max_tokens=MAX_TOKENS, step_verifier=partial(soundness, p.question)) for p in found]


async def played(match: Match, quick: bool) -> dict[str, Any]:
    """The outcome of one match. Server and engine both start anew, so that neither knows the prompts already."""
    problems = problems_for(match.quick if quick else match.problems)
    model = load(MODEL)
    assert isinstance(model, LlamaCppModel)
    try:
        with llama_server(model.file) as upstream:
            theirs = await _theirs(match, upstream, problems)
        tokens = theirs.generated // len(problems) if match.same_tokens else None
        ours = await _ours(match, model, problems, tokens)
    finally:
        await model.close()
    return outcome(ours, theirs)


def outcome(ours: Side, theirs: Side) -> dict[str, Any]:
    """The ratios, peer over ours, and the paired difference of accuracy, ours less the peer's, with its interval."""
    differences = [a - b for a, b in zip(ours.grades, theirs.grades, strict=True)]
    (interval,) = clustered([[d] for d in differences], lowest=-1.0)
    return {
        "wall_ratio": round(theirs.seconds / ours.seconds, 2),
        "prefill_ratio": round(theirs.prefilled / ours.prefilled, 2),
        "accuracy_difference": round(sum(differences) / len(differences), 3),
        "accuracy_interval": [round(interval.low, 3), round(interval.high, 3)],
        "problems": len(differences),
        "ours": ours.as_dict(),
        "theirs": theirs.as_dict(),
    }


async def _ours(match: Match, model: LlamaCppModel, problems: Sequence[Problem], tokens: int | None) -> Side:
    models = {GENERATE: model}
    sampling = Sampling(temperature=match.temperature)
    await run_trial(Trial(Problem("warm-up", _UNRELATED, max_tokens=8), "greedy", 0), models, Budget())

    def budget(problem: Problem) -> Budget:
        # The prompt counts in a budget of ours; what is given is what may be generated.
        return Budget() if tokens is None else Budget(tokens=tokens + len(model.render(problem.messages)))

    begin = time.perf_counter()
    results = await asyncio.gather(
        *(run_trial(Trial(p, match.ours, SEED), models, budget(p), sampling=sampling) for p in problems)
    )
    seconds = time.perf_counter() - begin
    totals = [result.usage.total for result in results]
    return Side(
        seconds,
        sum(t.generated for t in totals),
        sum(t.computed for t in totals),
        [result.grade or 0.0 for result in results],
        sum(t.calls for t in totals),
    )


async def _theirs(match: Match, upstream: str, problems: Sequence[Problem]) -> Side:
    settings = {"temperature": match.temperature, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "max_tokens": MAX_TOKENS}
    conversations = {p.question: [{"role": m.role, "content": m.text} for m in p.messages] for p in problems}
    async with Proxy(upstream, defaults={"max_tokens": 8}) as first:
        await _chat(first.url, {"messages": [{"role": "user", "content": _UNRELATED[0].text}]})
    async with Proxy(upstream, seed=SEED, defaults=settings, conversations=conversations) as proxy:
        seconds, texts = await match.play(proxy.url, match, problems)
    counts = proxy.counts
    assert not counts.failed, f"the server refused {counts.failed} of {counts.calls} calls"
    grades = [_grade(problem, text) for problem, text in zip(problems, texts, strict=True)]
    return Side(seconds, counts.generated, counts.prefilled, grades, counts.calls)


def _grade(problem: Problem, text: str) -> float:
    answer = problem.extract(text)
    assert problem.grader is not None
    return 0.0 if answer is None else problem.grader(answer)


# --- how each peer is played ------------------------------------------------------------------------------------------


async def _driven(peer: str, driver: str, job: dict[str, Any]) -> Texts:
    command = [home(peer) / "bin" / "python", Path(__file__).parent / "drivers" / driver]
    run = partial(subprocess.run, command, input=json.dumps(job), capture_output=True, text=True, check=False)
    done = await asyncio.to_thread(run)
    assert done.returncode == 0, f"{peer} failed:\n{done.stderr[-2000:]}"
    found = json.loads(done.stdout)
    return found["seconds"], found["texts"]


def _job(url: str, match: Match, problems: Sequence[Problem], **more: Any) -> dict[str, Any]:
    common = {"url": url, "seed": SEED, "temperature": match.temperature, "max_tokens": MAX_TOKENS}
    return {**common, "questions": [p.question for p in problems], **more}


async def _particles(url: str, match: Match, problems: Sequence[Problem]) -> Texts:
    job = _job(url, match, problems, particles=PARTICLES, steps=STEPS)
    return await _driven("its_hub", "particle_filter.py", job)


async def _treequest(url: str, match: Match, problems: Sequence[Problem]) -> Texts:
    more = {"answers": ANSWERS, "parallel": PARALLEL, "critic": CRITIC, "rewriter": REWRITER}
    return await _driven("treequest", "ab_mcts.py", _job(url, match, problems, **more))


async def _chat(url: str, body: dict[str, Any]) -> str:
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(f"{url}/chat/completions", json=body) as response,
    ):
        reply = await response.json()
        assert response.status == 200, reply
        return str(reply["choices"][0]["message"]["content"])


@asynccontextmanager
async def _optillm_server(upstream: str) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        home("optillm") / "bin" / "optillm",
        *("--base-url", upstream, "--port", str(port), "--log", "error"),
        env={**os.environ, "OPENAI_API_KEY": "none"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await _answering(server, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def _answering(server: asyncio.subprocess.Process, url: str) -> None:
    """Wait until it does."""
    async with aiohttp.ClientSession() as session:
        while True:
            assert server.returncode is None, "optillm ended"
            try:
                async with session.get(url) as reply:
                    assert reply.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.2)


async def _optillm(url: str, match: Match, problems: Sequence[Problem]) -> Texts:
    approach: dict[str, Any] = {"model": f"{match.name}-m", "max_tokens": MAX_TOKENS, "temperature": match.temperature}
    approach |= {"k": VOTES} if match.name == "majority_voting" else {"mcts_simulations": SIMULATIONS, "mcts_depth": 1}
    async with _optillm_server(url) as server:
        begin = time.perf_counter()
        turns = [[{"role": "user", "content": p.question}] for p in problems]
        texts = await asyncio.gather(*(_chat(server, {**approach, "messages": t}) for t in turns))
        return time.perf_counter() - begin, list(texts)


MATCHES = (
    Match(
        "its_hub",
        "particle_filter",
        f"particle_filter?n={PARTICLES}&scorer=step_verifier&potential=odds&target=product&ess=1",
        temperature=1.0,
        problems=24,
        quick=1,
        play=_particles,
    ),
    Match("optillm", "majority_voting", f"self_consistency?n={VOTES}", 0.8, 32, 2, _optillm),
    # optillm's MCTS asks for temperature 1 itself.
    Match("optillm", "mcts", "mcts", 1.0, 12, 0, _optillm, same_tokens=True),
    Match(
        "treequest",
        "ab_mcts",
        f"ab_mcts?n={ANSWERS}&parallel={PARALLEL}&scorer=step_verifier",
        temperature=0.8,
        problems=24,
        quick=2,
        play=_treequest,
    ),
)
