"""What the embedded engine costs: `python -m benchmarks.engine [--json] [--quick]`.

throughput_ratio_16, _32, _64: tokens a second of that many live branches through `Search.extend`, statistics of all
    tokens included, over those of the bare loop of `benchmarks.bare` in the faster of llama.cpp's two cache modes. Both
    start from a computed prompt, on the same file with the same threads, and draw the same number of tokens a branch
    with the same kernel, which computes the statistics in the same pass on both sides. Rounds alternate; the median of
    the ratios. Left out on both sides: the prompt, and the memory for so many branches, made at their first use.
    Counted on clew's side only: all that a search records. There are no delimiters or stop strings to look for, as
    there are none in the bare loop. Branches that end of their own accord (ended_early_*) leave a smaller batch behind,
    which lowers clew's rate. With --quick a round is as long as fits into the minute.
prefill_ratio: tokens computed to prefill, over the distinct tokens of the tree that no model drew, for best-of-16 on a
    prompt of 500 tokens.
roofline_1: bytes of weights that decoding one branch reads a second, over what the machine's memory gives at most.
roofline_64: 8-bit multiplications and additions of 64 branches a second (two for each weight and token), over the most
    that the processor does. Both limits are measured in the same run (`benchmarks.roofline`); None where that fails.
peak_rss_mb: see `benchmarks.memory`; a process of its own.
its_hub_ratio: see `benchmarks.peers.its_hub`; None with --quick, and where that peer is not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.bare import MODES, Apart
from benchmarks.roofline import roofline
from clew.budget import Budget
from clew.models import load
from clew.models.llamacpp import LlamaCppModel
from clew.problem import Message, Problem
from clew.sampling import Sampling, tokens
from clew.search import GENERATE, Search

MODEL = "smollm2-135m"
BRANCHES = (16, 32, 64)
STORY = "Tell me a very long story about a kingdom by the sea, its people, its weather and its wars. Leave nothing out."
TEMPERATURE = 0.8
LENGTH = 96
PROBE = 4


def story(words: int) -> Problem:
    """A problem whose solutions do not end soon, with a prompt of about so many words."""
    filler = " It begins like this: once upon a time there was a king." * (max(0, words - 20) // 12)
    return Problem("story", (Message("user", STORY + filler),), max_tokens=1024)


async def through_search(model: LlamaCppModel, branches: int, length: int, seed: int) -> tuple[float, int]:
    """Tokens a second of `Search.extend`, the prompt computed before; and how many branches ended early."""
    search = Search(story(100), {GENERATE: model}, Budget(), seed=seed, sampling=Sampling(temperature=TEMPERATURE))
    await search.extend(search.root, until=tokens(1))
    begin = time.perf_counter()
    nodes = await search.extend(search.root, branches, until=tokens(length))
    rate = sum(len(n.segment) for n in nodes) / (time.perf_counter() - begin)
    await search.close()
    assert all(n.segment.exact and n.segment.certainty is not None for n in nodes)
    return rate, sum(len(n.segment) < length for n in nodes)


def throughput(model: LlamaCppModel, *, rounds: int, seconds: float) -> dict[str, Any]:
    """The throughput ratios, and the rates behind them in tokens a second.

    seconds: about how long one side of one round may take.
    """
    prompt = model.render(story(100).messages).token_ids
    found: dict[str, Any] = {"prompt_tokens": len(prompt), "rounds": rounds}
    with Apart(model.file, max(BRANCHES), 512) as bare:
        for branches in BRANCHES:
            asyncio.run(through_search(model, branches, 2, 0))
            pace = max(bare.rate(mode, prompt, branches, PROBE, TEMPERATURE) for mode in MODES)
            length = int(min(LENGTH, max(2 * PROBE, seconds * pace / branches)))
            # Which mode is the faster depends on the length.
            rates = {mode: bare.rate(mode, prompt, branches, length, TEMPERATURE) for mode in MODES}
            best = max(rates, key=lambda mode: rates[mode])
            ours, theirs, early = [], [], 0
            for seed in range(1, rounds + 1):
                theirs.append(bare.rate(best, prompt, branches, length, TEMPERATURE))
                rate, ended = asyncio.run(through_search(model, branches, length, seed))
                ours.append(rate)
                early += ended
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            found[f"throughput_ratio_{branches}"] = round(statistics.median(ratios), 3)
            found[f"tokens_per_second_{branches}"] = round(statistics.median(ours), 1)
            found[f"bare_tokens_per_second_{branches}"] = round(statistics.median(theirs), 1)
            found[f"bare_mode_{branches}"] = best
            found[f"length_{branches}"] = length
            found[f"ended_early_{branches}"] = early
    return found


def shares(model: LlamaCppModel, tokens_per_second_64: float) -> dict[str, Any]:
    """`roofline_1` and `roofline_64`, and what they are shares of."""
    limits = roofline()
    if limits is None:
        return {"roofline_1": None, "roofline_64": None}
    alone = statistics.median(asyncio.run(through_search(model, 1, LENGTH, seed))[0] for seed in range(1, 6))
    weights = model.memory.weights
    return {
        "tokens_per_second_1": round(alone, 1),
        "bandwidth_gb_per_second": round(limits.bandwidth / 1e9, 1),
        "int8_tera_per_second": round(limits.int8 / 1e12, 2),
        "roofline_1": round(alone * weights / limits.bandwidth, 3),
        "roofline_64": round(tokens_per_second_64 * 2 * model.cost.params / limits.int8, 3),
    }


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
    found |= throughput(model, rounds=2 if options.quick else 7, seconds=1.4 if options.quick else math.inf)
    found |= shares(model, found["tokens_per_second_64"])
    asyncio.run(model.close())
    memory = subprocess.run([sys.executable, "-m", "benchmarks.memory"], capture_output=True, text=True, check=True)
    found["peak_rss_mb"] = json.loads(memory.stdout)["peak_rss_mb"]
    if options.quick:
        found["its_hub_ratio"] = None
    else:
        from benchmarks.peers.its_hub import compare

        found |= compare()
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:32} {value}")


if __name__ == "__main__":
    main()
