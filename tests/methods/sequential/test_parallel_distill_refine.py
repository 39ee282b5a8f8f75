"""Parallel-distill-refine: what each round sees, and that what several drafts found apart is put together."""

from __future__ import annotations

import re

import numpy as np
import pytest

from clew.methods.sequential.parallel_distill_refine import parallel_distill_refine
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.talkers import PRINTABLE, asked, talker
from clew.tree import Node


@pytest.mark.parametrize(
    "spec",
    [
        "parallel_distill_refine",
        "parallel_distill_refine?drafts=3&rounds=3&workspace=random",
        "parallel_distill_refine?drafts=1&rounds=3",
    ],
)
def test_conformance(spec: str) -> None:
    check_method(spec)


def finder(parts: str = "AB", distils: bool = True) -> ToyModel:
    """Each draft finds one of the parts by chance and adds it to what its notes hold; a summary names all that were
    found (or nothing)."""

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        if "Several attempts" in prompt:
            found = sorted({c for draft in re.findall(r"<answer>\n(\w+)", prompt) for c in draft})
            return "".join(found) if distils else "-"
        known = set(re.findall(r"^([A-Z]+)$", prompt, re.MULTILINE))
        before = {c for note in known for c in note}
        ways: dict[str, float] = {}
        for part in parts:
            way = "".join(sorted(before | {part}))
            ways[way] = ways.get(way, 0.0) + 1.0
        return ways

    return talker(replies, PRINTABLE)


def rate(wanted: str, model: ToyModel, runs: int = 120, **params: object) -> float:
    answers = [run(parallel_distill_refine(search(model, seed=s), **params)).value for s in range(runs)]  # type: ignore[arg-type]
    return float(np.mean([a == wanted for a in answers]))


ERROR = 3.3 * 0.5 / np.sqrt(120)


def test_what_drafts_found_apart_is_put_together() -> None:
    """The claim, with its chances: of four drafts and the last one, not all find the same part of two: 1 - 2·0.5⁵."""
    assert abs(rate("AB", finder()) - (1 - 2 * 0.5**5)) < ERROR
    assert rate("AB", finder(distils=False)) == 0, "without notes no draft has both"
    assert rate("AB", finder(), rounds=1) == 0


def test_one_draft_is_sequential_refinement() -> None:
    """The solution itself is the workspace: R rounds miss a part with 2·0.5^R; nothing is asked of the judge."""
    assert abs(rate("AB", finder(), drafts=1, rounds=2) - 0.5) < ERROR
    assert abs(rate("AB", finder(), drafts=1, rounds=4) - (1 - 2 * 0.5**4)) < ERROR
    given = search(finder())
    run(parallel_distill_refine(given, drafts=1, rounds=4))
    assert all(root.role == "generate" for root in given.tree.roots) and len(given.tree.roots) == 4


def test_random_workspaces_hold_k_drafts() -> None:
    """With all four drafts shown the chance is that of a perfect summary; with one, that of sequential refinement."""
    assert abs(rate("AB", finder(), workspace="random", k=4) - (1 - 2 * 0.5**5)) < ERROR
    assert abs(rate("AB", finder(), workspace="random", k=1) - 0.5) < ERROR


def drafts_of(given: Search) -> list[list[Node]]:
    """The drafts, by the prompt that they were written from, in order."""
    groups: dict[int, list[Node]] = {}
    for node in given.tree.nodes:
        if node.parent is not None and node.path()[0].role == "generate":
            groups.setdefault(node.path()[0].id, []).append(node)
    return list(groups.values())


def test_rounds_have_as_many_drafts_as_asked_and_the_last_has_one() -> None:
    given = search(finder("ABC"))
    answer = run(parallel_distill_refine(given, drafts=3, rounds=3))
    assert [len(group) for group in drafts_of(given)] == [3, 1, 1, 1, 1]
    assert sum(root.role == "judge" for root in given.tree.roots) == 2
    assert answer.node is drafts_of(given)[-1][0]
    assert len(given.proposals) == 3


def test_only_the_last_rounds_notes_are_shown() -> None:
    given = search(finder("ABCDEFGH"))
    run(parallel_distill_refine(given, drafts=2, rounds=4))
    notes = [
        re.findall(r"^([A-Z]+)$", root.text, re.MULTILINE) for root in given.tree.roots[1:] if root.role == "generate"
    ]
    assert all(len(shown) == 1 for shown in notes), "one summary, and nothing of the rounds before"
    assert [len(shown[0]) for shown in notes] == sorted(len(shown[0]) for shown in notes)


def test_the_summary_is_bounded_and_thinking_is_not_handed_on() -> None:
    def replies(messages: tuple[Message, ...], text: str) -> str:
        return "S" * 50 if "Several attempts" in asked(messages) else "<think>hidden</think> seen"

    given = search(talker(replies, PRINTABLE))
    run(parallel_distill_refine(given, drafts=2, rounds=2, bound=7))
    last = given.tree.roots[-1]
    assert "S" * 7 in last.text and "S" * 8 not in last.text
    assert all("hidden" not in root.text for root in given.tree.roots)
    assert any("<answer>\nseen" in root.text for root in given.tree.roots)


def test_a_last_draft_without_an_answer_leaves_the_vote_before_it() -> None:
    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        return "none" if "done on the question" in asked(messages) else {"7": 3.0, "8": 1.0}

    given = search(talker(replies, PRINTABLE), extract=lambda text: text if text.isdigit() else None)
    answer = run(parallel_distill_refine(given, drafts=5))
    assert answer.value == "7" and answer.votes
