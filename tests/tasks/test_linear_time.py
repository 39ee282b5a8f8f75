"""Reading an answer takes time in proportion to the text, whatever a model writes."""

import random
import time
from collections.abc import Callable

import pytest

from clew.scorers.answers import answer_span
from clew.tasks import load_problems
from clew.tasks.answers import KINDS, as_canonical, extract, extract_or_unknown, extractor, grade, stated

PIECES = " |1,|(|$|**|answer |the answer is |=|\\frac|\\boxed{|\\(|1/|½|: |I "
HEADS = ("the total", "the answer is", r"\boxed{1")
READERS: dict[str, Callable[[str], str | None]] = {
    **{kind: extractor(kind) for kind in KINDS},
    "choice of four": lambda text: extract(text, "choice", choices=("Paris", "Rome", "Oslo", "Bern")),
    "unknown": extract_or_unknown(extractor("number")),
    **{
        task: load_problems(task, count=1)[0].extract
        for task in ("countdown", "words", "json", "sort", "sudoku4", "puzzle:hanoi")
    },
}
SHORT, LONG = 2_500, 20_000  # answers are sought in the last 20,000 characters


def seconds(read: Callable[[str], object], text: str) -> float:
    begun = time.process_time()
    read(text)
    return time.process_time() - begun


@pytest.mark.parametrize("name", READERS)
def test_eight_times_the_text_takes_no_more_than_a_few_times_eight(name: str) -> None:
    read = READERS[name]
    read("warm")
    for piece in PIECES.split("|"):
        for head in HEADS:
            texts = [head + piece * (size // len(piece)) + "is!" for size in (SHORT, LONG)]
            short, long = (seconds(read, text) for text in texts)
            # Quadratic would be 64 times. A short text that takes next to nothing says little: 10 ms are its least.
            assert long < 30 * max(short, 0.01), f"{head!r} + {piece!r}…: {short:.3f} s, {long:.3f} s"


@pytest.mark.parametrize("name", READERS)
@pytest.mark.timeout(60)
def test_a_megabyte_is_read(name: str) -> None:
    for piece in (" ", "(", r"\(", "answer is "):
        READERS[name]("the total" + piece * (1_000_000 // len(piece)) + "is!")


MORE = (
    r"\)|\[|\]|{|}|$$|\text{|\sqrt[|^{|_{|\pi|\cup|,|;|.|:|-|**Answer**|####|<think>|</think>|<answer>|</answer>|%|°|$5|<|≤|√|×"
    "|A|(B)|I|and|or|not|option|because|12|1,000|3½|x²|10^3|2516_7|2:30|1e5|abc|Neither|unknown|\n"
)
TOKENS = (*PIECES.split("|"), *MORE.split("|"))
ENTRIES: dict[str, Callable[[str], object]] = {
    **READERS,
    **{f"as_canonical {kind}": lambda text, kind=kind: as_canonical(text, kind) for kind in KINDS},  # type: ignore[misc]
    **{f"grade {kind}": lambda text, kind=kind: grade(text, text + "1", kind) for kind in KINDS},  # type: ignore[misc]
    "stated": stated,
    "answer_span": lambda text: answer_span(text, extractor("math")),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_any_mixture_of_what_is_looked_for_grows_no_faster_than_the_text(name: str) -> None:
    entry, draw = ENTRIES[name], random.Random(name)
    for few in (1, 2, 5, len(TOKENS)):
        some = draw.sample(TOKENS, few)
        glue = draw.choice(["", " "])
        words = [draw.choice(some) for _ in range(LONG)]
        long = glue.join(words)[:LONG]
        short = long[: LONG // 4]
        begun = [min(seconds(entry, text) for _ in range(2)) for text in (short, long)]
        # Linear is 4 times, quadratic 16. A text that takes next to nothing says little: 10 ms are the least.
        assert begun[1] < 8 * max(begun[0], 0.01), f"{some!r}: {begun[0]:.3f} s, {begun[1]:.3f} s"
