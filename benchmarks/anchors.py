"""What thought anchors cost with shared prefixes, and whether a planted decisive sentence is found.

python -m benchmarks.anchors [--problems 10] [--rollouts 50] [--json] [--quick]

`recompute_ratio`: tokens that the engine computed for all rollouts of all sentences, over those that an implementation
would compute which does each prefix anew. Word problems, the model's own greedy traces.

`planted_found`: problems of one calculation; into each trace it is put falsified, between two sentences that say
nothing, and the answer is left to the model. Found: of the three, the false one has the greatest counterfactual
importance, and p < 0.05. By chance it would be the greatest in a third.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from typing import Any

from clew.analysis.anchors import Anchors, find_anchors
from clew.analysis.trace import Trace
from clew.models import load
from clew.models.base import Model
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import Search
from clew.tasks import load_problems


async def own(model: Model, problem: Problem, rollouts: int) -> Anchors:
    """The anchors of the model's greedy trace."""
    first = Search(problem, {"generate": model})
    leaf = (await first.extend(first.root, sampling=Sampling(temperature=0.0)))[0]
    search = Search(problem, {"generate": model}, sampling=Sampling(temperature=0.8))
    return await find_anchors(search, Trace(problem, leaf, model.name), n=rollouts)


BEFORE, AFTER = "Let us begin with what we know.", "That is all that has to be worked out."


async def planted(model: Model, problem: Problem, rollouts: int) -> bool:
    """Whether a false calculation between two empty sentences is found."""
    right = str(problem.meta["solution"]).split("\n")[0]
    value = str(problem.reference)
    head, _, tail = right.rpartition(value)
    false = f"{head}{int(value) + 17}{tail}"
    search = Search(problem, {"generate": model}, sampling=Sampling(temperature=0.0))
    node = await search.insert(search.root, f"{BEFORE}\n{false}\n{AFTER}\n")
    leaf = (await search.extend(node))[0]
    again = Search(problem, {"generate": model}, sampling=Sampling(temperature=0.8))
    found = (await find_anchors(again, Trace(problem, leaf), n=rollouts)).anchors[:3]
    importance = [0.0 if math.isnan(a.counterfactual) else a.counterfactual for a in found]
    return found[1].sentence == false and importance[1] == max(importance) and found[1].p < 0.05


async def main(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both."""
    model = load(options.model)
    problems = load_problems("word", count=options.problems, difficulty=2, seed=7)
    begun = time.perf_counter()
    computed = blind = sentences = 0
    for problem in problems:
        result = await own(model, problem, options.rollouts)
        total = result.usage.total
        computed += total.generated + total.computed
        blind += total.generated + total.prefilled + total.reused
        sentences += len(result.anchors)
    seconds = time.perf_counter() - begun
    simple = load_problems("word", count=options.problems, difficulty=1, seed=11)
    verdicts = [await planted(model, problem, options.rollouts) for problem in simple]
    await model.close()
    return {
        "recompute_ratio": round(computed / blind, 4),
        "computed_tokens": computed,
        "blind_tokens": blind,
        "problems": len(problems),
        "sentences": sentences,
        "rollouts": options.rollouts,
        "seconds": round(seconds, 1),
        "planted_found": sum(verdicts),
        "planted": len(verdicts),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--problems", type=int, default=10)
    parser.add_argument("--rollouts", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="2 problems, 20 rollouts")
    given = parser.parse_args()
    if given.quick:
        given.problems, given.rollouts = 2, 20
    measured = asyncio.run(main(given))
    print(json.dumps(measured) if given.json else "\n".join(f"{k}: {v}" for k, v in measured.items()))
