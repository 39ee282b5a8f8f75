"""The run files of `clew solve`: each question is kept in a run file of its own, so that none is lost."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from clew.budget import Budget
from clew.errors import StoreError, UsageError
from clew.models import public
from clew.plan import Plan
from clew.plugin_files import loaded_plugins
from clew.problem import Message, Problem
from clew.result import Result
from clew.sampling import Sampling
from clew.store import QUESTION
from clew.tasks.answers import extractor

ENOUGH_AT_ONCE = 8
"""The number of samples in flight with which the batch of an engine is well used."""


def solved_dir() -> Path:
    """The folder of the run files of `clew solve`; the environment variable CLEW_STATE overrides its parent."""
    chosen = os.environ.get("CLEW_STATE")
    return (Path(chosen) if chosen else platformdirs.user_state_path("clew", appauthor=False)) / "solved"


def new_path(question: str) -> Path:
    """The path of a new run file, named by time and question, so that the order of names is that of time."""
    now = time.time_ns()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now // 10**9))
    return solved_dir() / f"{stamp}-{now % 10**9:09}-{_name(question)}.db"


def _name(question: str) -> str:
    return re.sub(r"\W+", "-", question.strip())[:40].strip("-").lower() or "question"


def latest() -> Path:
    """The run file of the question that was solved last. Raises StoreError where there is none."""
    found = max(solved_dir().glob("*.db"), default=None)
    if found is None:
        raise StoreError(f"{solved_dir()} holds no solved question yet", "Run `clew solve`, or name a run file")
    return found


def posed(
    turns: tuple[Message, ...],
    *,
    kind: str = "auto",
    system: str | None = None,
    stop: tuple[str, ...] = (),
    max_tokens: int | None = None,
) -> Problem:
    """A question as a problem without a grader. Its id is derived from its text, so the same question draws the same
    samples.

    turns: the conversation that ends with the question.
    kind: how answers are read.
    system, stop, max_tokens: as for `Problem.prompted`.

    Raises UsageError for an empty question, an unknown kind, and as `Problem.prompted` does.
    """
    if not any(m.text.strip() for m in turns):
        raise UsageError("the question is empty", "Ask something")
    name = _name(turns[-1].text)
    problem = Problem(name, turns, extract=extractor(kind)).prompted(system=system, stop=stop, max_tokens=max_tokens)
    # The extractor and the limits are made from these again when the run file is read.
    meta = {"kind": kind, "stop": list(problem.stop), "max_tokens": problem.max_tokens}
    return replace(problem, meta=meta)


def plan_of(
    method: str,
    models: Mapping[str, str],
    budget: Budget,
    *,
    seed: int,
    sampling: Sampling | None,
    model_options: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of a run with a single question.

    method: as `name?key=value`.
    models: role → model spec.
    budget: of the search.
    seed: of the search.
    sampling: how tokens are drawn; None for the defaults.
    model_options: options of the embedded models.
    """
    default = Sampling()
    chosen = {f.name: getattr(sampling, f.name) for f in fields(Sampling)} if sampling is not None else {}
    axis, limit = next(iter(budget.as_dict().items()), ("tokens", 0))
    return Plan(
        models={role: public(spec) for role, spec in models.items()},
        task=QUESTION,
        task_options={},
        methods=(method,),
        budget=budget,
        seeds=(seed,),
        # A run of one question is never resumed, so settings that are not plain numbers (grammar, biases) are left out.
        sampling={k: v for k, v in chosen.items() if v != getattr(default, k) and isinstance(v, int | float)},
        view={"axis": axis, "budgets": [limit], "baseline": None},
        model_options=dict(model_options or {}),
        plugins=loaded_plugins(),
    )


def crowding(result: Result) -> str:
    """A line that says why few samples were in flight at once, where that made a search slow; else empty.

    The budget reserves the full length for each sample in flight, so that it holds and the samples do not depend on the
    timing. A lower limit on the length lets more of them run at once.
    """
    lengths = [leaf.tokens for leaf in result.leaves]
    most, at_once = result.problem.max_tokens, result.usage.peak
    if len(lengths) < 4 or at_once >= min(len(lengths), ENOUGH_AT_ONCE) or 2 * max(lengths) > most:
        return ""
    lower = math.ceil(1.5 * max(lengths) / 10) * 10
    ran = "1 sample" if at_once == 1 else f"{at_once} samples"
    return (
        f"{ran} ran at a time: {most} tokens are kept back for each, and the longest took {max(lengths)}. "
        f"With --max-tokens {lower} more run at once"
    )
