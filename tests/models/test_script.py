"""Scripted toy models: the share of right answers is the skill asked for, and the tokens follow from the lines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from clew.models.toy import parse
from clew.models.toy.script import Lines, scripted
from clew.problem import Message
from clew.search import Search
from clew.tasks.own.arithmetic import add, arith


def test_tokens_follow_from_the_weights_of_lines() -> None:
    def script(question: str) -> Lines:
        def lines(written: str) -> Mapping[str, float]:
            return {"go east\n": 1.0, "go": 2.0, "stop": 1.0} if not written else {"end": 1.0}

        return lines

    model = scripted("toy:test", script, words=["go", "east", "end"])
    chances = {model.text(ids): p for ids, p in model.enumerate(6, above=1e-3).items()}
    assert chances == pytest.approx({"go": 0.5, "go east\nend": 0.25, "stop": 0.25}, abs=1e-4)


def test_a_line_that_no_script_knows_is_ended_at_once() -> None:
    model = scripted("toy:test", lambda question: lambda lines: {"yes": 1.0})
    context = model.render([Message("user", "?")])
    chances = model.enumerate(2, context=context.extended([model.encode("wait")]), above=1e-3)
    assert max((p, model.text(ids)) for ids, p in chances.items())[1] == "\ny"


@pytest.mark.parametrize("skill", [0.3, 0.8, 1.0])
def test_arithmetic_is_right_as_often_as_its_skill(skill: float) -> None:
    model = parse("toy:arithmetic", skill=skill)
    grades: list[float] = []
    right: list[float] = []
    wrong: list[float] = []

    async def run() -> None:
        for problem in [*arith().problems(150, seed=1), *add().problems(150, seed=1)]:
            search = Search(problem, {"generate": model}, seed=1)
            for node in await search.extend(search.root, 4, sampling=search.sampling.but(temperature=1.0)):
                value = problem.extract(node.solution)
                assert value is not None and problem.grader is not None
                grades.append(problem.grader(value))
                (right if grades[-1] else wrong).append(float(node.stat("logprob").sum()))

    asyncio.run(run())
    # Its mean over 300 drawn skills has a standard error of up to 0.015, and some pairs of mistakes cancel.
    assert sum(grades) / len(grades) == pytest.approx(skill, abs=0.06)
    if right and wrong:
        assert sum(right) / len(right) > sum(wrong) / len(wrong) + 0.5


def test_arithmetic_works_on_from_what_is_written() -> None:
    model = parse("toy:arithmetic?skill=1.0")
    context = model.render([Message("user", "What is 2 * 3 + 4?")])
    chances = model.enumerate(20, context=context.extended([model.encode("2 * 3 = 7\n")]), above=1e-3)
    assert [model.text(ids) for ids in chances] == ["7 + 4 = 11\n#### 11"]


def test_a_question_without_a_sum_gets_a_guess() -> None:
    model = parse("toy:arithmetic")
    context = model.render([Message("user", "Tom has 5 apples.")])
    ids, chance = max(model.enumerate(7, context=context, above=1e-3).items(), key=lambda item: item[1])
    assert model.text(ids) == "#### 5" and chance > 0.99
