"""Sudoku on a 4×4 board with one solution."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import product

from clew.registry import task
from clew.tasks.answers import stated, visible
from clew.tasks.base import Draws, Generated, Item

Board = tuple[int, ...]
"""Sixteen cells by rows; 0 is blank."""


@cache
def boards() -> tuple[Board, ...]:
    """All 288 full boards."""
    return tuple(_filled((0,) * 16))


def _peers(cell: int) -> list[int]:
    row, column = divmod(cell, 4)
    return [
        r * 4 + c
        for r, c in product(range(4), range(4))
        if (r, c) != (row, column) and (r == row or c == column or (r // 2, c // 2) == (row // 2, column // 2))
    ]


_PEERS = [_peers(cell) for cell in range(16)]


def _filled(board: Board) -> Iterator[Board]:
    if 0 not in board:
        yield board
        return
    cell = board.index(0)
    for digit in {1, 2, 3, 4} - {board[p] for p in _PEERS[cell]}:
        yield from _filled((*board[:cell], digit, *board[cell + 1 :]))


def solutions(board: Board) -> list[Board]:
    """Every full board that agrees with `board`."""
    return list(_filled(board))


def valid(board: Board) -> bool:
    """Whether no digit stands twice in a row, a column or a block."""
    return all(not d or all(board[p] != d for p in _PEERS[cell]) for cell, d in enumerate(board))


def _rows(board: Board) -> str:
    return "\n".join(" ".join(str(d or "_") for d in board[r : r + 4]) for r in (0, 4, 8, 12))


def _blanks(given: Board) -> Callable[[str], str | None]:
    """Reads the digits of the blanks, in order: stated as such, or out of the last full board in a solution."""
    cells = [i for i, digit in enumerate(given) if not digit]

    def read(text: str) -> str | None:
        shown = visible(text)
        if shown is None:
            return None
        rows = [re.sub(r"\D", "", line) for line in shown[-4000:].splitlines() if re.fullmatch(r"[\s|,1-4]*", line)]
        rows = [row for row in rows if len(row) == 4]
        if len(rows) >= 4:
            board = "".join(rows[-4:])
            return " ".join(board[i] for i in cells)
        digits = re.findall(r"(?<!\d)[1-4](?!\d)", stated(shown) or "")
        return " ".join(digits) if len(digits) == len(cells) else None

    return read


def _make(draws: Draws, level: int) -> Item:
    rng = draws.words
    solved = boards()[int(rng.integers(len(boards())))]
    while True:
        board = list(solved)
        for cell in rng.permutation(16)[:level]:
            board[int(cell)] = 0
        if len(solutions(tuple(board))) == 1:
            break
    given = tuple(board)

    def verify(answer: str) -> float:
        if not re.fullmatch(r"[1-4](?: [1-4])*", answer) or len(answer.split()) != given.count(0):
            return 0.0
        filled = iter(map(int, answer.split()))
        return float(valid(tuple(d or next(filled) for d in given)))

    blanks = " ".join(str(s) for s, g in zip(solved, given, strict=True) if not g)
    question = f"Fill the blanks of this 4x4 sudoku, in order.\n{_rows(given)}"
    return Item(question, blanks, blanks, verify, verify, _blanks(given), {"given": given, "board": _rows(solved)})


@task("sudoku4", family="puzzles", dial="blanks, 1 to 10", grader="the verifier", verifier="rules and given cells")
def sudoku4() -> Generated:
    """Sudoku on a 4 x 4 board with one solution."""
    return Generated("sudoku4", _make, range(1, 11), 1, "number of blanks", shots=4, max_tokens=48)
