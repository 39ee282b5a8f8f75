"""What going back costs on the embedded engine: `python -m benchmarks.backtracking [--json] [--quick]`.

recompute_ratio: by method, the tokens that the engine computed (prefilled and drawn) over the distinct tokens of the
    trees, with 8 live branches on word problems. Each search starts on an empty cache; 1 is a perfect cache.
antislop_wall_ratio: seconds of an antislop run whose patterns are met about every 20 tokens, over those of the same run
    (as many solutions of as many tokens that stay) without patterns. Rounds alternate; the median of the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import replace
from typing import Any

from benchmarks.engine import MODEL, story
from clew.budget import Budget
from clew.methods.token.antislop import undone
from clew.models import load
from clew.models.base import Model
from clew.problem import Problem
from clew.result import Result
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.tasks import load_problems

METHODS = (
    "beam?width=4&expand=2",
    "mcts?parallel=8&expand=2",
    "a_star?parallel=4&expand=2",
    "particle_filter?n=8",
    'antislop?n=8&patterns=["each","total","has","so"]',
)
COMMON = ["of", "with", "were", "for"]
LIVE = 8


async def _solve(method: str, problem: Problem, model: Model, budget: Budget, seed: int = 0) -> Result:
    return await run_trial(
        Trial(problem, method, seed), {"generate": model}, budget, sampling=Sampling(temperature=0.8)
    )


def recompute(problems: list[Problem], tokens: int) -> dict[str, dict[str, float]]:
    """By method: the ratio, and what it is made of."""
    found = {}
    for method in METHODS:
        computed = distinct = generated = 0
        for problem in problems:
            # An empty cache for each: problems share the worked examples of their prompts.
            model = load(MODEL)
            result = asyncio.run(_solve(method, problem, model, Budget(tokens=tokens)))
            asyncio.run(model.close())
            total = result.usage.total
            computed += total.computed + total.generated
            generated += total.generated
            distinct += result.tree.distinct_tokens
        found[method.partition("?")[0]] = {
            "ratio": computed / distinct,
            "computed": computed,
            "distinct": distinct,
            "generated": generated,
        }
    return found


def antislop_wall(rounds: int, length: int) -> dict[str, Any]:
    """The wall ratio, and how often patterns were met."""
    model = load(MODEL)
    problem = replace(story(100), max_tokens=length)
    plain = "antislop?n=8"
    spec = f"antislop?n=8&patterns={json.dumps(COMMON)}"
    ratios, between = [], []

    def timed(method: str, seed: int) -> tuple[float, Result]:
        begin = time.perf_counter()
        result = asyncio.run(_solve(method, problem, model, Budget(), seed))
        return time.perf_counter() - begin, result

    timed(plain, 99)
    for seed in range(rounds):
        done = {method: timed(method, seed) for method in ((plain, spec) if seed % 2 else (spec, plain))}
        ratios.append(done[spec][0] / done[plain][0])
        between.append(LIVE * length / max(1, sum(undone(done[spec][1].tree).values())))
    asyncio.run(model.close())
    return {
        "antislop_wall_ratio": statistics.median(ratios),
        "antislop_tokens_between_hits": statistics.median(between),
        "rounds": rounds,
        "length": length,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="under a minute, and rougher")
    options = parser.parse_args()
    problems = load_problems("word", count=2 if options.quick else 6, seed=0, difficulty=2)
    parts = recompute(problems, 700 if options.quick else 1500)
    found: dict[str, Any] = {"recompute_ratio": {m: p["ratio"] for m, p in parts.items()}, "recompute": parts}
    found |= antislop_wall(2 if options.quick else 5, 60 if options.quick else 150)
    if options.json:
        print(json.dumps(found))
        return
    print(f"tokens computed over distinct tokens, {LIVE} live branches, {len(problems)} word problems:")
    for method, part in parts.items():
        print(f"  {method:16} {part['ratio']:.3f}  ({part['computed']:,} over {part['distinct']:,})")
    print(
        f"antislop: {found['antislop_wall_ratio']:.2f} × the seconds of the same run without patterns, one phrase "
        f"undone every {found['antislop_tokens_between_hits']:.0f} tokens, median of {found['rounds']} rounds"
    )


if __name__ == "__main__":
    main()
