"""Traces continued from any place in them, and what each step is worth."""

from __future__ import annotations

import numpy as np
import pytest

from clew.analysis.replay import pieces, replay, step_values, success
from clew.analysis.trace import Trace
from clew.testing.toys import geometric, problem, run, search
from support.ways import BAD, GOOD, ways, written


def test_a_replayed_trace_keeps_its_tokens() -> None:
    s, trace = written(ways(), "way A")
    nodes = run(replay(s, trace, trace.sentences))
    assert [n.segment.text for n in nodes[1:]] == [trace.text[x.start : x.end] for x in trace.sentences]
    ids = [i for n in nodes[1:] for i in n.segment.token_ids.tolist()]
    assert ids == trace.token_ids.tolist()[:-1]  # all but the end of the text
    assert nodes[-1].solution == trace.text


def test_what_another_model_wrote_is_encoded_anew() -> None:
    s, trace = written(ways(), "way A")
    foreign = Trace(trace.problem, trace.node, "another")
    assert run(replay(s, foreign, foreign.sentences))[-1].solution == trace.text


def test_every_token_is_in_one_piece() -> None:
    s = search()
    node = run(s.insert(s.root, "A b. \n C d.\n\n\nE."))
    trace = Trace(s.problem, node)
    assert "".join(p.text for p in pieces(trace, trace.sentences)) == trace.text
    assert sum(map(len, pieces(trace, trace.sentences))) == trace.tokens


def test_values_and_advantages_are_those_of_the_model() -> None:
    s, trace = written(ways(), "way A")
    n = 2500
    found = run(step_values(s, trace, n=n))
    before, after = (GOOD + BAD) / 2, GOOD
    exact = [before, before, after, after, trace.grade]
    assert found.values == pytest.approx(exact, abs=4 * (0.25 / n) ** 0.5)
    assert found.advantages == pytest.approx(np.diff(exact).tolist(), abs=0.08)
    tokens = [0, *trace.tokens_of(trace.steps).cumsum().tolist()]
    tokens[-1] -= 1  # the end of the text is not replayed
    assert list(found.tokens) == tokens


def test_regret_of_step_values_is_that_of_the_model() -> None:
    s, trace = written(ways(), "way A")
    found = run(step_values(s, trace, n=2500))
    a, b, c, d, end = found.tokens
    regret = (1 - (GOOD + BAD) / 2) * (c - a) + (1 - GOOD) * (end - c)
    assert a < b < c < d < end
    assert found.timeline.regret() == pytest.approx(regret, rel=0.05)


def test_the_first_wrong_step_is_the_one_after_which_nothing_succeeds() -> None:
    model = ways()
    s, trace = written(model, "way B")
    while trace.grade:
        s, trace = written(model, "way B", s.seed + 1)
    found = run(step_values(s, trace, n=40))
    assert found.first_wrong == 3  # way B is bad, yet not hopeless: the answer itself is the mistake


def test_without_a_grader_nothing_succeeds() -> None:
    s = search(geometric())
    with pytest.raises(ValueError, match="no grader"):
        success(problem(), run(s.extend(s.root)))
