"""Scorers of the stated answer, and the baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from clew.errors import UsageError
from clew.models.base import Context
from clew.problem import Message, identity
from clew.scorers.answers import answer_span
from clew.tasks.answers import extractor
from clew.testing import check_scorer
from clew.testing.toys import letters, run, search
from clew.tree import Origin
from support.segments import add

NUMBER = extractor("number")


@pytest.mark.parametrize(
    ("text", "kind", "stated"),
    [
        ("6 * 2 = 12\n12 + 1 = 13\n#### 13", "number", "13"),
        ("The answer is 12. (112 is wrong.)", "number", "12"),
        ("13 and 12, so \\boxed{12}", "math", "12"),
        ("Half of it: \\boxed{\\frac{1}{2}}", "math", "\\boxed{\\frac{1}{2}}"),
        ("#### 1,200", "number", "1,200"),
        ("<think>12, or \\frac12 = 0.5?</think> It is \\boxed{\\frac12}", "math", "\\boxed{\\frac12}"),
    ],
)
def test_where_the_answer_stands(text: str, kind: str, stated: str) -> None:
    span = answer_span(text, extractor(kind))  # type: ignore[arg-type]
    assert span is not None and text[slice(*span)] == stated


def test_answer_confidence_is_the_mean_probability_of_its_tokens() -> None:
    s = search(extract=NUMBER)
    first = add(s, ["1", "2", " +", " 1", "\n"], logprob=[-0.1, -0.2, -0.3, -0.4, -0.5])
    last = add(s, ["#### ", "1", "3", "", ""], logprob=[-3.0, math.log(0.5), math.log(0.8), -9.0, -9.0], parent=first)
    assert run(s.score([last], "answer_confidence")) == pytest.approx([0.65])
    # So far, the partial solution's last number is its answer.
    assert run(s.score([first], "answer_confidence")) == pytest.approx([math.exp(-0.4)])


def test_a_token_that_only_overlaps_the_answer_counts() -> None:
    s = search(extract=NUMBER)
    node = add(s, ["####", " 1", "3."], logprob=[-1.0, math.log(0.5), math.log(0.3)])
    assert run(s.score([node], "answer_confidence")) == pytest.approx([0.4])


def test_answer_confidence_without_an_answer_or_one_of_the_models_own() -> None:
    s = search(extract=NUMBER)
    node = add(s, ["no", "thing"], logprob=[-1.0, -1.0])
    hint = add(s, ["#### 7"], parent=node, origin=Origin.INSERTED)
    silent, foreign = run(s.score([node, hint], "answer_confidence"))
    assert silent == 0.0 and math.isnan(foreign)
    with pytest.raises(UsageError, match="log-probabilities"):
        run(s.score([add(s, ["#### 7"])], "answer_confidence"))


def test_there_is_no_answer_in_thinking_that_the_template_opened() -> None:
    toy = letters()
    render = toy.render

    def opened(messages: Sequence[Message]) -> Context:
        context = render(messages)
        return replace(context, prompt=f"{context.prompt}<think>\n")

    toy.render = opened  # type: ignore[method-assign]
    s = search(toy, extract=NUMBER)
    cut = add(s, ["so ", "12"], logprob=[-0.1, -0.1])
    whole = add(s, ["13?", "</think>", " 12"], logprob=[-0.1, -0.1, math.log(0.5)])
    assert run(s.score([cut, whole], "answer_confidence")) == pytest.approx([0.0, 0.5])


def test_vote_share_counts_among_the_scored_nodes() -> None:
    s = search(extract=identity)
    nodes = [add(s, [text]) for text in ("x", "y", " x", " ", "x ")]
    assert run(s.score(nodes, "vote_share")) == pytest.approx([0.6, 0.2, 0.6, 0.0, 0.6])


def test_length_prefers_short_or_long() -> None:
    s = search()
    first = add(s, ["a", "b"])
    nodes = [first, add(s, ["c"], parent=first)]
    assert run(s.score(nodes, "length")) == [-2.0, -3.0]
    assert run(s.score(nodes, "length?prefer=long")) == [2.0, 3.0]
    with pytest.raises(UsageError, match="short or long"):
        run(s.score(nodes, "length?prefer=medium"))


def test_random_depends_on_the_place_in_the_tree_alone() -> None:
    def scores(model_letters: dict[str, float], spec: str = "random") -> list[float]:
        s = search(letters(model_letters))
        return run(s.score(run(s.extend(s.root, 50)), spec))

    same = scores({"a": 0.5, "b": 0.5})
    assert same == scores({"a": 0.9, "b": 0.1}) and same != scores({"a": 0.5, "b": 0.5}, "random?seed=1")
    assert len(set(same)) == 50 and 0.3 < sum(same) / 50 < 0.7


@pytest.mark.parametrize(
    "spec",
    ["answer_confidence", "vote_share", "length", "length?prefer=long", "random?seed=3", "verifier", "step_verifier"],
)
def test_conformance(spec: str) -> None:
    check_scorer(spec)
