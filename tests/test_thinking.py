"""Answers inside of thinking blocks do not count, whoever opened the block."""

from __future__ import annotations

import numpy as np
import pytest

from clew.problem import Message, Problem
from clew.sampling import Stream
from clew.tasks.answers import extractor
from clew.tree import Finish, Node, Origin, Segment, Tree
from clew.vote import answer_of, vote


def solved(prompt: str, *solutions: str) -> list[Node]:
    tree = Tree()

    def piece(text: str) -> Segment:
        return Segment(np.zeros(1, np.int32), text, np.zeros(1, np.int32), Finish.LENGTH)

    root = tree.add(None, piece(prompt), Origin.PROMPT, Stream("root"))
    return [tree.add(root, piece(text), Origin.SAMPLED, Stream(text)) for text in solutions]


@pytest.mark.parametrize("tag", ["<think>", "<think>\n", "[THINK]", "◁think▷\n\n", "<seed:think>"])
def test_a_block_that_the_template_opened_holds_no_answer_until_it_is_closed(tag: str) -> None:
    problem = Problem("p", (Message("user", "6 times 7?"),), extract=extractor("number"))
    cut, cut_too, whole = solved(f"user: 6 times 7?\nassistant: {tag}", "7 is", "it is 7", "7? </think> It is 42.")
    assert answer_of(problem, cut).value is None
    assert answer_of(problem, whole).value == "42"
    assert vote(problem, [cut, cut_too, whole]).value == "42"


def test_a_tag_within_the_question_opens_nothing() -> None:
    problem = Problem("p", (Message("user", "?"),), extract=extractor("number"))
    (leaf,) = solved("user: What does <think> mean?\nassistant: ", "It is 7.")
    assert answer_of(problem, leaf).value == "7"
