"""The conformance suites: what every method, scorer, model and task must keep. A plugin's tests call them too.

Each raises AssertionError, saying what was not kept.
"""

from clew.testing.methods import check_method
from clew.testing.models import check_model
from clew.testing.scorers import check_scorer
from clew.testing.tasks import check_task

__all__ = ["check_method", "check_model", "check_scorer", "check_task"]
