"""What the embedded model can do on each task: how much room there is between one sample, a vote and an oracle.

python -m benchmarks.signal [--tasks word,add] [--count 20] [--samples 16] [--shots 0] [--show 2] [--json] [--quick]

Prints pass@1, majority@k and pass@k with 95 % intervals clustered by problem. Gaps under 0.1 on 20 problems are noise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from typing import Any

from clew import registry
from clew.lab.stats import clustered, maj_at_k, pass_at_k
from clew.models import load
from clew.models.base import Model
from clew.problem import Problem
from clew.sampling import Sampling
from clew.search import Search
from clew.tasks import load_problems
from clew.tree import Node


async def sampled(model: Model, problems: list[Problem], samples: int, sampling: Sampling) -> list[list[Node]]:
    """`samples` solutions of each problem, everything in one batch."""

    async def one(problem: Problem) -> list[Node]:
        search = Search(problem, {"generate": model}, sampling=sampling)
        return await search.extend(search.root, samples)

    return list(await asyncio.gather(*(one(p) for p in problems)))


def measured(problems: list[Problem], solutions: list[list[Node]]) -> dict[str, Any]:
    """pass@1, majority@k and pass@k over problems with their intervals; tokens of prompt and solution."""
    names = ("pass_1", "majority", "pass_k")
    rows: dict[str, list[float]] = {name: [] for name in names}
    stated = 0
    for problem, nodes in zip(problems, solutions, strict=True):
        values = [problem.extract(n.solution) for n in nodes]
        grades = [problem.grader(v) if v is not None and problem.grader else 0.0 for v in values]
        right, k = sum(g == 1.0 for g in grades), len(nodes)
        for name, value in zip(names, (right / k, maj_at_k(values, grades, k), pass_at_k(k, right, k)), strict=True):
            rows[name].append(value)
        stated += sum(v is not None for v in values)
    leaves = [node for nodes in solutions for node in nodes]
    found: dict[str, Any] = {}
    for name in names:
        low, high = clustered([[value] for value in rows[name]])[0]
        found[name] = round(statistics.mean(rows[name]), 3)
        found[f"{name}_interval"] = [round(low, 2), round(high, 2)]
    found["stated"] = round(stated / len(leaves), 2)
    found["prompt_tokens"] = round(statistics.mean(len(nodes[0].path()[0].segment) for nodes in solutions))
    found["solution_tokens"] = round(statistics.mean(node.tokens for node in leaves))
    return found


def shown(problems: list[Problem], solutions: list[list[Node]], count: int) -> None:
    """Print some solutions beside their references."""
    for problem, nodes in list(zip(problems, solutions, strict=True))[:count]:
        print(f"--- {problem.id}: {problem.question!r} → {problem.reference!r}")
        for node in nodes[:4]:
            print(f"    {node.finish}: {node.solution!r} → {problem.extract(node.solution)!r}")


async def main(options: argparse.Namespace) -> dict[str, Any]:
    """Measure every task that was asked for."""
    model = load(options.model)
    found: dict[str, Any] = {}
    sampling = Sampling(temperature=options.temperature)
    for spec in options.tasks.split(","):
        problems = load_problems(spec, count=options.count, shots=options.shots, difficulty=options.difficulty)
        begun = time.perf_counter()
        solutions = await sampled(model, problems, options.samples, sampling)
        row = measured(problems, solutions) | {"seconds": round(time.perf_counter() - begun, 1)}
        found[spec] = row
        if not options.json:
            numbers = " ".join(f"{row[n]:.2f} {row[f'{n}_interval']!s:13}" for n in ("pass_1", "majority", "pass_k"))
            print(f"{spec:16} {numbers} stated {row['stated']:.2f} prompt {row['prompt_tokens']}", end=" ")
            print(f"solution {row['solution_tokens']} tokens, {row['seconds']} s", flush=True)
            shown(problems, solutions, options.show)
    await model.close()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(entry.name for entry in registry.tasks))
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--shots", type=int, default=None)
    parser.add_argument("--difficulty", type=float, default=None)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--show", type=int, default=0, help="problems whose solutions to print")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="two tasks, five problems")
    given = parser.parse_args()
    if given.quick:
        given.tasks, given.count = "word,letters", 5
    result = asyncio.run(main(given))
    if given.json:
        print(json.dumps(result))
