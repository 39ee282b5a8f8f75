"""Conformance suites for methods, scorers, models and tasks, for the tests of clew and of plug-ins.

Each checks the promises that docs/architecture.md lists, and raises AssertionError with the one that is broken.
"""

from clew.testing.methods import check_method
from clew.testing.models import check_model
from clew.testing.scorers import check_scorer
from clew.testing.tasks import check_task

__all__ = ["check_method", "check_model", "check_scorer", "check_task"]
