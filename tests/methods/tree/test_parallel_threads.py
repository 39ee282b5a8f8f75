"""Adaptive parallel reasoning: children run at once, and the parent goes on with what they found."""

from __future__ import annotations

import pytest

from clew.methods.tree.parallel_threads import parallel_threads, tasks
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.talkers import asked, talker
from clew.tree import Finish


@pytest.mark.parametrize("spec", ["parallel_threads", "parallel_threads?threads=1&rounds=0"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_tasks_by_hand() -> None:
    assert tasks("I think <spawn>\nadd 1 2\n\n add 3 4 \n") == ["add 1 2", "add 3 4"]
    assert tasks("<spawn>a\n</spawn> then <spawn>\nb") == ["b"]


def adder() -> ToyModel:
    """Adds 1+2 and 3+4 in threads, then says what they found; in a thread it knows one sum."""

    def replies(messages: tuple[Message, ...], text: str) -> str:
        if "Work on the task alone" in asked(messages):
            return {"1+2": "3", "3+4": "7"}.get(messages[-1].text, "?")
        plan = "<spawn>\n1+2\n3+4\n</spawn>"
        if "</join>\n" not in text:
            return plan
        results = text.split("<join>\n")[1].split("\n</join>")[0]
        found = [line.split(". ")[1] for line in results.splitlines()]
        return text[: text.index("</join>\n") + len("</join>\n")] + "+".join(found)

    return talker(replies, "<spawn>/join 1234567890+.\n?")


def test_results_are_joined_in_the_order_of_the_tasks() -> None:
    given = search(adder())
    answer = run(parallel_threads(given))
    assert answer.text.endswith("<join>\n1. 3\n2. 7\n</join>\n3+7")
    children = [n for n in given.tree.nodes if n.parent and "Work on the task alone" in n.parent.text]
    assert [c.solution for c in children] == ["3", "7"]
    parent = answer.node
    assert parent is not None and parent.finish is Finish.END
    assert parent.solution.count("</spawn>") == 1, "the tag that stopped the parent is put back once"


def test_no_more_threads_than_allowed() -> None:
    given = search(adder())
    answer = run(parallel_threads(given, threads=1))
    assert answer.text.endswith("</join>\n3")


def test_a_model_that_spawns_nothing_just_answers() -> None:
    given = search(talker(lambda messages, text: "42", "42"))
    assert run(parallel_threads(given)).value == "42"
