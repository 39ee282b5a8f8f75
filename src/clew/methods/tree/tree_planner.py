"""Tree-Planner: sample whole plans once, merge them into a tree of actions, then decide from the top."""

from __future__ import annotations

import re

from clew.methods.common.solutions import SCORER, Scoring, Solutions, comparable_scores
from clew.parameters import Samples, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import Node


class Action:
    """One step of at least one plan. node: the plan up to and with it. plans: those that end here."""

    __slots__ = ("children", "node", "plans")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.children: dict[str, Action] = {}
        self.plans: list[Node] = []


def merged(search: Search, plans: list[Node]) -> Action:
    """The action tree: plans share what they begin with, but for case and white space."""
    root = Action(search.root)
    for plan in plans:
        here, text = root, plan.solution
        for end in boundaries(text, search.problem.steps):
            step = " ".join(text[:end].casefold().split())
            if step not in here.children:
                here.children[step] = Action(search.rewind(plan, chars=len(text) - end) if end < len(text) else plan)
            here = here.children[step]
        here.plans.append(plan)
    return root


def boundaries(text: str, steps: tuple[str, ...]) -> list[int]:
    """Where the steps of a text end; the last one ends with the text."""
    ends = [m.end() for m in re.finditer("|".join(map(re.escape, steps)), text)] if steps else []
    return ends if ends[-1:] == [len(text)] else [*ends, len(text)]


@method(
    "tree_planner",
    family="tree",
    paper="arXiv:2310.08582",
    needs={"text"},
    proof="tests/methods/tree/test_tree_planner.py",
    departs="A scorer says what is observed after an action and which one to take; in the paper a model reads the "
    "environment's observation.",
)
async def tree_planner(
    search: Search,
    *,
    n: Samples | None = None,
    threshold: float = 0.0,
    scorer: Scoring = SCORER,
    temperature: Temperature | None = None,
) -> Answer:
    """Sample n plans at once, merge their common beginnings, walk down by score, and go back where every action fails.

    n: None samples as many as the budget pays for. threshold: an action fails when its score is not above it. The
    answer is the first plan that is walked to its end; where none is, the first that was sampled.
    """
    found = Solutions(search)
    plans: list[Node] = []
    async for plan in search.rollouts(n=n, sampling=search.at(temperature)):
        plans.append(plan)
        found.add_unscored([plan])
    stack = [merged(search, plans)]
    while stack:
        action = stack.pop()
        if action.plans:
            found.add(action.plans, [0.0] * len(action.plans))
            if found.best == 0.0:
                break
        children = list(action.children.values())
        values = await comparable_scores(search, [child.node for child in children], scorer)
        passed = [(v, child) for v, child in zip(values, children, strict=True) if v > threshold]
        stack += [child for _, child in sorted(passed, key=lambda pair: pair[0])]
    return found.answer
