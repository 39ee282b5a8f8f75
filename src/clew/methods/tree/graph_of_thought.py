"""`graph_of_thought`: split, solve, merge and refine, in a fixed order or as a policy model chooses."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from clew.methods.common.rewriting import criticise, rewrite
from clew.methods.common.solutions import SCORER, Scoring, Solutions, comparable_scores
from clew.parameters import Count, Range
from clew.problem import Answer, Message
from clew.registry import method
from clew.search import GENERATE, Search
from clew.tree import Node

SPLIT = (
    "Split the problem into {parts} smaller problems of the same kind that can be solved independently of each other. "
    "Write each on a line of its own, complete in itself. Do not solve them."
)
SOLVE = "Solve the problem."
MERGE = "The problem was split and its parts were solved. Combine their solutions into a solution of the whole problem."
CHOOSE = (
    "You steer the solution of a problem by operations on a graph of thoughts. Given the state of the graph, choose "
    "the operation that comes next. Conclude in the last line with one word of: {operations}."
)
OPERATIONS = ("split", "solve", "merge", "refine", "stop")


@dataclass(slots=True)
class Thought:
    """A problem or a part of it, with its best solution so far.

    question: the text of the problem.
    node: the best solution; None before there is one.
    value: the score of that solution.
    """

    question: str
    node: Node | None = None
    value: float = -math.inf

    @property
    def text(self) -> str:
        """The text of the best solution; '' before there is one."""
        return self.node.solution if self.node is not None else ""


class Graph:
    """The thoughts about one problem: the whole problem and its parts.

    search: the search.
    parts: into how many parts the problem is split.
    tries: how many solutions are drawn wherever the best one is kept.
    scorer: scores solutions.
    """

    def __init__(self, search: Search, parts: int, tries: int, scorer: Scoring) -> None:
        self.whole = Thought(search.problem.question)
        self.parts: list[Thought] = []
        self.found = Solutions(search)
        self._search = search
        self._splittable = True
        self._wanted = parts
        self._tries = tries
        self._scorer = scorer

    async def split(self) -> None:
        """Split the whole problem into parts; there are none where the model's reply names fewer than two."""
        (reply,) = await self._ask(SPLIT.format(parts=self._wanted), self.whole.question, 1)
        lines = [re.sub(r"^\s*(?:[-*•]|\d+[.):])\s*", "", line).strip() for line in reply.solution.splitlines()]
        named = [line for line in lines if line][: self._wanted]
        self.parts = [Thought(line) for line in named] if len(named) > 1 else []
        self._splittable = False

    async def solve(self) -> None:
        """Solve every part that has no solution, by the best of several tries; without parts, the whole problem."""
        await self._search.together(
            *(self._keep_best(part, SOLVE, part.question) for part in self.parts or [self.whole] if part.node is None)
        )

    async def merge(self) -> None:
        """Merge the solutions of the parts into one of the whole problem, by the best of several tries."""
        solved = "\n\n".join(f"Part: {p.question}\nSolution: {p.text}" for p in self.parts)
        await self._keep_best(self.whole, MERGE, f"{self.whole.question}\n\n{solved}")

    async def refine(self) -> None:
        """Criticise and rewrite the solution of the whole problem, and keep the better one of the two."""
        node = await rewrite(self._search, self.whole.text, await criticise(self._search, self.whole.text))
        await self._keep_better(self.whole, [node])

    @property
    def possible(self) -> list[str]:
        """The operations that can be applied now."""
        solved = bool(self.parts) and all(p.node is not None for p in self.parts)
        able = {
            "split": self._splittable,
            "solve": (not self.parts and self.whole.node is None) or (bool(self.parts) and not solved),
            "merge": solved,
            "refine": self.whole.node is not None,
            "stop": self.whole.node is not None,
        }
        return [name for name in OPERATIONS if able[name]]

    def state(self) -> str:
        """The state of the graph in words, for the policy model."""
        parts = [f"Part {i}: {p.question} → {p.text or 'not solved'}" for i, p in enumerate(self.parts, 1)]
        return "\n".join([f"Problem: {self.whole.question}", *parts, f"Solution: {self.whole.text or 'none yet'}"])

    async def _keep_best(self, thought: Thought, order: str, material: str) -> None:
        """Draw several replies, and keep the best of them as the solution of a thought."""
        await self._keep_better(thought, await self._ask(order, material, self._tries))

    async def _keep_better(self, thought: Thought, nodes: Sequence[Node]) -> None:
        """Score solutions of a thought, and keep the best one, the solution before included."""
        if thought is self.whole:
            self.found.add_unscored(nodes)
        values = await comparable_scores(self._search, nodes, self._scorer)
        for node, value in zip(nodes, values, strict=True):
            if thought.node is None or value > thought.value:
                thought.node, thought.value = node, value
        if thought is self.whole:
            self.found.add(nodes, values)

    async def _ask(self, order: str, material: str, n: int) -> list[Node]:
        return await self._search.ask((Message("system", order), Message("user", material)), role=GENERATE, n=n)


@method(
    "graph_of_thought",
    family="tree",
    paper="arXiv:2308.09687",
    needs={"text"},
    proof="tests/methods/tree/test_graph_of_thought.py",
    departs="The prompts are general, and the model splits the problem; the paper writes both for each task. "
    "policy=judge is ARIES (arXiv:2502.21208) with one policy model and without its ensembles.",
)
async def graph_of_thought(
    search: Search,
    *,
    parts: Count = 2,
    tries: Count = 3,
    refinements: Annotated[int, Range(low=0)] = 1,
    policy: Literal["fixed", "judge"] = "fixed",
    actions: Count = 8,
    scorer: Scoring = SCORER,
) -> Answer:
    """Split the problem, solve its parts, merge the solutions, refine the whole; each by the best of several tries.

    parts: into how many parts the problem is split.
    tries: how many solutions are drawn for each part and at the merge, of which the best is kept.
    refinements: how often the whole solution is refined (policy=fixed).
    policy: the order of the operations.
        `fixed`: split, solve, merge, refine. `judge`: the model of the role judge chooses each of them by the state of
        the graph.
    actions: the most operations that the policy model chooses (policy=judge).
    """
    graph = Graph(search, parts, tries, scorer)
    if policy == "fixed":
        await graph.split()
        await graph.solve()
        if graph.parts:
            await graph.merge()
        for _ in range(refinements):
            await graph.refine()
    else:
        for _ in range(actions):
            operation = await _chosen(search, graph)
            if operation == "stop":
                break
            await {"split": graph.split, "solve": graph.solve, "merge": graph.merge, "refine": graph.refine}[
                operation
            ]()
    return graph.found.answer


async def _chosen(search: Search, graph: Graph) -> str:
    """The last possible operation that the policy model names in its reply; the first possible one if it names none."""
    possible = graph.possible
    order = CHOOSE.format(operations=", ".join(possible))
    (reply,) = await search.ask((Message("system", order), Message("user", graph.state())))
    named = re.findall("|".join(possible), reply.solution.lower())
    return named[-1] if named else possible[0]
