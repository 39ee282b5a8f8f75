"""Retro-Search: what counts as leaving a thought, what a trace is worth, and that staying shortens or repairs it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from clew.analysis.segment import steps, thoughts
from clew.methods.sequential.retro_search import TraceValue, retro_search, turns_at
from clew.models.toy import ToyModel
from clew.search import Search
from clew.tasks.answers import extractor
from clew.testing import check_method
from clew.testing.toys import problem, run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import Lines, writer


def traces(model: ToyModel, seed: int = 0, **changes: object) -> Search:
    return search(model, seed=seed, **({"steps": ("\n",), "extract": extractor("number"), "max_tokens": 400} | changes))


DOUBTER: Lines = {
    "": {"3*4=12.\n": 1.0},
    "3*4=12.": {"Wait, is that so?\n": 0.9, "#### 12": 0.1},
    "Wait, is that so?": {"3*4=12 is right.\n": 1.0},
    "3*4=12 is right.": {"Hmm, but let me see.\n": 0.5, "#### 12": 0.5},
    "Hmm, but let me see.": {"It is fine.\n": 1.0},
    "It is fine.": {"#### 12": 1.0},
}
"""Overthinks: its doubts never change the answer."""

QUITTER: Lines = {
    "": {"3*4 it is.\n": 1.0},
    "3*4 it is.": {"Alternatively, 3+4.\n": 0.8, "So 12.\n": 0.2},
    "Alternatively, 3+4.": {"#### 7": 1.0},
    "So 12.": {"#### 12": 1.0},
}
"""Underthinks: it leaves the right thought for a wrong one."""


@pytest.mark.parametrize("spec", ["retro_search", "retro_search?gamma=0.5&retries=2"])
def test_conformance(spec: str) -> None:
    check_method(spec)
    given = problem(steps=("\n",), extract=extractor("number"), max_tokens=200)
    check_method(spec, problem=given, model=lambda: writer(DOUBTER))


def test_leaving_by_hand() -> None:
    assert turns_at("It is 5. Wait, no.", False) == 9
    assert turns_at("\n\n- Wait, no.", False) == 4, "where the words stand, not the list marker before them"
    assert turns_at("Waiters bring 5. They wait, too.", True) is None
    assert turns_at("So 5. Wait", False) is None, "it may become Waiters"
    assert turns_at("So 5. Wait", True) == 6
    assert turns_at("Wait. So 5.", False) == 0


def test_what_a_trace_is_worth_by_hand() -> None:
    async def work(**changes: object) -> list[float]:
        given = traces(writer({}), **changes)
        worth = TraceValue(given, 0.5, None)
        nodes = []
        for text in ("a.\nb.\n#### 12", "#### 7", "a.\n#### 12", "none"):
            node = await given.insert(given.root, text)
            await worth.score(node)
            nodes.append(node)
        return [worth.of(node) for node in nodes]

    assert run(work()) == [0.5**3, 0.0, 0.5**2, 0.0], "without a verifier the first answer is the one that counts"
    assert run(work(verifier=lambda v: float(v == "7"))) == [0.0, 0.5, 0.0, 0.0]


def test_needless_doubts_are_left_out() -> None:
    """The claim, and exactly: whatever was written first, what is kept is the trace without a switch."""
    first, last = [], []
    for seed in range(40):
        given = traces(writer(DOUBTER), seed)
        answer = run(retro_search(given))
        assert answer.text == "3*4=12.\n#### 12"
        assert [p.answer.text for p in given.proposals][-1] == answer.text
        first.append(len(steps(given.proposals[0].answer.text)))
        last.append(len(steps(answer.text)))
    assert np.mean(last) == 2 and np.mean(first) > 3


def test_a_thought_that_was_left_too_early_is_followed_to_the_right_answer() -> None:
    """With a verifier the answer gets right; without one nothing says that 12 is better than what was first."""

    def rate(**changes: object) -> float:
        return float(
            np.mean([run(retro_search(traces(writer(QUITTER), s, **changes))).value == "12" for s in range(60)])
        )

    assert rate(verifier=lambda v: float(v == "12")) == 1.0
    assert rate() < 0.45, "0.2 write it at once"


def test_a_switch_that_was_needed_stays() -> None:
    tree: Lines = {
        "": {"3+4=7.\n": 1.0},
        "3+4=7.": {"Wait, times.\n": 0.8, "#### 7": 0.2},
        "Wait, times.": {"#### 12": 1.0},
    }
    given = traces(writer(tree), 1, verifier=lambda v: float(v == "12"))
    answer = run(retro_search(given))
    assert any(n.solution.endswith("#### 7") for n in given.tree.nodes), "the path not taken was tried"
    assert answer.value == "12"
    rambling = {"": {"a.\n": 1.0}, "a.": {"Wait, b.\n": 0.9, "c.\n": 0.1}, "Wait, b.": {"#### 12": 1.0}}
    rambling |= {"c.": {"d.\n": 1.0}, "d.": {"e.\n": 1.0}, "e.": {"#### 12": 1.0}}
    assert run(retro_search(traces(writer(rambling), 1))).text == "a.\nWait, b.\n#### 12", "staying takes longer"


def test_later_steps_may_leave_the_thought_and_are_taken_up_in_turn() -> None:
    tree: Lines = {
        "": {"a.\n": 1.0},
        "a.": {"Wait, b.\n": 0.95, "c.\n": 0.05},
        "Wait, b.": {"d.\n": 1.0},
        "d.": {"e.\n": 1.0},
        "e.": {"f.\n": 1.0},
        "f.": {"#### 12": 1.0},
        "c.": {"Hmm, but g.\n": 0.95, "#### 12": 0.05},
        "Hmm, but g.": {"#### 12": 1.0},
    }
    given = traces(writer(tree), 3)
    answer = run(retro_search(given))
    shown = [p.answer.text for p in given.proposals]
    assert shown == ["a.\nWait, b.\nd.\ne.\nf.\n#### 12", "a.\nc.\nHmm, but g.\n#### 12", "a.\nc.\n#### 12"]
    assert answer.text == shown[-1] and len(thoughts(answer.text)) == 1
    fates = {n.solution: n.fate for n in given.tree.nodes if n.finished}
    assert fates == {shown[0]: "a better path was found", shown[1]: "a better path was found", shown[2]: ""}


def test_where_nothing_else_can_be_written_the_trace_stays() -> None:
    tree: Lines = {"": {"a.\n": 1.0}, "a.": {"Wait, b.\n": 1.0}, "Wait, b.": {"#### 12": 1.0}}
    assert run(retro_search(traces(writer(tree)))).text == "a.\nWait, b.\n#### 12"
    many = {f"{word}, b.\n": 1.0 for word in ("Wait", "Actually", "Hold on", "Scratch that")}
    tree = {"": {"a.\n": 1.0}, "a.": many | {"c.\n": 1e-9}}
    tree |= {line.rstrip("\n"): {"d.\n": 1.0} for line in many} | {"d.": {"#### 12": 1.0}, "c.": {"#### 12": 1.0}}
    assert len(steps(run(retro_search(traces(writer(tree)))).text)) == 3, "the fifth word is found"
    assert len(steps(run(retro_search(traces(writer(tree)), retries=2)).text)) == 4, "no more than two are tried"


def test_a_scorer_on_any_scale_decides() -> None:
    likes = ByText(lambda text: -100.0 + 50 * ("12" in text))
    assert run(retro_search(traces(writer(QUITTER), 0), scorer=likes)).value == "12"
    hates = ByText(lambda text: -100.0 * ("12" in text))
    wrong = [run(retro_search(traces(writer(QUITTER), s), scorer=hates)).value for s in range(6)]
    assert "7" in wrong


def test_what_is_shared_is_not_written_again() -> None:
    given = traces(writer(DOUBTER), 1)
    run(retro_search(given))
    assert all(not re.match(r"3\*4", n.segment.text) for n in given.tree.nodes[2:] if n.beginning_of is None)
