"""Judges of single solutions: what they ask, and the number that they make of the odds of the reply."""

from __future__ import annotations

import string
from collections.abc import Mapping

import pytest

from clew.budget import Budget
from clew.errors import UsageError
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.runner import Trial, check
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.testing import check_scorer
from clew.testing.limited import Limited
from clew.testing.toys import letters, problem, run
from clew.testing.toys.talkers import PRINTABLE, asked, talker


def opinion(good: Mapping[str, float], bad: Mapping[str, float]) -> ToyModel:
    """Replies with the odds `good` where the solution that it is shown begins with an a, else with `bad`."""

    def replies(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
        return good if "Solution:\na" in asked(messages) else bad

    return talker(replies, PRINTABLE)


def searching(judge: ToyModel) -> Search:
    return Search(problem(), {"generate": letters(), "judge": judge}, Budget(), sampling=Sampling(temperature=1.0))


@pytest.mark.parametrize(
    "spec", ["decision", "decision?question=Good?&yes=Y&no=N", "p_true", "expected_score", "expected_score?levels=10"]
)
def test_conformance(spec: str) -> None:
    check_scorer(spec)


@pytest.mark.parametrize(("spec", "yes", "no"), [("decision", "Yes", "No"), ("p_true", "A", "B")])
def test_the_score_is_the_odds_of_yes(spec: str, yes: str, no: str) -> None:
    s = searching(opinion({yes: 0.6, no: 0.2, "Well": 0.2}, {yes: 0.1, no: 0.9}))

    async def work() -> None:
        nodes = await s.extend(s.root, 12)
        scores = await s.score(nodes, spec)
        assert scores == pytest.approx([0.75 if n.solution[0] == "a" else 0.1 for n in nodes])
        assert {round(score, 2) for score in scores} == {0.75, 0.1}

    run(work())


def test_a_partial_solution_is_judged_as_far_as_it_goes() -> None:
    s = searching(opinion({"Yes": 1.0}, {"No": 1.0}))

    async def work() -> None:
        nodes = await s.extend(s.root, 8, until=STEP)
        assert await s.score(nodes, "decision") == [float(n.solution[0] == "a") for n in nodes]

    run(work())


def test_the_expected_score_is_the_mean_of_the_grades_over_their_odds() -> None:
    s = searching(opinion({"A": 0.5, "B": 0.3, "T": 0.2}, {"S": 0.5, "T": 0.5}))

    async def work() -> None:
        nodes = await s.extend(s.root, 12)
        good, bad = 0.5 * 1 + 0.3 * 18 / 19, 0.5 * 1 / 19
        scores = await s.score(nodes, "expected_score")
        assert scores == pytest.approx([good if n.solution[0] == "a" else bad for n in nodes])

    run(work())


def test_each_criterion_counts_alike() -> None:
    def replies(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
        return {"A": 1.0} if "Criterion: short" in asked(messages) else {"J": 1.0}

    s = searching(talker(replies, PRINTABLE))
    spec = 'expected_score?levels=10&criteria=["short","clear"]'

    async def work() -> None:
        nodes = await s.extend(s.root, 2)
        assert await s.score(nodes, spec) == [0.5, 0.5]
        assert {name for n in nodes for name in n.scores} == {spec.replace(",", ", ")}

    run(work())


def test_with_reasoning_the_grade_follows_from_what_the_judge_wrote() -> None:
    """A judge whose first grade is a guess, and which is right once it has written something."""

    def replies(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
        if "Letter: " not in text:
            return dict.fromkeys([*string.ascii_uppercase[:10], "holds", "fails"], 1.0)
        return {text.partition("Letter: ")[0] + "Letter: " + ("A" if "holds" in text else "J"): 1.0}

    def graded(spec: str) -> list[float]:
        s = searching(talker(replies, PRINTABLE))

        async def work() -> list[float]:
            return await s.score(await s.extend(s.root, 3), spec)

        scores = run(work())
        judged = [part for (_, role), part in s.ledger.usage.parts.items() if role == "judge"]
        assert (judged[0].generated > 0) == ("reasoning" in spec)
        return scores

    assert graded("expected_score?levels=10") == pytest.approx([0.5] * 3)
    once = graded("expected_score?levels=10&reasoning=8")
    assert set(once) <= {0.0, 0.5, 1.0}, "a reply that was a letter at once is no reasoning: it tells nothing"
    thrice = graded("expected_score?levels=10&repeats=9&reasoning=8")
    assert len({round(9 * 2 * score) for score in thrice} | {1}) > 1 and thrice != once
    with pytest.raises(UsageError, match="would give the same grade 4 times"):
        graded("expected_score?repeats=4")


def test_what_a_judge_needs_is_asked_of_the_model_that_judges() -> None:
    trials = [Trial(problem(), "best_of_n?n=2&scorer=p_true", 0)]
    able, unable = letters(), Limited(letters(), {"text", "continue", "logprobs"})
    check(trials, {"generate": unable, "judge": able}, Budget())
    with pytest.raises(UsageError, match="p_true, which best_of_n uses, needs score"):
        check(trials, {"generate": able, "judge": unable}, Budget())
    with pytest.raises(UsageError, match="needs score"):
        check(trials, {"generate": unable}, Budget())
