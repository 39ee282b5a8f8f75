"""Sudoku with one solution: one digit a line (`puzzle:sudoku4` and `9`), or all blanks in order (`sudoku4`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import ClassVar, Self

from clew.registry import task
from clew.tasks.answers import stated, visible
from clew.tasks.base import Draws, Generated, Item
from clew.tasks.puzzles.base import Puzzle, PuzzleFamily
from clew.tasks.puzzles.sat import Assignments

Board = tuple[int, ...]
"""The cells by rows; 0 is blank."""


@cache
def _units(block: int) -> tuple[tuple[int, ...], ...]:
    """The cells of each row, column and block."""
    size = block * block
    rows = [tuple(r * size + c for c in range(size)) for r in range(size)]
    columns = [tuple(r * size + c for r in range(size)) for c in range(size)]
    blocks = [
        tuple((top + r) * size + left + c for r, c in product(range(block), repeat=2))
        for top, left in product(range(0, size, block), repeat=2)
    ]
    return (*rows, *columns, *blocks)


@cache
def _peers(block: int) -> tuple[frozenset[int], ...]:
    """For each cell those that may not have its digit."""
    return tuple(
        frozenset(c for unit in _units(block) if cell in unit for c in unit if c != cell) for cell in range(block**4)
    )


@cache
def _rules(block: int) -> Assignments:
    """The rules as clauses over facts (cell, digit). All puzzles of a size share the solver and what it has learnt."""
    rules, digits = Assignments(), range(1, block * block + 1)
    for cell in range(block**4):
        rules.exactly_one([(cell, d) for d in digits])
    for unit, digit in product(_units(block), digits):
        rules.exactly_one([(cell, digit) for cell in unit])
    return rules


def _facts(board: Sequence[int]) -> list[tuple[int, int]]:
    return [(cell, digit) for cell, digit in enumerate(board) if digit]


@dataclass
class Sudoku(Puzzle[Board]):
    """A board of block² × block² cells."""

    shape = re.compile(r"\br([1-9]) ?c([1-9]) ?= ?([1-9])\b", re.IGNORECASE)
    ordered = False
    block: ClassVar[int]

    given: Board

    @classmethod
    def make(cls, draws: Draws, level: int) -> Self:
        size, rules = cls.block**2, _rules(cls.block)
        while True:
            board, blanks = list(_full(cls.block, draws)), 0
            for cell in draws.numbers.permutation(size * size).tolist():
                digit, board[cell] = board[cell], 0
                if rules.possible(_facts(board), without=[(cell, digit)]):
                    board[cell] = digit
                else:
                    blanks += 1
                if blanks == level:
                    return cls(tuple(board))

    @classmethod
    def read(cls, question: str) -> Self | None:
        size = cls.block**2
        rows = re.findall(rf"^(?:[_\d] ){{{size - 1}}}[_\d]$", question, re.MULTILINE)
        if len(rows) != size:
            return None
        return cls(tuple(0 if c == "_" else int(c) for row in rows for c in row.split()))

    @property
    def question(self) -> str:
        size, block = self.block**2, self.block
        rows = [self.given[i : i + size] for i in range(0, size * size, size)]
        return (
            f"Fill the blanks so that every row, column and {block}x{block} block has 1 to {size}. Write one digit a "
            "line, as `r1 c2 = 3`.\n" + "\n".join(" ".join(str(d or "_") for d in row) for row in rows)
        )

    @property
    def start(self) -> Board:
        return self.given

    @property
    def limit(self) -> int:
        return self.given.count(0)

    def spelled(self, match: re.Match[str]) -> str:
        return "r{} c{} = {}".format(*match.groups())

    def _move(self, cell: int, digit: int) -> str:
        row, column = divmod(cell, self.block**2)
        return f"r{row + 1} c{column + 1} = {digit}"

    def after(self, state: Board, move: str) -> Board | None:
        size = self.block**2
        row, column, digit = (int(n) for n in re.findall(r"\d", move))
        if max(row, column, digit) > size:
            return None
        cell = (row - 1) * size + column - 1
        if state[cell] or any(state[peer] == digit for peer in _peers(self.block)[cell]):
            return None
        return (*state[:cell], digit, *state[cell + 1 :])

    def _blank(self, state: Board) -> list[tuple[str, bool]]:
        """For the first blank: each move, and whether it is legal."""
        cells = [cell for cell, digit in enumerate(state) if not digit][:1]
        moves = [self._move(cell, digit) for cell in cells for digit in range(1, self.block**2 + 1)]
        return [(move, self.after(state, move) is not None) for move in moves]

    def legal_moves(self, state: Board) -> Sequence[str]:
        """The digits for the first blank."""
        return [move for move, legal in self._blank(state) if legal]

    def mistakes(self, state: Board) -> Sequence[str]:
        return [move for move, legal in self._blank(state) if not legal]

    def measure(self, state: Board) -> int | None:
        return state.count(0) if _rules(self.block).possible(_facts(state)) else None


def _full(block: int, draws: Draws) -> Board:
    """A full board: one pattern with its digits, rows, columns, bands and stacks permuted."""
    size, rng = block * block, draws.numbers

    def lines() -> list[int]:
        return [int(band) * block + int(i) for band in rng.permutation(block) for i in rng.permutation(block)]

    rows, columns, digits = lines(), lines(), rng.permutation(size)
    return tuple(int(digits[(block * (r % block) + r // block + c) % size]) + 1 for r in rows for c in columns)


class Sudoku4(Sudoku):
    """4 × 4."""

    block = 2


class Sudoku9(Sudoku):
    """9 × 9."""

    block = 3


SMALL = PuzzleFamily("sudoku4", Sudoku4, range(4, 11), 8, "number of blanks", max_tokens=128)
LARGE = PuzzleFamily("sudoku9", Sudoku9, range(10, 51), 30, "number of blanks", max_tokens=640)


@task("puzzle:sudoku4", family="puzzles", dial="blanks, 4 to 10", grader="the simulator", verifier="the simulator")
def sudoku4_steps() -> Generated:
    """Sudoku on a 4 x 4 board with one solution, one checked digit a line (the whole board at once: sudoku4)."""
    return SMALL.task()


@task("puzzle:sudoku9", family="puzzles", dial="blanks, 10 to 50", grader="the simulator", verifier="the simulator")
def sudoku9_steps() -> Generated:
    """Sudoku on a 9 x 9 board with one solution, one checked digit a line."""
    return LARGE.task()


# --- the whole board at once, 4 × 4: small enough that every full board is listed -----------------------------------


@cache
def boards() -> tuple[Board, ...]:
    """All 288 full boards."""
    return tuple(_filled((0,) * 16))


def _filled(board: Board) -> Iterator[Board]:
    if 0 not in board:
        yield board
        return
    cell = board.index(0)
    for digit in {1, 2, 3, 4} - {board[p] for p in _peers(2)[cell]}:
        yield from _filled((*board[:cell], digit, *board[cell + 1 :]))


def solutions(board: Board) -> list[Board]:
    """Every full board that agrees with `board`."""
    return list(_filled(board))


def valid(board: Board) -> bool:
    """Whether no digit stands twice in a row, a column or a block."""
    return all(not d or all(board[p] != d for p in _peers(2)[cell]) for cell, d in enumerate(board))


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


def _make_whole(draws: Draws, level: int) -> Item:
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
    """Sudoku on a 4 x 4 board with one solution, the board as one answer (digit by digit: puzzle:sudoku4)."""
    return Generated("sudoku4", _make_whole, range(1, 11), 1, "number of blanks", shots=4, max_tokens=48)
