"""How fast the puzzles are, and what checking steps is worth: `python -m benchmarks.puzzles [--json] [--quick]`.

For each kind, at its default dial and a player of skill 0.5: problems made a minute, solutions a minute and the share
solved by one sample and by a climb that keeps the soundest of four next steps, and what the solutions took in tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence

from clew.models.toy import parse
from clew.problem import Problem
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tasks import load_problems
from clew.tasks.puzzles import PUZZLES
from clew.tree import Node

Player = Callable[[Search], Awaitable[Node]]


async def sample(search: Search) -> Node:
    """One solution as it comes."""
    return (await search.extend(search.root))[0]


async def climb(search: Search) -> Node:
    """The soundest of four next steps, again and again."""
    node = search.root
    while not node.finished:
        steps = await search.extend(node, 4, until=STEP)
        scores = await search.score(steps, "step_verifier")
        node = steps[scores.index(max(scores))]
    return node


async def measure(name: str, problems: Sequence[Problem], play: Player) -> dict[str, float]:
    """Solutions a minute, the share solved, and the tokens generated for each."""
    model = parse(f"toy:{name}?skill=0.5")
    solved, tokens, begun = 0.0, 0, time.perf_counter()
    for problem in problems:
        search = Search(problem, {"generate": model}, sampling=Sampling(temperature=1.0))
        answer = problem.extract((await play(search)).solution)
        assert problem.grader is not None
        solved += 0.0 if answer is None else problem.grader(answer)
        tokens += search.ledger.usage.total.generated
    seconds = time.perf_counter() - begun
    count = len(problems)
    return {"per_minute": round(60 * count / seconds), "solved": solved / count, "tokens": round(tokens / count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quick", action="store_true", help="30 problems a kind instead of 200")
    options = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    for name in PUZZLES:
        begun = time.perf_counter()
        problems = load_problems(f"puzzle:{name}", count=30 if options.quick else 200, seed=9)
        made = round(60 * len(problems) / (time.perf_counter() - begun))
        rows = {how: asyncio.run(measure(name, problems, play)) for how, play in (("one", sample), ("climb", climb))}
        found[name] = {"made_per_minute": made, **rows}
        if not options.json:
            cells = "  ".join(
                f"{how}: {r['per_minute']:>5.0f}/min, {r['solved']:.2f} solved, {r['tokens']:>4.0f} tokens"
                for how, r in rows.items()
            )
            print(f"{name:12} made: {made:>6}/min  {cells}")
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
