"""Puzzles whose every step can be checked."""

from clew.tasks.puzzles import blocksworld, colouring, countdown, hanoi, maze, queens, river, sudoku, zebra
from clew.tasks.puzzles.base import Kind, Puzzle

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        blocksworld.KIND,
        colouring.KIND,
        countdown.KIND,
        hanoi.KIND,
        maze.KIND,
        queens.KIND,
        river.KIND,
        sudoku.SMALL,
        sudoku.LARGE,
        zebra.KIND,
    )
}
"""The kinds of puzzles by name; the task of each is `puzzle:NAME`, its scripted player `toy:NAME`."""

__all__ = ["KINDS", "Kind", "Puzzle"]
