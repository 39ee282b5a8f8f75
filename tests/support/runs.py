"""Runs to look at, for the tests of the viewer: a real one, a great tree, and texts that mean harm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clew import api
from clew.budget import Spend, Usage
from clew.lab.experiment import make_plan
from clew.plan import Plan
from clew.problem import Answer, Problem
from clew.result import Proposal, Result
from clew.sampling import Stream
from clew.store import Store, plan_problems
from clew.tree import Finish, Origin, Segment, Tree

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=alert(1)>",
    "\u202egnp.exe\u202c and \u2066isolated\u2069",
    "nothing\x00after\x07this",
    "line\u2028and\u2029paragraph",
    "𝕊𝕠 it is 🧶 and e\u0301",
    "{{constructor.constructor('alert(1)')()}}",
)


def real_run(path: Path, *methods: str, count: int = 6, task: str = "add", **options: object) -> Path:
    """A run of the toy model."""
    names = methods or ("greedy", "self_consistency?n=4", "beam", "first_finish", "particle_filter?n=4")
    settings = {"model": "toy:arithmetic?skill=0.5", "budgets": [300, 600], "count": count}
    api.compare(task, methods=names, out=path, **(settings | options))
    return path


def segment(text: str, tokens: int = 4, finish: Finish = Finish.STEP) -> Segment:
    """A text in so many tokens of about the same length, with statistics."""
    places = np.linspace(0, len(text), tokens, endpoint=False).astype(np.int32)
    values = np.arange(1, tokens + 1, dtype=np.float32)
    ids = np.arange(tokens, dtype=np.int32)
    return Segment(ids, text, places, finish, -values, values, values, -values, ids[:, None], -values[:, None])


def tree_of(texts: Sequence[str], width: int = 4) -> Tree:
    """A prompt with a node for each text below it, in the shape of a heap of this width."""
    tree, stream = Tree(), Stream("test")
    tree.add(None, segment("the prompt"), Origin.PROMPT, stream)
    for i, text in enumerate(texts):
        node = tree.add(tree[i // width], segment(text), Origin.SAMPLED, stream, born=4 * i)
        node.scores["value"] = i / len(texts)
    return tree


def written(path: Path, trees: Sequence[Tree], count: int = 2, method: str = "beam") -> Path:
    """A run file with these trees as searches of its first problem, told apart by seed; the last node is the answer."""
    plan: Plan = make_plan(
        "add", model="toy:arithmetic", methods=[method], budgets=[100], count=count, seeds=max(1, len(trees))
    )
    problems: list[Problem] = plan_problems(plan)
    with Store.create(path, plan, problems) as store:
        for seed, tree in enumerate(trees):
            leaf = tree.nodes[-1]
            usage = Usage({("toy", "generate"): Spend(generated=4 * len(tree), calls=len(tree))}, 1.5)
            answer = Answer("12", leaf.solution, 0.5, leaf)
            store.keep(
                Result(problems[0], method, seed, plan.budget, answer, 1.0, usage, tree, [Proposal(answer, usage)])
            )
    return path
