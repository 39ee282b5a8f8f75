"""FOBAR: its formula by hand, what is masked, and that backward chains correct a vote that is wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest

from clew.methods.sample.backward_check import EPSILON, backward_check, combined, masked
from clew.methods.sample.self_consistency import self_consistency
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.search import Search
from clew.tasks.answers import extractor
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.talkers import talker

QUESTION = "Ann has 3 pens and buys 4 more. How many pens?"


@pytest.mark.parametrize("spec", ["backward_check?n=4", "backward_check?n=3&masks=1&checks=4&alpha=0"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_the_formula_by_hand() -> None:
    both = combined({"7": 1, "8": 3}, {"7": 4, "8": 1}, 0.5)
    assert both["7"] / both["8"] == pytest.approx(np.sqrt(1 / 4 * 4 / 5) / np.sqrt(3 / 4 * 1 / 5))
    assert sum(both.values()) == pytest.approx(1.0)
    assert combined({"7": 1, "8": 3}, {"7": 4}, 1.0) == pytest.approx({"7": 0.25, "8": 0.75})
    assert combined({"7": 1, "8": 3}, {"7": 4, "8": 1}, 0.0) == pytest.approx({"7": 0.8, "8": 0.2})
    assert combined({"7": 1, "8": 3}, {"7": 2}, 0.0)["8"] == pytest.approx(EPSILON / 2, rel=1e-6)
    assert combined({"7": 1, "8": 3}, {}, 0.5) == pytest.approx(
        {"7": 1 / (1 + np.sqrt(3)), "8": np.sqrt(3) / (1 + np.sqrt(3))}
    ), "where nothing was recovered the vote decides"


def test_each_number_is_masked_where_it_stands() -> None:
    assert masked("3 pens and 3 caps for $1,200.50.") == [
        ("x pens and 3 caps for $1,200.50.", "3"),
        ("3 pens and x caps for $1,200.50.", "3"),
        ("3 pens and 3 caps for $x.", "1200.5"),
    ]
    assert masked("Take room A4, 1/2 of it, or 3.4.5?") == []
    assert masked("Ten pens, two-faced, and one cap.") == [
        ("x pens, two-faced, and one cap.", "10"),
        ("Ten pens, two-faced, and x cap.", "1"),
    ]
    assert masked("Compute 8 * 7 - 12.") == [
        ("Compute x * 7 - 12.", "8"),
        ("Compute 8 * x - 12.", "7"),
        ("Compute 8 * 7 - x.", "12"),
    ]


def counter(chance: float = 0.3, backwards: bool = True) -> ToyModel:
    """Adds 3 and 4 right with this chance, else says 8; backwards it solves for x (or says any digit)."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        asked = messages[-1].text
        if "unknown variable" not in asked:
            return {"7": chance, "8": 1 - chance}
        answer = int(re.findall(r"question is (-?\d+)", asked)[0])
        other = int(re.findall(r"\d+", asked)[0])
        return f"x = {answer - other}" if backwards else {f"x = {d}": 1.0 for d in range(2, 6)}

    return talker(replies, "x = -0123456789")


def pens(model: ToyModel, seed: int = 0, **changes: object) -> Search:
    given = {"messages": (Message("user", QUESTION),), "extract": extractor("number")} | changes
    return search(model, seed=seed, **given)


def test_backward_chains_correct_a_wrong_vote() -> None:
    """The claim, with a sign that can fail: 7 wins whenever one of 8 solutions states it, 1 - 0.7⁸ = 0.94, where the
    vote is right with 0.19 (ties included) at most; and chains that only guess do not help."""

    def rate(backwards: bool) -> float:
        answers = [run(backward_check(pens(counter(0.3, backwards), s))).value for s in range(80)]
        return float(np.mean([a == "7" for a in answers]))

    vote = float(np.mean([run(self_consistency(pens(counter(), s), n=8)).value == "7" for s in range(80)]))
    assert vote < 0.35
    assert rate(True) > 0.85
    assert rate(False) < vote + 0.25


def test_confidence_and_votes_are_the_combined_probabilities() -> None:
    given = pens(counter(0.5))
    answer = run(backward_check(given, n=6, masks=2, checks=3))
    stated = [n.solution for n in given.tree.nodes if n.parent is given.root]
    counts = {v: stated.count(v) for v in ("7", "8")}
    assert all(counts.values())
    wanted = combined(counts, {"7": 6}, 0.5)
    assert answer.value == "7" and answer.votes == pytest.approx(wanted)
    assert answer.confidence == pytest.approx(wanted["7"])


def test_what_is_masked_is_chosen_by_the_seed_and_no_more_often_than_allowed() -> None:
    def asked(seed: int) -> set[str]:
        given = pens(counter(0.5), seed, messages=(Message("user", "Add 1, 2, 3, 4, 5 and 6."),))
        run(backward_check(given, n=6, masks=2, checks=1))
        return {re.findall(r"Add [^.]*", r.text)[0] for r in given.tree.roots[1:]}

    assert all(len(asked(seed)) == 2 for seed in range(5))
    assert asked(1) == asked(1)
    assert len({frozenset(asked(seed)) for seed in range(8)}) > 2


def test_worked_examples_stay_before_the_backward_question() -> None:
    shots = (Message("user", "1 and 1?"), Message("assistant", "2"))
    given = pens(counter(0.5), messages=(*shots, Message("user", QUESTION)))
    run(backward_check(given, n=6, masks=1, checks=1))
    assert all("1 and 1?" in r.text and "unknown variable" in r.text for r in given.tree.roots[1:])


def test_nothing_is_asked_where_there_is_nothing_to_tell_apart() -> None:
    agreed = pens(counter(1.0))
    assert run(backward_check(agreed)).value == "7" and len(agreed.tree.roots) == 1
    wordy = pens(counter(0.2), messages=(Message("user", "How many days has a week?"),))
    assert run(backward_check(wordy)).value == "8" and len(wordy.tree.roots) == 1
