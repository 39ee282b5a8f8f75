"""What the embedded engine costs: `python -m benchmarks.engine [--json] [--quick]`.

throughput_ratio_16, _32, _64: tokens a second of that many live branches through `Search.extend`, statistics of all
    tokens included, over those of the bare loop of `benchmarks.bare` in the faster of llama.cpp's two cache modes. Both
    start from a computed prompt, on the same file with the same threads. Rounds alternate; the median of the ratios.
prefill_ratio: tokens computed to prefill, over the distinct tokens of the tree that no model drew, for best-of-16 on a
    prompt of 500 tokens.
its_hub_ratio: see `benchmarks.peers.its_hub`; only where that peer is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

from benchmarks.bare import MODES, Bare
from clew.budget import Budget
from clew.models import load
from clew.models.llamacpp import LlamaCppModel
from clew.models.llamacpp.binding import Weights
from clew.models.llamacpp.format import threads_choice
from clew.problem import Message, Problem
from clew.sampling import Sampling, tokens
from clew.search import GENERATE, Search

MODEL = "smollm2-135m"
BRANCHES = (16, 32, 64)
STORY = "Tell me a very long story about a kingdom by the sea, its people, its weather and its wars. Leave nothing out."
TEMPERATURE = 0.8


def story(words: int) -> Problem:
    """A problem whose solutions do not end soon, with a prompt of about so many words."""
    filler = " It begins like this: once upon a time there was a king." * (max(0, words - 20) // 12)
    return Problem("story", (Message("user", STORY + filler),), max_tokens=1024)


async def through_search(model: LlamaCppModel, problem: Problem, branches: int, length: int, seed: int) -> float:
    """Tokens a second of `Search.extend`, the prompt computed before."""
    search = Search(problem, {GENERATE: model}, Budget(), seed=seed, sampling=Sampling(temperature=TEMPERATURE))
    await search.extend(search.root, until=tokens(1))
    begin = time.perf_counter()
    nodes = await search.extend(search.root, branches, until=tokens(length))
    return sum(len(n.segment) for n in nodes) / (time.perf_counter() - begin)


def throughput(model: LlamaCppModel, *, rounds: int, length: int) -> dict[str, Any]:
    """The throughput ratios, and the rates behind them in tokens a second."""
    problem = story(100)
    prompt = model.render(problem.messages).token_ids
    weights = Weights(model.file)
    bare = {mode: Bare(weights, mode, max(BRANCHES), 512, threads_choice()) for mode in MODES}
    found: dict[str, Any] = {"prompt_tokens": len(prompt), "length": length, "rounds": rounds}
    for branches in BRANCHES:
        asyncio.run(through_search(model, problem, branches, 4, 0))
        first = {mode: bare[mode].rate(prompt, branches, 24, TEMPERATURE) for mode in MODES}
        best = max(first, key=lambda mode: first[mode])
        ours, theirs = [], []
        for seed in range(1, rounds + 1):
            theirs.append(bare[best].rate(prompt, branches, length, TEMPERATURE))
            ours.append(asyncio.run(through_search(model, problem, branches, length, seed)))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        found[f"throughput_ratio_{branches}"] = round(statistics.median(ratios), 3)
        found[f"tokens_per_second_{branches}"] = round(statistics.median(ours), 1)
        found[f"bare_tokens_per_second_{branches}"] = round(statistics.median(theirs), 1)
        found[f"bare_mode_{branches}"] = best
    for loop in bare.values():
        loop.close()
    weights.close()
    return found


async def prefill(model: LlamaCppModel) -> float:
    """`prefill_ratio`, over the sixteen independent solutions of best-of-16, each a call of its own."""
    problem = Problem("long", story(410).messages, max_tokens=32)
    search = Search(problem, {GENERATE: model}, Budget(), seed=1)
    async for _ in search.rollouts(n=16):
        pass
    total = search.ledger.usage.total
    written = search.tree.distinct_tokens - total.generated
    assert 450 <= written <= 560, written
    return total.computed / written


def main() -> None:
    """Run what the module's first lines say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="under a minute, without the peer")
    options = parser.parse_args()
    model = load(MODEL)
    assert isinstance(model, LlamaCppModel)
    found: dict[str, Any] = {"prefill_ratio": round(asyncio.run(prefill(model)), 4)}
    found |= throughput(model, rounds=2 if options.quick else 7, length=48 if options.quick else 96)
    asyncio.run(model.close())
    if not options.quick:
        from benchmarks.peers.its_hub import compare

        found |= compare()
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:32} {value}")


if __name__ == "__main__":
    main()
