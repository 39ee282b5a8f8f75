"""RethinkMCTS: a wrong thought is rewritten in place, and the search goes on from there."""

from __future__ import annotations

import pytest

from clew.methods.tree.mcts import mcts
from clew.methods.tree.rethink_mcts import rethink_mcts
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import asked, talker
from clew.tree import Origin

GOOD = ByText(lambda text: float(text.startswith("r.") and text.endswith("ok")))


@pytest.mark.parametrize("spec", ["rethink_mcts?simulations=4", "rethink_mcts?simulations=3&rethinks=2&final=vote"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def thinker(repairs: bool) -> ToyModel:
    """Its first thought is `w.` (wrong) but for one in 50; after `r.` (right) it writes `ok`, else `no`."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "Revise the last thought" in prompt:
            return "r." if repairs and "Feedback:\nnot r" in prompt else "w."
        if "what is wrong with the last thought" in prompt:
            return "not r"
        if not text or "r.ok".startswith(text) or "w.no".startswith(text):
            return {"w.no": 0.98, "r.ok": 0.02}
        return text

    return talker(replies, "rw.okn t")


def test_repairing_finds_what_sampling_does_not() -> None:
    """The claim: the rewritten thought, not another sample, leads to the right solution."""

    def right(repairs: bool, rethinks: int) -> int:
        answers = [
            run(
                rethink_mcts(
                    search(thinker(repairs), seed=s, steps=(".",)), simulations=3, rethinks=rethinks, scorer=GOOD
                )
            )
            for s in range(12)
        ]
        return sum(a.value == "r.ok" for a in answers)

    assert right(True, 1) == 12
    assert right(True, 0) <= 6
    assert right(False, 1) <= 6


def test_the_repaired_thought_takes_the_place_of_the_old_one() -> None:
    given = search(thinker(True), seed=1, steps=(".",))
    run(rethink_mcts(given, simulations=3, scorer=GOOD))
    (repaired,) = [n for n in given.tree.nodes if n.label == "rethought"]
    assert repaired.origin is Origin.INSERTED and repaired.segment.text == "r."
    assert repaired.parent is given.root, "it stands where the wrong thought stood"
    assert any(n.parent is repaired and n.solution == "r.ok" for n in given.tree.nodes)


def test_further_thoughts_are_proposed_from_the_feedback_on_what_failed() -> None:
    """The failed run's feedback stands in the prompt of the expansion: only with it the model thinks of `r.`."""

    def replies(messages: tuple[Message, ...], text: str) -> str:
        prompt = asked(messages)
        if "Continue the thoughts" in prompt:
            return "r." if "Feedback:\nnot w" in prompt and "Solution:\nw.no" in prompt else "w."
        if "what is wrong with the last thought" in prompt:
            return "not w"
        return "r.ok" if text.startswith("r") else "w.no"

    given = search(talker(replies, "rw.okn t"), steps=(".",))
    assert run(rethink_mcts(given, simulations=2, rethinks=0, scorer=GOOD)).value == "r.ok"
    assert [n.segment.text for n in given.tree.nodes if n.label == "after feedback"] == ["r."]


def test_of_solutions_that_pass_the_judge_decides() -> None:
    """The dual value: 0.8 of the score and 0.2 of the judge's rating."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "how sure you are" in prompt:
            return "0.5" if "Solution:\nr.ok" in prompt else "-1"
        return {"r.ok": 0.3, "w.ok": 0.7}

    passing = ByText(lambda text: float(text.endswith("ok")))
    answers = []
    for seed in range(8):
        given = search(talker(replies, "rw.okn-015"), seed=seed, steps=(".",))
        answers.append(run(rethink_mcts(given, simulations=8, scorer=passing)).value)
    assert answers.count("r.ok") >= 7


def test_plain_search_is_not_helped_by_the_same_model() -> None:
    answers = [
        run(mcts(search(thinker(True), seed=s, steps=(".",)), simulations=3, expand=2, scorer=GOOD)) for s in range(12)
    ]
    assert sum(a.value == "r.ok" for a in answers) <= 6
