"""The families of puzzles whose every step can be checked, by name."""

from clew.tasks.puzzles import blocksworld, colouring, countdown, hanoi, maze, queens, river, sudoku, zebra
from clew.tasks.puzzles.base import Puzzle, PuzzleFamily

PUZZLES: dict[str, PuzzleFamily] = {
    family.name: family
    for family in (
        blocksworld.FAMILY,
        colouring.FAMILY,
        countdown.FAMILY,
        hanoi.FAMILY,
        maze.FAMILY,
        queens.FAMILY,
        river.FAMILY,
        sudoku.SMALL,
        sudoku.LARGE,
        zebra.FAMILY,
    )
}
"""The families of puzzles by name; the task of each is `puzzle:NAME`, its scripted player `toy:NAME`."""

__all__ = ["PUZZLES", "Puzzle", "PuzzleFamily"]
