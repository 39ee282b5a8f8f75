"""The scripted players: as good as their skill, and better with a search that can check steps."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from clew.errors import UsageError
from clew.models.toy import ToyModel, parse
from clew.problem import Problem
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tasks import load_problems
from clew.tasks.puzzles import PUZZLES
from clew.testing import check_model
from clew.tree import Node

ALL = pytest.mark.parametrize("name", list(PUZZLES))


def problems(name: str, count: int = 30, **options: int) -> list[Problem]:
    return load_problems(f"puzzle:{name}", count=count, seed=5, **options)


def play(model: ToyModel, posed: Sequence[Problem], n: int = 1, temperature: float = 1.0) -> list[Node]:
    async def run() -> list[Node]:
        nodes: list[Node] = []
        for problem in posed:
            search = Search(problem, {"generate": model}, seed=2, sampling=Sampling(temperature=temperature))
            nodes += await search.extend(search.root, n)
        return nodes

    return asyncio.run(run())


def share(posed: Sequence[Problem], nodes: Sequence[Node]) -> float:
    grades = []
    for i, node in enumerate(nodes):
        problem = posed[i * len(posed) // len(nodes)]
        answer = problem.extract(node.solution)
        assert problem.grader is not None
        grades.append(0.0 if answer is None else problem.grader(answer))
    return sum(grades) / len(grades)


@ALL
def test_a_perfect_player_solves_everything_and_ends_there(name: str) -> None:
    posed = problems(name)
    nodes = play(parse(f"toy:{name}?skill=1"), posed)
    assert share(posed, nodes) == 1.0
    assert all(node.complete for node in nodes)


@ALL
def test_moves_are_good_as_often_as_the_skill_says(name: str) -> None:
    counts = {"good": 0, "legal": 0, "illegal": 0}
    model = parse(f"toy:{name}", skill=0.4, illegal=0.5)

    async def run() -> None:
        for problem in problems(name):
            puzzle = PUZZLES[name].read(problem.question)
            assert puzzle is not None
            state, text = puzzle.start, ""
            while (good := puzzle.good(state)) and (
                len(good) == len(puzzle.legal_moves(state)) or not puzzle.mistakes(state)
            ):
                state, text = puzzle.after(state, good[0]), text + good[0] + "\n"
            if not good:
                continue
            search = Search(problem, {"generate": model}, seed=2, sampling=Sampling(temperature=1.0))
            node = await search.insert(search.root, text) if text else search.root
            for child in await search.extend(node, 40, until=STEP):
                move = child.segment.text.strip()
                counts["good" if move in good else "legal" if move in puzzle.legal_moves(state) else "illegal"] += 1

    asyncio.run(run())
    total = sum(counts.values())
    assert total >= 400
    assert counts["good"] / total == pytest.approx(0.4, abs=0.08)
    assert counts["legal"] / total == pytest.approx(0.3, abs=0.08)


@ALL
def test_a_player_without_skill_still_plays_and_mostly_fails(name: str) -> None:
    posed = problems(name, 10)
    nodes = play(parse(f"toy:{name}?skill=0&illegal=0.5"), posed, n=2)
    assert share(posed, nodes) < 0.5
    assert all("\n" in node.solution for node in nodes)


@ALL
def test_conformance(name: str) -> None:
    check_model(parse(f"toy:{name}"), question=problems(name, 1)[0].messages)


def test_a_question_that_is_no_puzzle_is_declined() -> None:
    (node,) = play(parse("toy:maze"), load_problems("arith", count=1, seed=0))
    assert node.solution == "I can only play."


@pytest.mark.parametrize("spec", ["toy:maze?skill=1.5", "toy:zebra?illegal=-1", "toy:queens?skill=high"])
def test_bad_parameters_are_named(spec: str) -> None:
    with pytest.raises(UsageError, match="cannot take"):
        parse(spec)


@pytest.mark.parametrize("name", ["sudoku4", "blocksworld", "countdown"])
def test_checking_steps_pays(name: str) -> None:
    """Keeping the soundest of 4 next steps solves far more than the best of 4 whole solutions does."""
    posed, model = problems(name, 25), parse(f"toy:{name}?skill=0.4")

    async def climb(problem: Problem) -> Node:
        search = Search(problem, {"generate": model}, seed=2, sampling=Sampling(temperature=1.0))
        node = search.root
        while not node.finished:
            steps = await search.extend(node, 4, until=STEP)
            scores = await search.score(steps, "step_verifier")
            node = steps[scores.index(max(scores))]
        return node

    async def run() -> list[Node]:
        return [await climb(problem) for problem in posed]

    climbed = share(posed, asyncio.run(run()))
    sampled = play(model, posed, n=4)
    best = share(posed, sampled)
    solved_once = sum(share([p], sampled[4 * i : 4 * i + 4]) > 0 for i, p in enumerate(posed)) / len(posed)
    assert climbed > solved_once + 0.1 > best
