"""Searches on puzzles whose steps can be checked, at equal tokens: with a perfect verifier they beat best-of-N, with a
useless one they do not."""

from __future__ import annotations

import asyncio

import pytest

from clew.budget import Budget
from clew.models import load
from clew.runner import Trial, run_trial
from clew.tasks import load_problems

SEARCHES = ("beam?width=1&expand=6", "rebase?n=8", "a_star", "mcts?parallel=1")
PUZZLES = (("queens", 0.3, 450), ("countdown", 0.3, 300), ("hanoi", 0.4, 450))
SIZES = {"hanoi": 3}
COUNT = 20


def accuracy(puzzle: str, skill: float, tokens: int, spec: str, scorer: str) -> float:
    """Of a scripted player with that skill, with so many tokens beyond the prompt."""
    model = load(f"toy:{puzzle}?skill={skill}")
    problems = load_problems(f"puzzle:{puzzle}", count=COUNT, seed=0, difficulty=SIZES.get(puzzle))
    join = "&" if "?" in spec else "?"

    async def work() -> float:
        results = [
            await run_trial(
                Trial(p, f"{spec}{join}scorer={scorer}", 0),
                {"generate": model},
                Budget(tokens=len(model.render(p.messages)) + tokens),
            )
            for p in problems
        ]
        return sum(r.grade or 0.0 for r in results) / COUNT

    return asyncio.run(work())


@pytest.mark.parametrize("puzzle,skill,tokens", PUZZLES)
def test_a_perfect_verifier_pays_in_search_and_a_useless_one_does_not(puzzle: str, skill: float, tokens: int) -> None:
    sampled = accuracy(puzzle, skill, tokens, "best_of_n", "step_verifier")
    ahead = [accuracy(puzzle, skill, tokens, spec, "step_verifier") - sampled for spec in SEARCHES]
    assert min(ahead[:3]) > 0.25, "beam, REBASE and A* are far ahead"
    assert ahead[3] > 0.05, "and Monte Carlo tree search is ahead"
    blind = accuracy(puzzle, skill, tokens, "best_of_n", "random")
    assert all(accuracy(puzzle, skill, tokens, spec, "random") <= blind + 0.1 for spec in SEARCHES)
