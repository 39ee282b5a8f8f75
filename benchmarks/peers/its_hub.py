"""Throughput beside its_hub: `python -m benchmarks.peers.its_hub [--json]`.

its_hub_ratio: tokens a second of self-consistency with 16 samples over word problems, all problems given at once: clew
    on its embedded engine, over its_hub against llama-server (the one that `xllamacpp` carries: 16 slots, as many
    threads) on the same model file, with the same prompts, temperature and limit. Tokens are those of the texts that
    came back, counted by one tokeniser for both. Rounds alternate; the figure is the median of their ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import time
from typing import Any

from benchmarks.peers.places import home, how_to_install, installed, llama_server
from clew.budget import Budget
from clew.models import load
from clew.models.llamacpp import LlamaCppModel
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.tasks import load_problems

SAMPLES = 16
MAX_TOKENS = 96
TEMPERATURE = 0.8
ROUNDS = 3

PEER = """
import asyncio, json, sys, time
from its_hub import SelfConsistency
from its_hub.api import ChatMessage
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel
from its_hub.core.orchestrator import LMOrchestrator
url, samples, max_tokens, temperature = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
lm = OpenAICompatibleLanguageModel(url, "none", "m", max_tokens=max_tokens, temperature=temperature)
algorithm = SelfConsistency(None, orchestrator=LMOrchestrator(max_concurrency=samples))
def turns(messages):
    return [ChatMessage(role=m["role"], content=m["content"]) for m in messages]
async def infer(problems):
    work = (algorithm.ainfer(lm, turns(m), budget=samples, return_response_only=False) for m in problems)
    return [r["content"] for result in await asyncio.gather(*work) for r in result.responses]
print("ready", flush=True)
for line in sys.stdin:
    begin = time.perf_counter()
    texts = asyncio.run(infer(json.loads(line)))
    print(json.dumps({"seconds": time.perf_counter() - begin, "texts": texts}), flush=True)
"""


async def through_clew(model: LlamaCppModel, problems: list[Problem], seed: int) -> tuple[list[str], float]:
    """The solutions, and the seconds that they took."""

    async def solve(problem: Problem) -> list[str]:
        search = Search(problem, {GENERATE: model}, Budget(), seed=seed, sampling=Sampling(temperature=TEMPERATURE))
        return [node.solution async for node in search.rollouts(n=SAMPLES)]

    begin = time.perf_counter()
    solved = await asyncio.gather(*(solve(p) for p in problems))
    return [text for texts in solved for text in texts], time.perf_counter() - begin


def compare(count: int = 5) -> dict[str, Any]:
    """The ratio and what is behind it; None and how to install the peer where it is not."""
    if not installed("its_hub"):
        return {"its_hub_ratio": None, "its_hub": how_to_install("its_hub")}
    # Without the stop strings that only one of the two would be given.
    problems = [
        Problem(p.id, p.messages, max_tokens=MAX_TOKENS) for p in load_problems("word", count=count, difficulty=1)
    ]
    model = load("smollm2-135m")
    assert isinstance(model, LlamaCppModel)
    with llama_server(model.file) as url:
        found = _rounds(model, problems, url)
    asyncio.run(model.close())
    return found


def _rounds(model: LlamaCppModel, problems: list[Problem], url: str) -> dict[str, Any]:
    arguments = [url, str(SAMPLES), str(MAX_TOKENS), str(TEMPERATURE)]
    job = json.dumps([[{"role": m.role, "content": m.content} for m in p.messages] for p in problems])
    ours, theirs = [], []
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [home("its_hub") / "bin" / "python", "-c", PEER, *arguments]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **pipes) as peer:
        assert peer.stdin is not None and peer.stdout is not None
        assert peer.stdout.readline().strip() == "ready"
        for seed in range(ROUNDS + 1):
            peer.stdin.write(job + "\n")
            peer.stdin.flush()
            reply = json.loads(peer.stdout.readline())
            texts, seconds = asyncio.run(through_clew(model, problems, seed))
            if seed:  # the first round warms both up
                theirs.append(sum(map(model.count, reply["texts"])) / reply["seconds"])
                ours.append(sum(map(model.count, texts)) / seconds)
        peer.stdin.close()
    return {
        "its_hub_ratio": round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 2),
        "clew_tokens_per_second": round(statistics.median(ours), 1),
        "its_hub_tokens_per_second": round(statistics.median(theirs), 1),
        "problems": len(problems),
        "samples": SAMPLES,
    }


def main() -> None:
    """Run what the module's first lines say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.its_hub", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = compare()
    print(json.dumps(found) if options.json else "\n".join(f"{k:28} {v}" for k, v in found.items()))


if __name__ == "__main__":
    main()
