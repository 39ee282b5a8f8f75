"""What orchestration over HTTP costs: `python -m benchmarks.http [--json] [--quick]`.

calls_ratio: calls a second of `clew.models.openai` with 64 in flight, over those of the `openai` client used one
after the other, against a server that answers at once (in a process of its own, the same for both, and as busy). Both
get the same reply; clew's is streamed, as it always is. One call is one request, one continuation. Rounds alternate,
the figure is the median of their ratios.
rss_growth_mb: growth of this process's memory over 10,000 calls, after 2,000 to warm up.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import openai

from clew.budget import Budget
from clew.ledger import Ledger
from clew.models.openai import OpenAIModel, connect
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from support.servers import process

QUESTION = "What is 6 times 7?"
IN_FLIGHT = 64


def sequential(client: openai.OpenAI, calls: int) -> float:
    """Calls a second of the `openai` client, one after the other."""
    begin = time.perf_counter()
    for i in range(calls):
        reply = client.chat.completions.create(
            model="instant",
            messages=[{"role": "user", "content": QUESTION}],
            max_tokens=64,
            temperature=0.8,
            seed=i,
        )
        assert reply.choices[0].message.content == "The answer is 42."
    return calls / (time.perf_counter() - begin)


async def concurrent(model: OpenAIModel, calls: int) -> float:
    """Calls a second through the model, 64 in flight, each charged to a ledger."""
    context = model.render([Message("user", QUESTION)])
    sampling = Sampling()
    until = Until(limit=64)
    ledger = Ledger(Budget())
    numbers = iter(range(calls))

    async def work() -> None:
        for i in numbers:
            gauge = ledger.open(model.name, "generate", model.cost, fresh=0, reused=len(context))
            (segment,) = await model.extend(
                context, until=until, sampling=sampling, streams=[Stream("bench", i)], gauges=[gauge]
            )
            gauge.release()
            assert segment.text == "The answer is 42."

    begin = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return calls / (time.perf_counter() - begin)


def resident() -> float:
    """Memory of this process in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(*, quick: bool) -> dict[str, float]:
    """All figures, by name."""
    calls = 1000 if quick else 3000
    with process("instant") as url, tempfile.TemporaryDirectory() as cache:
        os.environ["CLEW_CACHE"] = cache
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        model = connect(url)

        async def rounds() -> tuple[list[float], list[float], float]:
            await concurrent(model, 2000)
            sequential(client, 200)
            theirs, ours = [], []
            for _ in range(3 if quick else 7):
                theirs.append(sequential(client, calls))
                ours.append(await concurrent(model, calls))
            before = resident()
            await concurrent(model, 10_000)
            growth = resident() - before
            await model.close()
            return theirs, ours, growth

        theirs, ours, growth = asyncio.run(rounds())
    return {
        "calls_ratio": round(statistics.median(o / t for o, t in zip(ours, theirs, strict=True)), 2),
        "calls_per_second": round(statistics.median(ours)),
        "openai_calls_per_second": round(statistics.median(theirs)),
        "rss_growth_mb": round(growth, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    chosen = parser.parse_args()
    figures = measure(quick=chosen.quick)
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"openai client, one after the other: {figures['openai_calls_per_second']:,.0f} calls/s")
    print(f"clew, {IN_FLIGHT} in flight:               {figures['calls_per_second']:,.0f} calls/s")
    print(f"ratio:                              {figures['calls_ratio']:.2f} (at least 5 wanted)")
    print(f"memory over 10,000 calls:           {figures['rss_growth_mb']:+.1f} MB")


if __name__ == "__main__":
    main()
