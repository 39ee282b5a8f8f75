"""Reasoning graphs against hand-drawn ones, and the shapes of traces and trees."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from clew.analysis.agreement import MatchCounts, matched
from clew.analysis.graph import reasoning_graph
from clew.analysis.structure import loops, repetition, shape_of, trace_structure, tree_structure
from clew.analysis.trace import Trace, traces_of
from clew.api import asolve
from clew.budget import Budget, Usage
from clew.problem import Answer
from clew.result import Result
from clew.testing.toys import letters, problem, run, search
from clew.tree import Finish, Node
from support.segments import add

DRAWN: list[dict[str, Any]] = json.loads((Path(__file__).parent / "marked" / "graphs.json").read_text())


@pytest.mark.parametrize("drawn", DRAWN, ids=lambda d: d["name"])
def test_what_is_abandoned_and_revisited_is_what_a_reader_drew(drawn: dict[str, Any]) -> None:
    graph = reasoning_graph(drawn["steps"], drawn["question"])
    assert sorted(graph.abandoned) == drawn["abandoned"]
    assert [list(pair) for pair in graph.revisits] == drawn["revisits"]


def test_what_builds_on_what_is_mostly_what_a_reader_drew() -> None:
    total = MatchCounts()
    for drawn in DRAWN:
        total += matched(
            enumerate(reasoning_graph(drawn["steps"], drawn["question"]).parents), enumerate(drawn["parents"])
        )
    assert total.precision >= 0.9


def test_the_numbers_of_a_drawn_graph() -> None:
    drawn = next(d for d in DRAWN if d["name"] == "alternative")
    steps = drawn["steps"]
    shape = shape_of(reasoning_graph(steps, drawn["question"]), steps, "\n\n".join(steps))
    assert shape.steps == 6
    assert shape.failed_step_fraction == 2 / 6
    assert shape.backtracking == 1
    assert shape.turns == 1
    assert shape.depth == 4  # 0 3 4 5
    assert shape.branching == 1  # both ways begin at step 0
    assert shape.review_ratio == 0
    assert shape.repetition == 0


def test_the_review_ratio_counts_what_verifies_doubts_or_revisits() -> None:
    drawn = next(d for d in DRAWN if d["name"] == "doubt without failure")
    steps = drawn["steps"]
    shape = shape_of(reasoning_graph(steps, drawn["question"]), steps, "\n\n".join(steps))
    assert shape.review_ratio == sum(map(len, steps[2:4])) / sum(map(len, steps))
    assert shape.failed_step_fraction == 0


def test_loops() -> None:
    found = loops(["a", "x.", "X", "x", "b", "c", "b", "c", "b", "d"])
    assert [(loop.start, loop.period, loop.repeats) for loop in found] == [(1, 1, 3.0), (4, 2, 2.5)]
    assert loops(["a", "a", "b"]) == []
    assert repetition(["a", "a", "a", "a"]) == 3 / 4
    assert math.isnan(repetition([]))


def test_an_empty_trace_has_an_empty_shape() -> None:
    s = search()
    shape = trace_structure(Trace(s.problem, add(s, [], finish=Finish.END)))
    assert shape.steps == 0
    assert math.isnan(shape.failed_step_fraction)


def grown() -> tuple[Result, dict[str, Node]]:
    """root → a → b (dead), back to a → c → d (dead), root → e → f, the answer."""
    s = search(steps=(".",))
    a = add(s, ["a."])
    b = add(s, ["b."], parent=a)
    c = add(s, ["c."], parent=a)
    d = add(s, ["d."], parent=c)
    e = add(s, ["e."])
    f = add(s, ["f."], parent=e, finish=Finish.END)
    answer = Answer("f", node=f)
    result = Result(s.problem, "m", 0, Budget(), answer, 1.0, Usage(), s.tree)
    return result, {"a": a, "b": b, "c": c, "d": d, "e": e, "f": f}


def test_the_shape_of_a_drawn_tree() -> None:
    result, _ = grown()
    shape = tree_structure(result)
    assert shape.steps == 6
    assert shape.failed_step_fraction == 4 / 6
    assert shape.branching == 2  # at the root and at a
    assert shape.turns == 2  # to c and to e
    assert shape.backtracking == 2
    assert shape.depth == 3


def test_a_rewind_repeats_no_step() -> None:
    s = search(letters(length=6))
    whole = run(s.extend(s.root))[0]
    back = s.rewind(whole, tokens=4)
    other = run(s.extend(back))[0]
    result = Result(s.problem, "m", 0, Budget(), s.answer(other), 1.0, Usage(), s.tree)
    shape = tree_structure(result)
    assert shape.steps == 2
    assert shape.depth == 2
    assert shape.failed_step_fraction == 0.0
    assert Trace(s.problem, other).text == other.solution


def test_the_traces_of_a_search_are_its_samples() -> None:
    result = run(asolve(problem(), model=letters(), method="self_consistency?n=3", budget=500))
    assert [t.node.id for t in traces_of(result)] == list(result.samples)


def test_tokens_belong_to_the_sentence_with_their_first_character() -> None:
    s = search()
    node = add(s, ["A", " b", ".", " ", "C", " d", ".\n", "\n E", ".", ""], finish=Finish.END)
    trace = Trace(s.problem, node)
    spans = trace.sentences
    assert [x.of(trace.text) for x in spans] == ["A b.", "C d.", "E."]
    assert trace.owners(spans).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert trace.tokens_of(spans).sum() == trace.tokens
