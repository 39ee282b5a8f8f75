"""Reading an answer takes time in proportion to the text, whatever a model writes."""

import time
from collections.abc import Callable

import pytest

from clew.tasks import load_problems
from clew.tasks.answers import KINDS, extract, extract_or_unknown, extractor

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


def seconds(read: Callable[[str], str | None], text: str) -> float:
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
