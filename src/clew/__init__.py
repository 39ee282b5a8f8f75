"""clew: an inference-time reasoning engine for language models.

import clew
result = clew.solve("…", model="smollm2-135m", method="self_consistency", budget=2000)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from clew.budget import Budget, Usage
from clew.errors import BudgetExhausted, ClewError, ModelError, UsageError
from clew.problem import Answer, Message, Problem, Status
from clew.registry import method, model, scorer, task
from clew.result import Result
from clew.sampling import END, GREEDY, STEP, Sampling, Until, tokens
from clew.search import Scorer, Search
from clew.tree import Finish, Node, Origin, Segment, Tree

if TYPE_CHECKING:
    from clew.api import acompare, aresume, asolve, compare, resume, solve
    from clew.models import load
    from clew.plugin_files import load_plugin
    from clew.tasks import load_problems

_LAZY = {
    "solve": "clew.api",
    "asolve": "clew.api",
    "compare": "clew.api",
    "acompare": "clew.api",
    "resume": "clew.api",
    "aresume": "clew.api",
    "load": "clew.models",
    "load_plugin": "clew.plugin_files",
    "load_problems": "clew.tasks",
}

__all__ = [
    "END",
    "GREEDY",
    "STEP",
    "Answer",
    "Budget",
    "BudgetExhausted",
    "ClewError",
    "Finish",
    "Message",
    "ModelError",
    "Node",
    "Origin",
    "Problem",
    "Result",
    "Sampling",
    "Scorer",
    "Search",
    "Segment",
    "Status",
    "Tree",
    "Until",
    "Usage",
    "UsageError",
    "acompare",
    "aresume",
    "asolve",
    "compare",
    "load",
    "load_plugin",
    "load_problems",
    "method",
    "model",
    "resume",
    "scorer",
    "solve",
    "task",
    "tokens",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'clew' has no attribute {name!r}")
