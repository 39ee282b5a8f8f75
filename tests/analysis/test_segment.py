"""Sentences, steps and thoughts."""

from __future__ import annotations

import time

import pytest

from clew.analysis.agreement import MatchCounts
from clew.analysis.segment import Span, sentences, steps, switches, thoughts
from support.marks import LEVELS, boundaries, excerpts


def said(text: str, spans: list[Span]) -> list[str]:
    return [s.of(text) for s in spans]


@pytest.mark.parametrize("name", ["dev", "held"])
@pytest.mark.parametrize(
    ("level", "precision", "recall"), [("sentences", 0.85, 0.97), ("steps", 0.9, 0.9), ("thoughts", 0.9, 0.9)]
)
def test_boundaries_are_where_a_reader_put_them(name: str, level: str, precision: float, recall: float) -> None:
    total = sum((boundaries(e, level) for e in excerpts(name)), MatchCounts())
    assert total.precision >= precision
    assert total.recall >= recall


def test_the_marked_set_is_as_varied_as_claimed() -> None:
    marked = excerpts("dev") + excerpts("held")
    assert len(marked) >= 30
    assert len({e.kind for e in marked}) >= 10


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_a_partition(level: str) -> None:
    for e in excerpts("dev") + excerpts("held"):
        spans = LEVELS[level](e.text)
        assert "".join(e.text[s.start : s.end] for s in spans) == e.text
        assert all(s.of(e.text) for s in spans)


def test_coarser_levels_keep_the_boundaries_of_finer_ones() -> None:
    for e in excerpts("dev") + excerpts("held"):
        fine, middle, coarse = ({s.start for s in level(e.text)} for level in (sentences, steps, thoughts))
        assert coarse <= middle <= fine


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pi is 3.14. Dr. Who agrees, e.g. on 2.5 %.", ["Pi is 3.14.", "Dr. Who agrees, e.g. on 2.5 %."]),
        ("Is it? Yes! Good.", ["Is it?", "Yes!", "Good."]),
        ("So we wait... and then go. Done.", ["So we wait... and then go.", "Done."]),
        ('He said "Stop." Then left.', ['He said "Stop."', "Then left."]),
        ("We call `f. G()` now. Then stop.", ["We call `f. G()` now.", "Then stop."]),
        ("It holds that $a. B$ is odd. So $c$ is.", ["It holds that $a. B$ is odd.", "So $c$ is."]),
        ("Thus\n\\[ x = 1. \\]\nNext, y.", ["Thus\n\\[ x = 1. \\]", "Next, y."]),
        ("Thus\n\n\\[ x = 1 \\]\n\nand so on. End.", ["Thus\n\n\\[ x = 1 \\]\n\nand so on.", "End."]),
        ("```\na. B\n\nc. D\n```\nThat is all.", ["```\na. B\n\nc. D\n```", "That is all."]),
        ("1. One. Two.\n2. Three.", ["1. One.", "Two.", "2. Three."]),
        ("It costs $5. That is $3 less.", ["It costs $5.", "That is $3 less."]),
        ("", []),
        (" \n\n ", []),
        ("So we get x. Then y follows from I. Newton.", ["So we get x.", "Then y follows from I. Newton."]),
        ("no end", ["no end"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert said(text, sentences(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A b. C d.\n\nE f.\nG h.", ["A b. C d.", "E f.\nG h."]),
        ("A b. C d.\nE f.", ["A b. C d.", "E f."]),
        ("A b. C d.", ["A b.", "C d."]),
    ],
)
def test_steps_are_paragraphs_else_lines_else_sentences(text: str, expected: list[str]) -> None:
    assert said(text, steps(text)) == expected


def test_what_a_colon_announces_goes_with_it() -> None:
    text = "We run this:\n\n```\nx\n\ny\n```\n\nIt stops."
    assert said(text, steps(text)) == ["We run this:\n\n```\nx\n\ny\n```", "It stops."]


def test_an_open_code_block_runs_to_the_end() -> None:
    text = "Look.\n\n```python\na = 1. \n\nb = 2. C"
    assert said(text, sentences(text)) == ["Look.", "```python\na = 1. \n\nb = 2. C"]


def test_thought_switches() -> None:
    text = "Take 7. It is odd.\n\nWait, no. That is wrong. Take 8.\n\nAlternatively, take 9. Hmm, it is odd too."
    assert [i for i, new in enumerate(switches(text)) if new] == [2, 5]
    assert len(thoughts(text)) == 3


def test_a_megabyte_is_read_in_seconds() -> None:
    text = "The value of x is 3.5, so we go on. Wait, no.\n" * 20_000
    begun = time.process_time()
    assert len(sentences(text)) == 40_000
    short = time.process_time() - begun
    begun = time.process_time()
    sentences(text * 2)
    assert time.process_time() - begun < 4 * short + 1  # twice the text, not four times the work
