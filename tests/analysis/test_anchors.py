"""Which sentences matter, against what is known of the toy."""

from __future__ import annotations

import math

import pytest

from clew.analysis.anchors import by_words, divergence, find_anchors, forced_answers
from clew.analysis.trace import Trace
from clew.budget import Budget
from clew.errors import BudgetExhausted
from clew.sampling import Sampling
from clew.search import Search
from clew.testing.toys import run, search
from clew.tree import Finish
from support.segments import add
from support.ways import BAD, GOOD, ways, which, written


def test_importance_is_that_of_the_model() -> None:
    s, trace = written(ways(), "way A")
    found = run(find_anchors(s, trace, n=1500)).anchors
    exact = BAD * math.log(BAD / GOOD) + (1 - BAD) * math.log((1 - BAD) / (1 - GOOD))
    half = (GOOD + BAD) / 2
    resampling = half * math.log(half / GOOD) + (1 - half) * math.log((1 - half) / (1 - GOOD))
    assert found[1].sentence == "We take way A."
    assert found[1].counterfactual == pytest.approx(exact, rel=0.15)
    assert found[1].resampling == pytest.approx(resampling, rel=0.2)
    assert found[1].advantage == pytest.approx((GOOD - BAD) / 2, abs=0.06)
    assert found[1].different == pytest.approx(750, abs=100)
    for i in (0, 2):
        assert found[i].counterfactual == pytest.approx(0, abs=0.01)


def test_the_planted_sentence_is_found_with_fifty_rollouts() -> None:
    model = ways()
    for seed in range(5):
        s, trace = written(model, "way A", seed)
        result = run(find_anchors(s, trace, n=50))
        # The stated answer decides itself; of the rest, the planted sentence does.
        assert max(range(3), key=lambda i: result.anchors[i].counterfactual) == 1
        assert result.anchors[1].p < 0.01
        assert min(result.anchors[i].p for i in (0, 2)) > 0.02


def test_prefixes_are_computed_once() -> None:
    s, trace = written(ways(), "way A")
    result = run(find_anchors(s, trace, n=50))
    total = result.usage.total
    # The toy keeps no cache: what it would compute with one is the logical count.
    blind = total.generated + total.prefilled + total.reused
    assert (total.generated + total.prefilled) / blind < 0.8
    assert total.prefilled == len(s.root.segment) + trace.tokens - 1 - len("#### 1")


def test_forced_answers_show_when_the_answer_is_decided() -> None:
    s = search(ways(), extract=which().extract, grader=which().grader)
    trace = written(ways(), "way A")[1]
    said = run(forced_answers(s, trace, n=3, force="\n#### "))
    assert len(said) == len(trace.sentences) + 1
    assert all(len(values) == 3 for values in said)


def test_a_sentence_that_is_always_written_has_no_counterfactual() -> None:
    model = ways()
    s = Search(which(), {"generate": model}, sampling=Sampling(temperature=0.0))
    leaf = run(s.extend(s.root))[0]
    again = Search(which(), {"generate": model}, sampling=Sampling(temperature=0.0))
    found = run(find_anchors(again, Trace(s.problem, leaf, model.name), n=8)).anchors
    assert all(math.isnan(a.counterfactual) and math.isnan(a.p) and a.different == 0 for a in found)
    assert all(a.resampling == pytest.approx(0) for a in found)


def test_sentences_with_other_numbers_mean_something_else() -> None:
    same, number, other = by_words("So x is 12.", ["so x is 12", "So x is 13.", "We go home."])
    assert same > 0.85
    assert number == 0
    assert other < 0.5


def test_divergence_is_finite_and_zero_for_equals() -> None:
    assert divergence(["1", None], [None, "1"]) == pytest.approx(0)
    assert 0 < divergence(["1"] * 9, ["2"] * 9) < math.inf
    assert math.isnan(divergence([], ["1"]))


def test_anchors_stay_inside_the_budget() -> None:
    trace = written(ways(), "way A")[1]
    s = Search(which(), {"generate": ways()}, Budget(tokens=300))
    with pytest.raises(BudgetExhausted):
        run(find_anchors(s, trace, n=50))
    assert s.ledger.tokens <= 300 + s.ledger.usage.peak


def test_a_trace_without_text_has_no_anchors() -> None:
    s = search()
    assert run(find_anchors(search(), Trace(s.problem, add(s, [], finish=Finish.END)), n=2)).anchors == ()
