"""What judges cost: decisions against judges that write, and tournaments against all comparisons.

python -m benchmarks.judges [--json] [--quick]

decision_speedup: candidates a second that `decision` scores, over those that the model writes 128 tokens about.
recompute_ratio: prompt tokens that the engine computed for a judge, over those that the search was charged (1: whatever
    questions share is computed once).
ppt_calls, ppt_loss: comparisons of the pivot tournament for 16 candidates, and how many points less often than a round
    robin (of 120) it lets the best of them win, over 10,000 simulated sets; by the judge's error in a comparison.
coverage: share of 500 simulated audits whose 95 % interval holds the truth, of the accuracy of best-of-8, of the AUROC
    and of the gain over the vote; found: how often a planted gain of the stated minimum is found (stated for 80 %).
bon_error: greatest distance of best-of-N and of the weighted vote from going through all subsets, up to 12 solutions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from clew.budget import Budget
from clew.lab.audit import Estimate, audit
from clew.lab.drawn import Drawn
from clew.lab.judging import best_at_k, detectable, p_value, weighted_at_k
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
    for problem in load_problems("word", count=problems, seed=0):
        search = Search(problem, {"generate": model}, Budget(), sampling=Sampling(temperature=1.0))
        # Half for each, so that neither finds in the engine's cache what the other one computed.
        drawn = [leaf async for leaf in search.rollouts(n=2 * CANDIDATES)]
        leaves, others = drawn[:CANDIDATES], drawn[CANDIDATES:]
        begun = time.perf_counter()
        for scorer in ("decision", "p_true", "expected_score", "pairwise"):
            await search.score(leaves, scorer)
            if scorer == "decision":
                seconds["decisions"] += time.perf_counter() - begun
        for (_, role), spent in search.ledger.usage.parts.items():
            if role == "judge":
                computed, charged = computed + spent.computed, charged + spent.prefilled
        begun = time.perf_counter()
        await search.together(*(write(search, leaf) for leaf in others))
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


PROBLEMS, SOLUTIONS = 40, 8
SKILL = 1.0
"""By how many standard deviations the simulated judge scores right solutions higher than wrong ones."""


def drawn_at_random(draw: np.random.Generator, problems: int) -> list[Drawn]:
    """Solutions of problems of all difficulties, wrong ones with one of three answers, judged with an error."""
    made = []
    for number in range(problems):
        right = draw.random(SOLUTIONS) < draw.beta(1.0, 1.0)
        values = ["right" if r else f"wrong {draw.integers(3)}" for r in right]
        scores = SKILL * right + draw.normal(0, 1, SOLUTIONS)
        made.append(
            Drawn(
                f"p{number}",
                [*values],
                right.astype(float),
                np.full(SOLUTIONS, 100.0),
                {"length": scores},
                {"length": 0.0},
            )
        )
    return made


def covered(audits: int) -> dict[str, float]:
    """How often intervals hold the truth, and planted gains are found."""
    draw = np.random.default_rng(0)
    (truth,) = audit(Path("simulated"), drawn_at_random(draw, 50 * PROBLEMS)).scorers
    held = dict.fromkeys(("best", "auroc", "gain"), 0)
    for _ in range(audits):
        (found,) = audit(Path("simulated"), drawn_at_random(draw, PROBLEMS)).scorers
        for name in held:
            told: Estimate = getattr(found, name)
            true: Estimate = getattr(truth, name)
            assert told.interval is not None and true.value is not None
            held[name] += told.interval.low <= true.value <= told.interval.high
    spread = 0.35
    effect = detectable(draw.permutation(np.repeat([-spread, spread], PROBLEMS // 2))).effect
    planted = sum(p_value(effect + draw.normal(0, spread, PROBLEMS)) < 0.05 for _ in range(4 * audits))
    return {f"coverage_{name}": count / audits for name, count in held.items()} | {"found": planted / (4 * audits)}


def worst_distance(sets: int) -> float:
    """Best-of-N and the weighted vote against all subsets, on sets with ties, missing scores and missing answers."""
    draw, worst = np.random.default_rng(0), 0.0
    for _ in range(sets):
        n = int(draw.integers(2, 13))
        scores = [float("nan") if x == 5 else float(x) for x in draw.integers(0, 6, n)]
        values = [None if x == 4 else "abcd"[x] for x in draw.integers(0, 5, n)]
        grades = [float(v == "a") for v in values]
        weights = [0.0 if np.isnan(s) else s for s in scores]
        k = int(draw.integers(1, n + 1))
        best, vote = [], []
        for chosen in combinations(range(n), k):
            stated = [i for i in chosen if values[i] is not None]
            keys = [-np.inf if np.isnan(scores[i]) else scores[i] for i in stated]
            top = [grades[i] for i, key in zip(stated, keys, strict=True) if key == max(keys)]
            best.append(np.mean(top) if top else 0.0)
            votes = {values[i]: sum(weights[j] for j in stated if values[j] == values[i]) for i in stated}
            winners = [a for a, v in votes.items() if v == max(votes.values())]
            vote.append(np.mean([float(a == "a") for a in winners]) if winners else 0.0)
        has = [v is not None for v in values]
        worst = max(worst, abs(best_at_k(scores, has, grades, k) - float(np.mean(best))))
        worst = max(worst, abs(weighted_at_k(values, grades, weights, k) - float(np.mean(vote))))
    return worst


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
    found |= covered(50 if options.quick else 500)
    found["bon_error"] = worst_distance(20 if options.quick else 200)
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        if not isinstance(value, dict):
            print(f"{key:20} {value:.3g}")
    print(f"\nThe best of {CANDIDATES} wins, % of {sets} sets:\nerror   pivot  round robin  knockout")
    for error, rates in wins.items():
        print(f"{error:5}  {rates['pivot']:6.1f}  {rates['round_robin']:11.1f}  {rates['knockout']:8.1f}")


if __name__ == "__main__":
    main()
