"""`tree_planner` (Tree-Planner): whole plans are sampled at once, and merged into a tree that is walked by score."""

from __future__ import annotations

import re

from clew.methods.common.solutions import SCORER, Scoring, Solutions, comparable_scores
from clew.parameters import Samples, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import Node


class Action:
    """One action in the tree, which is a step of at least one plan.

    node: the first plan that has it, up to and including it.
    children: the actions that follow it, by their texts without case and white space.
    plans: the plans that end with it.
    """

    __slots__ = ("children", "node", "plans")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.children: dict[str, Action] = {}
        self.plans: list[Node] = []


def merged(search: Search, plans: list[Node]) -> Action:
    """The root of the action tree: plans share the actions with which they begin, up to case and white space."""
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
    """The places where the steps of a text end; the last one ends with the text."""
    ends = [m.end() for m in re.finditer("|".join(map(re.escape, steps)), text)] if steps else []
    return ends if ends[-1:] == [len(text)] else [*ends, len(text)]


@method(
    "tree_planner",
    family="tree",
    paper="arXiv:2310.08582",
    needs={"text"},
    proof="tests/methods/tree/test_tree_planner.py",
    departs="A scorer decides whether an action succeeds and which one is taken; in the paper a model reads the "
    "observations of the environment. With the default scorer every action succeeds.",
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

    The answer is that of the first plan that is walked to its end. If none is, it is the first answer that was sampled.

    threshold: an action fails if its score is not above this.
    """
    found = Solutions(search)
    plans: list[Node] = []
    # 1. Sample plans. The first that states an answer is proposed, until one is walked to its end.
    async for plan in search.rollouts(n=n, sampling=search.at(temperature)):
        plans.append(plan)
        if found.answer.value is None:
            found.add_unscored([plan])
    # 2. Walk down the tree of their actions, always to the best action that succeeds, and back where none does.
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
