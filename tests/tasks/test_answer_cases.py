"""Answers as people and models write them: each with the verdict that a reader gives it."""

import json
from pathlib import Path
from typing import Any

import pytest

from clew.tasks.answers import extract, grade

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases" / "answers.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_verdict_is_a_readers(case: dict[str, Any]) -> None:
    kind, choices = case["kind"], case.get("choices", ())
    match case["op"]:
        case "grade":
            answer = extract(case["text"], kind, choices=choices)
            assert grade(answer, case["gold"], kind, choices=choices) == case["want"]
        case "extract":
            assert extract(case["text"], kind, choices=choices) == case["want"]
        case "same_vote":
            assert (extract(case["a"], kind) == extract(case["b"], kind)) == case["want"]
