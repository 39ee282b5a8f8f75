"""Where an extension ends: within it, and with what began before it."""

from __future__ import annotations

import pytest

from clew.models.ending import Watch
from clew.sampling import Until
from clew.tree import Finish

BLANK = Until(delimiters=("\n\n",))


def ending(until: Until, pieces: list[bytes], *, before: str = "", begun: bytes = b"") -> tuple[Finish | None, int]:
    """Why the extension ends, and with which token; (None, n) after n tokens that do not end it."""
    watch = Watch(until, before=before, begun=begun)
    for i, piece in enumerate(pieces):
        if (finish := watch.take(piece, ends=False, wanted=True)) is not None:
            return finish, i
    return None, len(pieces)


@pytest.mark.parametrize(
    ("before", "pieces", "expected"),
    [
        ("", [b"a\n", b"\nb"], (Finish.STEP, 1)),
        ("so\n", [b"\n", b"c"], (Finish.STEP, 0)),
        ("so", [b"\n", b"c"], (None, 2)),
        ("so\n\n", [b"\n", b"c"], (None, 2)),
        ("so\n\n", [b"\n", b"\n"], (Finish.STEP, 1)),
        ("so\n\n\n", [b"\n", b"c"], (None, 2)),
        ("so\n\nand\n", [b"\n"], (Finish.STEP, 0)),
    ],
)
def test_a_delimiter_may_begin_before_but_takes_up_nothing_twice(
    before: str, pieces: list[bytes], expected: tuple[Finish | None, int]
) -> None:
    assert ending(BLANK, pieces, before=before) == expected


def test_a_delimiter_can_begin_a_stop_string() -> None:
    until = Until(delimiters=("\n\n",), stop=("\n\nQ:",))
    assert ending(until, [b"one", b"\n\n"]) == (Finish.STEP, 1)
    assert ending(until, [b"Q", b":"], before="one\n\n") == (Finish.STOP, 1)


def test_a_stop_string_leaves_of_the_extension_what_stands_before_it() -> None:
    until = Until(stop=("Question:", "!"))
    for before, pieces, kept in (
        ("", [b"so Quest", b"ion: x"], 3),
        ("a Quest", [b"ion: x"], 0),
        ("?", ["ж!".encode()], 1),
    ):
        watch = Watch(until, before=before)
        finishes = [watch.take(p, ends=False, wanted=True) for p in pieces]
        assert finishes[-1] is Finish.STOP and not any(finishes[:-1])
        assert watch.kept == kept


def test_a_character_begun_before_belongs_to_the_extension() -> None:
    whole = "。".encode()
    assert ending(Until(delimiters=("。",)), [whole[2:]], begun=whole[:2]) == (Finish.STEP, 0)
    watch = Watch(Until(stop=("!",)), before="x", begun=whole[:2])
    assert watch.take(whole[2:] + b"!", ends=False, wanted=True) is Finish.STOP
    assert watch.kept == 1


def test_the_end_of_the_text_and_a_stop_string_outweigh_the_end_of_the_budget_and_a_step_does_not() -> None:
    until = Until(delimiters=(".",), stop=("!",))
    assert Watch(until).take(b"", ends=True, wanted=False) is Finish.END
    assert Watch(until).take(b"a!", ends=False, wanted=False) is Finish.STOP
    assert Watch(until).take(b"a.", ends=False, wanted=False) is Finish.CANCELLED


def test_the_context_s_room_is_a_truncation() -> None:
    watch = Watch(Until(max_tokens=2), room=2)
    assert [watch.take(b"a", ends=False, wanted=True) for _ in range(2)] == [None, Finish.LENGTH]


@pytest.mark.parametrize(
    ("count", "ends", "wanted", "finish"),
    [
        (2, True, False, Finish.END),
        (2, False, False, Finish.CANCELLED),
        (2, False, True, Finish.LENGTH),
        (3, False, True, Finish.STEP),
        (5, False, True, Finish.LENGTH),
        (None, False, True, Finish.LENGTH),
    ],
)
def test_where_the_source_stops_by_itself_its_caps_decide_what_the_end_means(
    count: int | None, ends: bool, wanted: bool, finish: Finish
) -> None:
    assert Watch(Until(max_tokens=3, limit=5)).ended(count, ends=ends, wanted=wanted) is finish
