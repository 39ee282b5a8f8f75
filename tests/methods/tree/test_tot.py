"""Tree of Thoughts: what its judge's words count, and that a good judge leads to the answer."""

from __future__ import annotations

import re

import pytest

from clew.methods.tree.tot import chosen, tot_bfs, value_of
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.testing import check_method
from clew.testing.toys import run
from clew.testing.toys.steps import LETTERS, TARGET, searching
from clew.testing.toys.talkers import asked, talker

ALPHABET = "abcsurelikelyimpossibleThe best choice is 0123456789."


@pytest.mark.parametrize("spec", ["tot_bfs?expand=2&breadth=2", "tot_bfs?evaluate=vote&expand=3&breadth=2"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_values_by_hand() -> None:
    assert value_of("It adds up.\nsure") == 20.0
    assert value_of("Sure? I doubt it.\nImpossible") == 0.001
    assert value_of("likely") == 1.0
    assert value_of("no idea") == 0.0


def test_votes_by_hand() -> None:
    assert chosen('Choice 1 is bad.\nThe best choice is "3".') == 3
    assert chosen("the best choice is Choice 2") == 2
    assert chosen("none of them") == 0


def judging(good: bool) -> ToyModel:
    """Writes any of the 81 texts; asked to judge, it knows the target (or says the same of all)."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "sure, likely or impossible" in prompt:
            so_far = prompt.split("so far:\n")[1].split("\n")[0]
            return ("sure" if TARGET.startswith(so_far) else "impossible") if good else "likely"
        if "Several partial solutions" in prompt:
            choices = re.findall(r"Choice (\d+):\n(\w*)", prompt)
            right = [i for i, so_far in choices if TARGET.startswith(so_far)]
            return f"The best choice is {right[0] if good and right else 1}"
        return {a + b + c + d: 1.0 for a in LETTERS for b in LETTERS for c in LETTERS for d in LETTERS}

    return talker(replies, ALPHABET)


@pytest.mark.parametrize("evaluate", ["value", "vote"])
def test_a_good_judge_leads_to_the_answer_and_a_useless_one_does_not(evaluate: str) -> None:
    def right(good: bool) -> int:
        model = judging(good)
        return sum(
            run(tot_bfs(searching(model=model, seed=s), breadth=1, expand=12, evaluate=evaluate)).value == TARGET  # type: ignore[arg-type]
            for s in range(20)
        )

    assert right(True) >= 18
    assert right(False) <= 4


def test_the_judge_is_charged() -> None:
    search = searching(model=judging(True))
    run(tot_bfs(search, breadth=1, expand=3, asks=2))
    parts = search.ledger.usage.parts
    assert parts["talker", "judge"].calls == 2 * sum("tot_value" in n.scores for n in search.tree.nodes)
