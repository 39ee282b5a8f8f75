"""What servers send, read into tokens, and the statistics that a few alternatives allow."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.budget import Budget, Cost
from clew.ledger import Ledger
from clew.models.openai.growth import Growth, statistics
from clew.models.openai.reply import Piece, pieces, spread, text_of
from clew.sampling import Sampling, Until
from clew.tree import Finish


def growth(until: Until | None = None, **more) -> Growth:
    gauge = Ledger(Budget()).open("m", "generate", Cost(), fresh=0, reused=1)
    return Growth(until or Until(limit=99), gauge, **more)


def test_chat_tokens_with_ids_and_alternatives():
    top = [{"id": 2, "token": "b", "logprob": -2.0}, {"id": 1, "token": "a", "logprob": -0.5}]
    entry = {"id": 1, "token": "a", "logprob": -0.5, "top_logprobs": top}
    (piece,) = pieces({"delta": {"content": "a"}, "logprobs": {"content": [entry]}}, "a")
    assert piece == Piece("a", 1, -0.5, [(1, -0.5), (2, -2.0)])


def test_completion_tokens_in_parallel_lists():
    logprobs = {
        "tokens": ["a", "b"],
        "token_logprobs": [None, -1.0],
        "top_logprobs": [None, {"b": -1.0, "c": -0.5}],
    }
    first, second = pieces({"text": "ab", "logprobs": logprobs}, "ab")
    assert math.isnan(first.logprob) and first.text == "a"
    assert second == Piece("b", -1, -1.0, [(-1, -0.5), (-1, -1.0)])


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("ab", ["a", "b"], ["a", "b"]),
        ("a", ["a", "<|im_end|>"], ["a", ""]),
        ("🦉", ["�", "�"], ["", "🦉"]),
        ("", ["�"], [""]),
        (" the", ["the"], [" the"]),
    ],
)
def test_the_text_decides_where_it_disagrees_with_its_tokens(text, tokens, expected):
    content = [{"token": t, "logprob": -1.0} for t in tokens]
    got = pieces({"text": text, "logprobs": {"content": content}}, text)
    assert [p.text for p in got] == expected


def test_ids_without_log_probabilities():
    assert [p.id for p in pieces({"text": "ab", "token_ids": [7, 8]}, "ab")] == [7, 8]


def test_reasoning_is_found_under_both_of_its_names():
    assert text_of({"delta": {"reasoning": "hm", "content": None}}) == ("hm", "")
    assert text_of({"message": {"reasoning_content": "hm", "content": "x"}}) == ("hm", "x")


def test_spread_loses_nothing():
    assert "".join(p.text for p in spread("a longer text", 5)) == "a longer text"
    assert len(spread("ab", 5)) == 5


def test_entropy_and_certainty_from_the_top_alone():
    top = np.log(np.array([[0.5, 0.25], [0.9, np.nan]], np.float32))
    entropy, certainty = statistics(top)
    # 0.5·ln2 + 0.25·ln4, and the remaining 0.25 as one outcome: 0.25·ln4.
    assert entropy[0] == pytest.approx(1.5 * math.log(2), abs=1e-6)
    assert entropy[1] == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1), abs=1e-6)
    # KL(uniform of 2 ‖ p) = -ln 2 - (ln 0.5 + ln 0.25) / 2.
    assert certainty[0] == pytest.approx(-math.log(2) + 1.5 * math.log(2), abs=1e-6)
    assert certainty[1] == pytest.approx(-math.log(0.9), abs=1e-6)
    nothing = statistics(np.zeros((3, 0), np.float32))
    assert all(np.isnan(a).all() and a.shape == (3,) for a in nothing)


def test_the_entropy_of_a_distribution_given_whole_is_exact():
    p = np.array([[0.7, 0.2, 0.1]], np.float32)
    entropy, certainty = statistics(np.log(p))
    assert entropy[0] == pytest.approx(-(p * np.log(p)).sum(), abs=1e-5)
    assert certainty[0] == pytest.approx((np.log(1 / 3) - np.log(p)).mean(), abs=1e-5)


def test_an_echo_is_removed_only_when_it_is_one():
    echoing = growth(echo="So far")
    echoing.feed([Piece("So "), Piece("far, so"), Piece(" good")])
    echoing.ended("stop", None)
    assert echoing.segment(Sampling()).text == ", so good"
    assert echoing.gauge.generated == 2
    silent = growth(echo="So far")
    silent.feed([Piece("So "), Piece("it goes")])
    silent.ended("stop", None)
    assert silent.segment(Sampling()).text == "So it goes"
    short = growth(echo="So far")
    short.feed([Piece("So ")])
    short.ended("stop", None)
    assert short.segment(Sampling()).text == "So "


def test_a_delimiter_across_tokens_ends_the_step_with_its_last_token_whole():
    grown = growth(Until(delimiters=("\n\n",), limit=99))
    grown.feed([Piece("a"), Piece(".\n"), Piece("\nSo"), Piece(" b")])
    segment = grown.segment(Sampling())
    assert (segment.text, segment.finish, len(segment)) == ("a.\n\nSo", Finish.STEP, 3)
    assert segment.offsets.tolist() == [0, 1, 3]


def test_a_second_attempt_is_charged_only_beyond_the_first():
    grown = growth()
    grown.restart()
    grown.feed([Piece("a"), Piece("b")])
    grown.restart()
    grown.feed([Piece("a"), Piece("b"), Piece("c")])
    grown.ended("stop", 4)
    assert grown.gauge.generated == 4
    assert len(grown.segment(Sampling())) == 4


def test_giving_up_in_a_second_attempt_keeps_the_longer_of_the_two():
    grown = growth()
    grown.feed([Piece("a"), Piece("b")])
    grown.restart()
    grown.feed([Piece("a")])
    assert grown.segment(Sampling(), Finish.CANCELLED).text == "ab"
