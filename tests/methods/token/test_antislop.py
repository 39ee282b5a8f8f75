"""Antislop: what is banned never stays, what is not stays as it was, and the statistics say what was undone."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.errors import UsageError
from clew.methods.common.patterns import Occurrence, Patterns, read
from clew.methods.sample.single import greedy
from clew.methods.token.antislop import antislop, undone
from clew.models.toy import ToyModel
from clew.problem import Answer
from clew.sampling import Sampling
from clew.search import Search
from clew.testing import check_method
from clew.testing.toys import problem, run
from clew.testing.toys.talkers import talker

WORDS = (" the", " cat", " dog", "ion", " is", " a", " testament", " to", " rich", " tapestry", ".")


def writer(length: int = 40) -> ToyModel:
    """Any word after any other, for `length` words."""

    def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
        done = len(ids) >= length
        last = ids[-1] if ids else 0
        return [0.0 if done else 1.0 + (i * 7 + last * 3) % 5 for i in range(len(WORDS))] + [float(done)]

    return ToyModel(list(WORDS), source)


def wrote(seed: int = 0, model: ToyModel | None = None, **params: object) -> tuple[Answer, Search]:
    search = Search(problem(), {"generate": model or writer()}, seed=seed, sampling=Sampling(temperature=1.0))
    answer = run(antislop(search, **params))  # type: ignore[arg-type]
    return answer, search


BANNED = ["cat", "a testament to", "rich tapestry", "THE DOG", "is."]


def test_a_banned_phrase_never_stays_and_everything_else_is_possible() -> None:
    texts = [wrote(seed, patterns=BANNED)[0].text for seed in range(40)]
    for text in texts:
        assert Patterns(BANNED).first(text) is None
        assert len(text.split()) > 10
    together = " ".join(texts)
    assert all(w in together for w in ("cation", " testament", " tapestry", " the", " dog", " is"))
    unbanned = " ".join(wrote(seed)[0].text for seed in range(150))
    assert all(Patterns([b]).first(unbanned) for b in BANNED)


def test_regular_expressions_are_undone_too() -> None:
    regexes = [r"(?i)\bthe\b[^.]{1,20}\bis\b", r"dog( dog)+"]
    for seed in range(25):
        answer, _ = wrote(seed, regexes=regexes)
        assert not any(re.search(r, answer.text) for r in regexes)


def test_a_text_without_matches_is_the_same_token_for_token() -> None:
    for seed in range(10):
        plain, one = wrote(seed)
        guarded, other = wrote(seed, patterns=["unheard of"], regexes=["never said"])
        assert plain.text == guarded.text and not undone(other.tree)
        assert [n.segment.token_ids.tolist() for n in one.tree.nodes] == [
            n.segment.token_ids.tolist() for n in other.tree.nodes
        ]


def test_greedy_is_greedy_where_nothing_is_banned() -> None:
    search = Search(problem(), {"generate": writer()})
    assert wrote(temperature=0.0, patterns=["unheard"])[0].text == run(greedy(search)).text


def test_the_statistics_say_what_was_undone() -> None:
    answer, search = wrote(3, patterns=BANNED)
    assert answer.node is not None
    counts = undone(search.tree)
    assert set(counts) <= set(BANNED) and sum(counts.values()) == answer.node.scores["antislop_rewinds"] > 0
    generated = search.ledger.usage.total.generated
    assert generated == answer.node.tokens + answer.node.scores["antislop_tokens"]


def test_banning_a_token_renormalises_the_others() -> None:
    model = ToyModel(["a ", "b ", "c "], lambda _, ids, __: [5, 3, 2, 0] if len(ids) < 6 else [0, 0, 0, 1])
    drawn = Counter("".join(wrote(seed, model, patterns=["b"])[0].text.split()) for seed in range(1500))
    letters = Counter("".join(text * count for text, count in drawn.items()))
    total = sum(letters.values())
    assert set(letters) == {"a", "c"} and total == 6 * 1500
    assert abs(letters["a"] / total - 5 / 7) < 4.5 * (5 / 7 * 2 / 7 / total) ** 0.5


def test_a_soft_ban_lets_through_what_is_drawn_again() -> None:
    model = ToyModel(["a ", "b "], lambda _, ids, __: [1, 1, 0] if not ids else [0, 0, 1])
    strength = 0.05
    runs = 3000
    kept = sum(wrote(seed, model, patterns=["b"], strength=strength)[0].text == "b " for seed in range(runs)) / runs
    factor = 10 ** (-10 * strength)
    expected = 0.5 * factor / (1 + factor)
    assert abs(kept - expected) < 4.5 * (expected * (1 - expected) / runs) ** 0.5


def test_where_nothing_else_can_follow_the_token_before_is_undone() -> None:
    # After x only y may follow, and "x y" is banned: x itself must go.
    table = {(): [1, 0, 1, 0], (0,): [0, 1, 0, 0], (2,): [0, 0, 0, 1], (0, 1): [0, 0, 0, 1]}
    model = ToyModel(["x ", "y ", "z "], lambda _, ids, __: table[ids])
    assert {wrote(seed, model, patterns=["x y"])[0].text for seed in range(20)} == {"z "}


def test_when_everything_is_banned_the_text_is_cut_and_nothing_hangs() -> None:
    model = ToyModel(["x ", "y "], lambda _, ids, __: [1, 1, 0] if len(ids) < 8 else [0, 0, 1])
    answer, _ = wrote(0, model, patterns=["x", "y"])
    assert answer.value is None
    answer, _ = wrote(0, writer(), patterns=BANNED, limit=1)
    assert answer.node is not None and Patterns(BANNED).first(answer.text, ended=True) is None


def test_a_stop_string_across_chunks_ends_the_text() -> None:
    model = ToyModel(["a", "b", "c"], lambda _, ids, __: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]][len(ids) % 3])
    search = Search(problem(stop=("cab",)), {"generate": model}, seed=0)
    # The first chunk is of four tokens, "abca", and ends within the stop string.
    assert run(antislop(search, patterns=["zz"])).text == "ab"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("ab C_", min_size=1, max_size=5), min_size=1, max_size=6),
    st.text("abc _", max_size=40),
)
def test_the_automaton_finds_what_a_scan_finds(patterns: list[str], text: str) -> None:
    def joined(at: int) -> bool:
        return 0 < at < len(text) and all(c.isalnum() or c == "_" for c in text[at - 1 : at + 1])

    found = [
        Occurrence(at, at + len(p), p)
        for p in patterns
        for at in range(len(text) - len(p) + 1)
        if text[at : at + len(p)].lower() == p.lower() and not joined(at) and not joined(at + len(p))
    ]
    first = Patterns(patterns).first(text)
    expected = min(found, key=lambda m: (m.start, -m.end), default=None)
    assert (first and (first.start, first.end)) == (expected and (expected.start, expected.end))


def test_thousands_of_patterns_are_one_automaton() -> None:
    rng = np.random.default_rng(0)
    many = ["".join(rng.choice(list("abcdefgh"), 12)) for _ in range(8000)]
    text = " ".join(rng.choice(["wonder", "light", "sea"], 400)) + f" {many[4321].upper()} and so on"
    match = Patterns(many).first(text)
    assert match is not None and match.pattern == many[4321]


def test_a_word_is_not_judged_before_it_has_ended() -> None:
    patterns = Patterns(["cat"])
    assert patterns.first("a cat", ended=False) is None
    assert patterns.first("a cation", old=5, ended=True) is None
    assert patterns.first("a cat.", old=5, ended=False) == Occurrence(2, 5, "cat")
    assert Patterns(["İç"]).first("x İÇ y") is not None


def test_patterns_come_from_files(tmp_path: Path) -> None:
    lines, listed = tmp_path / "slop.txt", tmp_path / "slop.json"
    lines.write_text("delve\n\ntapestry\n")
    listed.write_text(json.dumps([["delve"], "tapestry"]))
    assert list(read(str(lines))) == list(read(str(listed))) == ["delve", "tapestry"]


@pytest.mark.parametrize(
    "params",
    [{"patterns": [""]}, {"regexes": ["("]}, {"regexes": [r"(a)\1"]}, {"patterns": "/no/such"}],
)
def test_nonsense_is_refused(params: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        wrote(**params)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", ['antislop?patterns=["7","so"]', 'antislop?patterns=["1","2"]&n=3&strength=0.1'])
def test_conformance(spec: str) -> None:
    # The toy solver cannot do without a 7; this one can.
    check_method(spec, knows=lambda: talker(lambda messages, text: "#### 45", "#45 "))
