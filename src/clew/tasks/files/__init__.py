"""Problems out of data files. The shapes of well-known data sets are recognised by their fields."""

from clew.tasks.files.options import asked
from clew.tasks.files.problems import File, read_file, stored_problem
from clew.tasks.files.questions import read_questions
from clew.tasks.files.rows import FORMATS, format_of
from clew.tasks.files.shapes import NAMES, ROLES

__all__ = ["FORMATS", "NAMES", "ROLES", "File", "asked", "format_of", "read_file", "read_questions", "stored_problem"]
