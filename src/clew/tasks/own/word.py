"""The task `word`: word problems of one to four calculations, put together from templates; every premise is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.registry import task
from clew.tasks.base import Draws, Generated, Item
from clew.tasks.lexicon import BOXES, NAMES, THINGS, WARES


@dataclass(frozen=True, slots=True)
class _Piece:
    """A premise and the calculation that uses it.

    text: the premise, {k} its number. op: `+ - * /` from the value before it, `from` for k - value, `both` for the sum
    of the value and value + k. says: the worked line, {calc} the calculation. low, high: where k lies.
    """

    text: str
    op: str
    says: str
    low: int
    high: int
    ask: str = ""


@dataclass(frozen=True, slots=True)
class _Story:
    """openings: (text with {a} and perhaps {b}, worked line). ask: the question that adds no calculation."""

    openings: Sequence[tuple[str, str]]
    events: Sequence[_Piece]
    closings: Sequence[_Piece]
    ask: str


_HAS, _MHAS = "{N} has {calc} {things}.", "{M} has {calc} {things}."
_STORIES = (
    _Story(
        (
            ("{N} has {a} {things}.", ""),
            ("{N} collects {a} {things}.", ""),
            ("{N} has {a} {boxes} with {b} {things} in each.", _HAS),
            ("{N} fills {a} {boxes} and puts {b} {things} into each.", _HAS),
        ),
        (
            _Piece("{M} gives {N} {k} more {things}.", "+", _HAS, 3, 20),
            _Piece("{N} buys {k} more {things}.", "+", _HAS, 3, 20),
            _Piece("Then {N} finds {k} more {things}.", "+", _HAS, 3, 20),
            _Piece("{N} gives {k} of the {things} to {M}.", "-", _HAS, 2, 20),
            _Piece("{N} loses {k} {things}.", "-", _HAS, 2, 15),
            _Piece("Then {N} sells {k} {things}.", "-", _HAS, 2, 20),
        ),
        (
            _Piece(
                "{N} shares them equally among {k} friends.",
                "/",
                "Each friend gets {calc} {things}.",
                2,
                9,
                "How many {things} does each friend get?",
            ),
            _Piece(
                "{N} packs them into {k} {boxes2}, the same number in each.",
                "/",
                "Each has {calc} {things}.",
                2,
                9,
                "How many {things} are in each?",
            ),
            _Piece(
                "{N} sells all of them for {k} dollars each.",
                "*",
                "{N} gets {calc} dollars.",
                2,
                6,
                "How many dollars does {N} get?",
            ),
            _Piece("{M} has {k} more {things} than {N}.", "+", _MHAS, 3, 20, "How many {things} does {M} have?"),
            _Piece("{M} has {k} fewer {things} than {N}.", "-", _MHAS, 2, 15, "How many {things} does {M} have?"),
            _Piece("{M} has {k} times as many {things} as {N}.", "*", _MHAS, 2, 5, "How many {things} does {M} have?"),
            _Piece(
                "{M} has {k} more {things} than {N}.",
                "both",
                _MHAS,
                2,
                15,
                "How many {things} do they have together?",
            ),
        ),
        "How many {things} does {N} have now?",
    ),
    _Story(
        (("{N} buys {a} {things} for {b} dollars each.", "{N} spends {calc} dollars."),),
        (
            _Piece("{N} also buys a {ware} for {k} dollars.", "+", "{N} spends {calc} dollars.", 3, 20),
            _Piece("A coupon takes {k} dollars off.", "-", "{N} spends {calc} dollars.", 2, 9),
            _Piece("The delivery costs {k} dollars more.", "+", "{N} spends {calc} dollars.", 2, 9),
        ),
        (
            _Piece(
                "{N} pays with {k} dollars.",
                "from",
                "{N} gets {calc} dollars back.",
                20,
                200,
                "How many dollars does {N} get back?",
            ),
            _Piece(
                "{N} and {M} share the cost with their friends, {k} people in all.",
                "/",
                "Each pays {calc} dollars.",
                3,
                6,
                "How many dollars does each of them pay?",
            ),
        ),
        "How many dollars does {N} spend?",
    ),
    _Story(
        (
            ("{N} reads {b} pages a day for {a} days.", "{N} reads {calc} pages."),
            ("{N} reads {a} chapters of {b} pages each.", "{N} reads {calc} pages."),
        ),
        (
            _Piece("Then {N} reads {k} more pages.", "+", "{N} reads {calc} pages.", 3, 20),
            _Piece("On Sunday {N} reads another {k} pages.", "+", "{N} reads {calc} pages.", 3, 20),
        ),
        (
            _Piece(
                "The book has {k} pages.", "from", "There are {calc} pages left.", 30, 200, "How many pages are left?"
            ),
            _Piece(
                "{M} reads {k} times as many pages as {N}.",
                "*",
                "{M} reads {calc} pages.",
                2,
                4,
                "How many pages does {M} read?",
            ),
        ),
        "How many pages does {N} read?",
    ),
    _Story(
        (("{N} earns {b} dollars an hour and works {a} hours.", "{N} earns {calc} dollars."),),
        (
            _Piece("{M} gives {N} {k} dollars more.", "+", "{N} has {calc} dollars.", 3, 20),
            _Piece("{N} spends {k} dollars on a {ware}.", "-", "{N} has {calc} dollars.", 3, 20),
        ),
        (
            _Piece(
                "A bicycle costs {k} dollars.",
                "from",
                "{N} needs {calc} more dollars.",
                60,
                250,
                "How many more dollars does {N} need to buy it?",
            ),
            _Piece(
                "{N} does the same every week for {k} weeks.",
                "*",
                "{N} has {calc} dollars.",
                2,
                5,
                "How many dollars does {N} have after these weeks?",
            ),
        ),
        "How many dollars does {N} have?",
    ),
)
_WEIGHTS = (0, 0, 0, 1, 2, 3)  # the first story has the most pieces


@dataclass(slots=True)
class _Outline:
    opening: tuple[str, str]
    pieces: list[_Piece]
    closed: bool  # whether the last piece is a closing
    ask: str
    words: dict[str, str]


def _steps(piece: _Piece) -> int:
    return 2 if piece.op == "both" else 1


def _outline(draws: Draws, level: int) -> _Outline:
    """The story without its numbers: an opening, events and a closing that take `level` calculations together."""
    rng = draws.words
    while True:
        story = _STORIES[_WEIGHTS[int(rng.integers(len(_WEIGHTS)))]]
        opening = story.openings[int(rng.integers(len(story.openings)))]
        left = level - bool(opening[1])
        closing = story.closings[int(rng.integers(len(story.closings)))] if rng.random() < 0.6 else None
        left -= _steps(closing) if closing else 0
        if left < 0 or left > len(story.events):
            continue
        pieces = [story.events[i] for i in rng.permutation(len(story.events))[:left]]
        person, other = draws.some(NAMES, 2)
        box, box2 = draws.some(BOXES, 2)
        words = {"N": person, "M": other, "things": draws.word(THINGS), "boxes": box, "boxes2": box2}
        words["ware"] = draws.word(WARES)
        ask = closing.ask if closing else story.ask
        return _Outline(opening, [*pieces, closing] if closing else pieces, closing is not None, ask, words)


def _operand(piece: _Piece, value: int, draws: Draws) -> int | None:
    """A number for this premise that keeps everything whole and above zero; None where there is none."""
    if piece.op == "/":
        fits = [k for k in range(piece.low, piece.high + 1) if value % k == 0 and value // k > 1]
        return fits[draws.number(0, len(fits) - 1)] if fits else None
    low, high = piece.low, piece.high
    if piece.op == "-":
        high = min(high, value - 1)
    if piece.op == "from":
        low, high = max(low, value + 2), min(high, value + 60)
    return draws.number(low, high) if low <= high else None


def _apply(piece: _Piece, value: int, k: int) -> tuple[int, str]:
    if piece.op == "from":
        return k - value, f"{k} - {value}"
    if piece.op == "/":
        return value // k, f"{value} / {k}"
    result = {"+": value + k, "-": value - k, "*": value * k, "both": value + k}[piece.op]
    return result, f"{value} {'+' if piece.op == 'both' else piece.op} {k}"


def _told(outline: _Outline, draws: Draws) -> Item | None:
    """The story with numbers; None where the numbers drawn do not work out."""
    text, says = outline.opening
    a, b = (draws.number(2, 9), draws.number(2, 12)) if says else (draws.number(5, 40), 0)
    value = a * b if says else a
    premises = [text.format(**outline.words, a=a, b=b)]
    lines = [says.format(**outline.words, calc=f"{a} * {b} = {value}")] if says else []
    for piece in outline.pieces:
        k = _operand(piece, value, draws)
        if k is None:
            return None
        premises.append(piece.text.format(**outline.words, k=k))
        before = value
        value, calculation = _apply(piece, value, k)
        lines.append(piece.says.format(**outline.words, calc=f"{calculation} = {value}"))
        if piece.op == "both":
            lines.append(
                "Together they have {} + {} = {} {things}.".format(before, value, before + value, **outline.words)
            )
            value += before
    if value > 999:
        return None
    question = " ".join([*premises, outline.ask.format(**outline.words)])
    used = [n for n in (outline.words["N"], outline.words["M"]) if n in question]
    renames = dict.fromkeys(used, "names")
    if outline.words["things"] in question:
        renames[outline.words["things"]] = "things"
    # Without one of the events the question has another answer; without one of these it has none.
    needed = (premises[0], premises[-1]) if outline.closed else (premises[0],)
    return Item(
        question,
        "\n".join([*lines, f"#### {value}"]),
        str(value),
        meta={"needed": needed, "renames": renames},
    )


def _make(draws: Draws, level: int) -> Item:
    while True:
        outline = _outline(draws, level)
        for _ in range(40):
            item = _told(outline, draws)
            if item is not None:
                return item


@task("word", family="mathematics", dial="calculations, 1 to 4", grader="number", verifier="")
def word() -> Generated:
    """Word problems of one to four calculations."""
    return Generated("word", _make, (1, 2, 3, 4), 1, "number of calculations", renumbers=True)
