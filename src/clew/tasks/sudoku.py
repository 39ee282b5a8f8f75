"""Sudoku on a 4×4 board with one solution."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

from clew.registry import task
from clew.tasks.answers import visible
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


def last_board(text: str) -> str | None:
    """The last four rows of four digits in a solution; None without them."""
    shown = visible(text)
    if shown is None:
        return None
    rows = [re.sub(r"\D", "", line) for line in shown[-4000:].splitlines() if re.fullmatch(r"[\s|,1-4]*", line)]
    rows = [row for row in rows if len(row) == 4]
    return "\n".join(" ".join(row) for row in rows[-4:]) if len(rows) >= 4 else None


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
        cells = tuple(int(d) for d in re.findall(r"[1-4]", answer))
        fits = len(cells) == 16 and all(g in (0, c) for g, c in zip(given, cells, strict=True))
        return float(fits and valid(cells))

    question = f"Fill the blanks so that every row, column and 2x2 block has 1, 2, 3, 4.\n{_rows(given)}"
    answer = _rows(solved)
    return Item(question, answer, answer, verify, verify, last_board, {"given": given})


@task("sudoku4", family="puzzles", dial="blanks, 1 to 10", grader="the verifier", verifier="rules and given cells")
def sudoku4() -> Generated:
    """Sudoku on a 4 x 4 board with one solution."""
    return Generated("sudoku4", _make, range(1, 11), 2, "number of blanks", shots=2, max_tokens=48)
