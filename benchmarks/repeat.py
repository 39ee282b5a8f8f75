"""What the batch changes of what is drawn: `python -m benchmarks.repeat [--json] [--quick]`.

same, same_theirs: of how many solutions all tokens are the same whether the engine computes one continuation at a time
    or 64, by the same seed, with clew's own operations and with llama.cpp's. worst, worst_theirs: the greatest
    difference between log-probabilities of tokens up to the first that differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import numpy as np

from benchmarks.engine import MODEL
from clew.budget import Budget
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.pull import pull
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.tasks import load_problems
from clew.tree import Segment

MAX_TOKENS = 64


async def drawn(live: int, samples: int, own: bool) -> list[Segment]:
    """The solutions of three word problems, `live` of them at a time."""
    model = LlamaCppModel(pull(MODEL), live=live)
    ops.start(own)

    async def one(problem: Problem) -> list[Segment]:
        search = Search(problem, {GENERATE: model}, Budget(), seed=1, sampling=Sampling(temperature=0.8))
        return [node.segment async for node in search.rollouts(n=samples)]

    problems = [Problem(p.id, p.messages, max_tokens=MAX_TOKENS) for p in load_problems("word", count=3, difficulty=2)]
    found = await asyncio.gather(*map(one, problems))
    await model.close()
    return [segment for segments in found for segment in segments]


def compare(samples: int) -> dict[str, Any]:
    """The figures that the module's first lines name."""
    found: dict[str, Any] = {"solutions": 3 * samples}
    for own, suffix in ((True, ""), (False, "_theirs")):
        alone, together = (asyncio.run(drawn(live, samples, own)) for live in (1, 64))
        worst = 0.0
        for a, b in zip(alone, together, strict=True):
            size = min(len(a), len(b))
            differ = np.flatnonzero(a.token_ids[:size] != b.token_ids[:size])
            until = int(differ[0]) if len(differ) else size
            assert a.logprob is not None and b.logprob is not None
            worst = max(worst, float(np.abs(a.logprob[:until] - b.logprob[:until]).max(initial=0)))
        same = sum(np.array_equal(a.token_ids, b.token_ids) for a, b in zip(alone, together, strict=True))
        found |= {f"same{suffix}": same, f"worst{suffix}": round(worst, 4)}
    ops.start()
    return found


def main() -> None:
    """Run what the module's first lines say."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.repeat", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a third of the solutions")
    options = parser.parse_args()
    found = compare(4 if options.quick else 12)
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:16} {value}")


if __name__ == "__main__":
    main()
