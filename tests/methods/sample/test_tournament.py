"""Best of n by comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from clew.budget import Budget
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.testing import check_method
from clew.testing.toys import letters, problem, run
from clew.testing.toys.talkers import PRINTABLE, asked, talker


@pytest.mark.parametrize("spec", ["tournament?n=5", "tournament?n=4&scorer=vote_share"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def judge(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
    """Prefers the solution with more c's, which the model seldom writes."""
    first, second = re.findall(r"Solution [AB]:\n(\w*)", asked(messages))
    return {"A": 4.0 ** first.count("c"), "B": 4.0 ** second.count("c")}


def models() -> dict[str, ToyModel]:
    return {"generate": letters({"a": 0.6, "b": 0.3, "c": 0.1}, length=2), "judge": talker(judge, PRINTABLE)}


def test_a_judge_that_knows_finds_what_the_majority_does_not() -> None:
    def rare(method: str) -> int:
        work = (
            run_trial(Trial(problem(), method, seed), models(), Budget(), sampling=Sampling(temperature=1.0))
            for seed in range(12)
        )
        return sum("c" in (run(w).answer.value or "") for w in work)

    assert rare("tournament?n=16") == 12
    assert rare("self_consistency?n=16") <= 2


def test_where_the_budget_ends_before_the_tournament_the_majority_answers() -> None:
    prompt = len(letters().render(problem().messages))
    trial = Trial(problem(), "tournament?n=16", 0)
    result = run(run_trial(trial, models(), Budget(tokens=prompt + 60), sampling=Sampling(temperature=1.0)))
    assert result.answer.value is not None
