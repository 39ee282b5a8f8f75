"""What is needed to run a comparison again: its command, what made it, and the settings that it sampled by."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields

from clew.plan import Plan
from clew.registry import spelled
from clew.sampling import Sampling
from clew.store.shapes import Maker
from clew.tree import GENERATE

_FLAGS = ("difficulty", "shots", "kind", "system", "max_tokens")
"""Options of the task that `clew compare` has options of its own for."""


def command_line(plan: Plan) -> str:
    """The `clew compare …` that makes this plan.

    Options of models other than the number of threads can be given in Python only, and are left out.
    """
    task, view = dict(plan.task_options), plan.view
    words = ["clew", "compare", plan.task, "--model", plan.models[GENERATE]]
    for path in plan.plugins:
        words += ["--plugin", path]
    for role, spec in plan.models.items():
        if role != GENERATE:
            words += ["--role", f"{role}={spec}"]
    for method in plan.methods:
        words += ["--methods", method]
    words += ["--budgets", ",".join(f"{budget:g}" for budget in view["budgets"]), "--axis", view["axis"]]
    words += ["--count", str(task.pop("count")), "--seeds", str(len(plan.seeds)), "--seed", str(task.pop("seed"))]
    for name in _FLAGS:
        if name in task:
            words += [f"--{name.replace('_', '-')}", str(task.pop(name))]
    for stop in task.pop("stop", ()):
        words += ["--stop", stop.replace("\n", "\\n")]
    for role, name in dict(task.pop("fields", {})).items():
        words += ["--field", f"{role}={spelled(name)}"]
    for name, value in task.items():
        words += ["--option", f"{name}={spelled(value)}"]
    for name, value in plan.sampling.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if "threads" in plan.model_options:
        words += ["--threads", str(plan.model_options["threads"])]
    if view["baseline"] is not None:
        words += ["--baseline", view["baseline"]]
    return shlex.join([*words, "--concurrency", str(plan.concurrency)])


def reproduction(plan: Plan, made_by: Sequence[Maker]) -> list[tuple[str, str]]:
    """What has to be known to run a plan again: what it is, and the fact.

    made_by: see `Reader.made_by`; more than one entry where the run was resumed with something else.
    """
    sampling = Sampling(**plan.sampling)
    settings = [f"{f.name} {getattr(sampling, f.name)}" for f in fields(Sampling) if _scalar(getattr(sampling, f.name))]
    rows = [("command", command_line(plan)), ("sampling", ", ".join(settings))]
    rows += [("plug-in", f"{path}, sha256 {digest}") for path, digest in plan.plugins.items()]
    for maker in made_by:
        rows.append(("clew", str(maker["clew"])))
        for role, facts in maker["roles"].items():
            rows.append((role, ", ".join(f"{what}: {fact}" for what, fact in facts.items())))
    rows.append(("chat template", "the one of the model file, or of the server"))
    return rows


def _scalar(value: object) -> bool:
    return isinstance(value, int | float)
