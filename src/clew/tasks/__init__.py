"""Tasks pose problems and grade answers. `load_problems` turns a spec into problems; `answers` reads solutions."""

from clew.tasks.base import Draws, Generated, Item, Task
from clew.tasks.load import data_file, described, examples, load_problems, load_task

__all__ = ["Draws", "Generated", "Item", "Task", "data_file", "described", "examples", "load_problems", "load_task"]
