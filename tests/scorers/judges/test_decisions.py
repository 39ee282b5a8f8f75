"""Decisions: a model chooses among options by their probabilities, and nothing is generated."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from clew.budget import Budget
from clew.errors import UsageError
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.scorers.judges.decisions import Decision, choose, decide
from clew.search import Search
from clew.testing.toys import problem, run
from clew.testing.toys.talkers import PRINTABLE, talker


def judge(told: Mapping[str, Mapping[str, float]]) -> ToyModel:
    """Replies to a question that contains a key with its replies' weights, and `Pass` to any other one."""

    def replies(messages: tuple[Message, ...], text: str) -> Mapping[str, float]:
        return next((odds for key, odds in told.items() if key in messages[-1].text), {"Pass": 1.0})

    return talker(replies, PRINTABLE)


def searching(model: ToyModel) -> Search:
    return Search(problem(), {"generate": talker(lambda *_: "go", "go"), "judge": model}, Budget())


def ask(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


def test_the_probabilities_are_those_of_the_replies() -> None:
    model = judge({"sky": {"Yes": 0.6, "No": 0.2, "Hm": 0.2}, "grass": {"Yes.": 0.1, "No": 0.9}})
    s = searching(model)
    sky, grass, other = run(decide(s, [ask("Is the sky blue?"), ask("Is grass red?"), ask("Is it?")], ["Yes", "No"]))
    assert sky.probabilities == pytest.approx([0.75, 0.25]) and sky.mass == pytest.approx(0.8)
    assert grass.probabilities == pytest.approx([0.1, 0.9]) and grass.mass == pytest.approx(1.0)
    assert list(other.probabilities) == [0.5, 0.5] and other.mass == 0.0, (
        "a judge that would say neither has no opinion"
    )


def test_a_decision_generates_nothing_and_charges_what_it_reads_once() -> None:
    s = searching(judge({"": {"A": 0.5, "B": 0.5}}))
    shared = "A long text that both questions are about. " * 5
    run(decide(s, [ask(shared + "One?"), ask(shared + "Two?")], ["A", "B"]))
    (spent,) = [part for (_, role), part in s.ledger.usage.parts.items() if role == "judge"]
    prompts = [len(s.models["judge"].render(ask(shared + end))) for end in ("One?", "Two?")]
    assert spent.generated == 0
    assert spent.prefilled == prompts[0] + prompts[1] - len("user: " + shared) + 4, "what they share is charged once"


def test_options_that_cannot_be_told_apart_are_refused() -> None:
    s = searching(judge({}))
    with pytest.raises(UsageError, match="cannot tell the option '1' from the beginning of '10'"):
        run(decide(s, [ask("How many?")], ["1", "10"]))
    with pytest.raises(UsageError, match="decides nothing"):
        run(decide(s, [ask("Is it?")], ["Yes"]))


def test_no_decision_is_read_inside_a_thinking_block() -> None:
    s = searching(talker(lambda *_: "<think>Yes or no</think>Yes", PRINTABLE))

    async def work() -> Decision:
        root = s.add_root("Is it?")
        thinking = await s.insert(root, "<think>Let me")
        with pytest.raises(UsageError, match="thinks before it replies"):
            await choose(s, [thinking], ["Yes", "No"])
        thought = await s.insert(root, "<think>Yes or no</think>")
        (decision,) = await choose(s, [thought], ["Yes", "No"])
        return decision

    assert run(work()).probabilities == pytest.approx([1.0, 0.0])


def test_a_model_that_cannot_score_is_named() -> None:
    model = judge({})
    model.capabilities -= {"score"}
    with pytest.raises(UsageError, match="cannot score a given text"):
        run(decide(searching(model), [ask("Is it?")], ["Yes", "No"]))


def test_impossible_options_share_the_choice() -> None:
    import numpy as np

    none = Decision(("a", "b", "c", "d"), np.full(4, -math.inf))
    assert list(none.probabilities) == [0.25] * 4
