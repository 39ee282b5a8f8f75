"""What judges cost: decisions against judges that write, and tournaments against all comparisons.

python -m benchmarks.judges [--json] [--quick]

decision_speedup: candidates a second that `decision` scores, over those that the model writes 128 tokens about.
recompute_ratio: prompt tokens that the engine computed for a judge, over those that the search was charged (1: whatever
    questions share is computed once).
ppt_calls, ppt_loss: comparisons of the pivot tournament for 16 candidates, and how many points less often than a round
    robin (of 120) it lets the best of them win, over 10,000 simulated sets; by the judge's error in a comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from clew.budget import Budget
from clew.models import load
from clew.models.base import Model
from clew.problem import Message
from clew.sampling import Sampling, tokens
from clew.scorers.judges.pointwise import QUESTION, material
from clew.scorers.judges.tournament import Tournament, knockout, pivot, round_robin
from clew.search import Search
from clew.tasks import load_problems
from clew.tree import Node

CANDIDATES = 16
WRITTEN = 128
ERRORS = (0.0, 0.25, 0.5, 1.0)
"""Standard deviation of the error in a comparison's log-odds; that of the candidates' strengths is 1."""
SLOT_BIAS = 0.3
"""Log-odds that the first of two is favoured by."""


async def judged(model: Model, problems: int) -> dict[str, float]:
    """Score the same candidates by decisions and by a judge that writes; both charged to their own role."""
    seconds = {"decisions": 0.0, "writing": 0.0}
    computed = charged = 0
    for problem in load_problems("word", problems, seed=0):
        search = Search(problem, {"generate": model}, Budget(), sampling=Sampling(temperature=1.0))
        leaves = [leaf async for leaf in search.rollouts(n=CANDIDATES)]
        begun = time.perf_counter()
        for scorer in ("decision", "p_true", "expected_score", "pairwise"):
            await search.score(leaves, scorer)
            if scorer == "decision":
                seconds["decisions"] += time.perf_counter() - begun
        for (_, role), spent in search.ledger.usage.parts.items():
            if role == "judge":
                computed, charged = computed + spent.computed, charged + spent.prefilled
        begun = time.perf_counter()
        await search.together(*(write(search, leaf) for leaf in leaves))
        seconds["writing"] += time.perf_counter() - begun
        await search.close()
    return {
        "decision_speedup": seconds["writing"] / seconds["decisions"],
        "decisions_a_second": problems * CANDIDATES / seconds["decisions"],
        "recompute_ratio": computed / charged,
    }


async def write(search: Search, leaf: Node) -> None:
    """Have the model write about a candidate, to the last token: what a judge that reasons costs."""
    question = (Message("user", material(search, leaf.solution) + QUESTION),)
    (reply,) = await search.ask(question, role="writer", until=tokens(WRITTEN))
    while reply.tokens < WRITTEN:
        reply = await search.insert(reply, "\n")
        (reply,) = await search.extend(reply, until=tokens(WRITTEN - reply.tokens), role="writer")


def winner(tournament: Tournament, odds: np.ndarray) -> tuple[int, int]:
    """Who wins when odds[i, j] are the log-odds for i, shown first, and after how many comparisons."""
    calls = 0
    try:
        pairs = next(tournament)
        while True:
            calls += len(pairs)
            pairs = tournament.send([float(1 / (1 + np.exp(-odds[pair]))) for pair in pairs])
    except StopIteration as ended:
        return ended.value.index(max(ended.value)), calls


def simulated(sets: int, error: float) -> dict[str, float]:
    """How often each tournament lets the best of 16 win, in percent."""
    draw = np.random.default_rng(0)
    won = dict.fromkeys(("pivot", "round_robin", "knockout"), 0)
    for _ in range(sets):
        strong = draw.normal(0, 1, CANDIDATES)
        odds = strong[:, None] - strong[None, :] + SLOT_BIAS + draw.normal(0, error, (CANDIDATES, CANDIDATES))
        order: Sequence[int] = [int(i) for i in draw.permutation(CANDIDATES)]
        for name, tournament in (
            ("pivot", pivot(order)),
            ("round_robin", round_robin(order)),
            ("knockout", knockout(order)),
        ):
            won[name] += winner(tournament, odds)[0] == int(strong.argmax())
    return {name: 100 * count / sets for name, count in won.items()}


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--model", default="smollm2-135m", help="whose decisions are timed (smollm2-135m)")
    options = parser.parse_args()
    model = load(options.model)
    found: dict[str, Any] = asyncio.run(judged(model, 1 if options.quick else 8))
    sets = 1_000 if options.quick else 10_000
    wins = {error: simulated(sets, error) for error in ERRORS}
    found["ppt_calls"] = winner(pivot(range(CANDIDATES)), np.zeros((CANDIDATES, CANDIDATES)))[1]
    found["ppt_loss"] = {error: rates["round_robin"] - rates["pivot"] for error, rates in wins.items()}
    found["best_wins"] = wins
    if options.json:
        print(json.dumps(found))
        return
    for key in ("decision_speedup", "decisions_a_second", "recompute_ratio", "ppt_calls"):
        print(f"{key:20} {found[key]:.2f}")
    print(f"\nThe best of {CANDIDATES} wins, % of {sets} sets:\nerror   pivot  round robin  knockout")
    for error, rates in wins.items():
        print(f"{error:5}  {rates['pivot']:6.1f}  {rates['round_robin']:11.1f}  {rates['knockout']:8.1f}")


if __name__ == "__main__":
    main()
