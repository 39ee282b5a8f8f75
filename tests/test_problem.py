"""What is asked."""

from __future__ import annotations

from clew.problem import Message, Problem, is_right
from clew.testing.toys import problem


def test_asking_another_question_keeps_examples_and_images() -> None:
    shots = (Message("user", "1+1?"), Message("assistant", "2"))
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    seen = Message("user", [{"type": "text", "text": "What is it?"}, image])
    plain = problem(messages=(*shots, Message("user", "2+2?"), Message("assistant", "It is")))
    assert plain.asking("3+3?") == (*shots, Message("user", "3+3?"), Message("assistant", "It is"))
    asked = problem(messages=(*shots, seen)).asking("How many?")
    assert asked[:2] == shots and asked[2].text == "How many?" and image in asked[2].content


def test_no_answer_is_wrong_and_no_grader_is_no_grade() -> None:
    graded = Problem("p", (Message("user", "?"),), grader=lambda value: 0.5 if value == "half" else 1.0)
    assert [graded.grade(value) for value in (None, "half", "all")] == [0.0, 0.5, 1.0]
    assert [is_right(graded.grade(value)) for value in (None, "half", "all")] == [False, False, True]
    assert graded.posed().grade("all") is None
    assert not is_right(None)
