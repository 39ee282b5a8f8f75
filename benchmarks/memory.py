"""The memory of a process that samples: `python -m benchmarks.memory [--memory 900M]`.

peak_rss_mb: the greatest resident memory of a process that draws 16 samples of at most 96 tokens for each of 20 word
    problems on the embedded model, all at once; Python, clew, the weights and the cache together. tokens_per_second: of
    the same work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from clew.budget import Budget
from clew.models import load
from clew.models.base import Model
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.tasks import load_problems

MODEL = "smollm2-135m"


def peak() -> int:
    """The process's greatest resident memory so far, in megabytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) >> 10


async def sampled(model: Model, problem: Problem) -> int:
    """The tokens of 16 samples."""
    search = Search(problem, {GENERATE: model}, Budget(), seed=1, sampling=Sampling(temperature=0.8))
    written = sum([len(leaf.segment) async for leaf in search.rollouts(n=16)])
    await search.close()
    return written


async def measured(memory: str | None) -> dict[str, float]:
    """The figures that the module's first lines name."""
    model = load(MODEL, **({} if memory is None else {"memory": memory}))
    problems = [Problem(p.id, p.messages, max_tokens=96) for p in load_problems("word", count=20, difficulty=2)]
    begin = time.perf_counter()
    written = sum(await asyncio.gather(*(sampled(model, p) for p in problems)))
    taken = time.perf_counter() - begin
    await model.close()
    return {"peak_rss_mb": peak(), "tokens_per_second": round(written / taken, 1)}


def main() -> None:
    """Run what the module's first lines say."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--memory", help="the most that the model may take")
    print(json.dumps(asyncio.run(measured(parser.parse_args().memory))))


if __name__ == "__main__":
    main()
