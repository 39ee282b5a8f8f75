"""Tasks pose problems and grade answers. `load_problems` turns a spec into problems; `answers` reads solutions."""

from clew.tasks import arithmetic, countdown, language, sudoku, word
from clew.tasks.base import Draws, Generated, Item, Task
from clew.tasks.load import load_problems, load_task

__all__ = [
    "Draws",
    "Generated",
    "Item",
    "Task",
    "arithmetic",
    "countdown",
    "language",
    "load_problems",
    "load_task",
    "sudoku",
    "word",
]
