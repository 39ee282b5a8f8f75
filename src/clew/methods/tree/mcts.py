"""Monte Carlo tree search over reasoning steps."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal

import numpy as np

from clew.methods.common.arms import RULES, Arm, Backup, quality_value, select
from clew.methods.common.solutions import (
    BARREN,
    SCORER,
    Bounds,
    Final,
    Scoring,
    Solutions,
    distinct,
    path_share,
)
from clew.parameters import Count, Range, Share, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tree import Node

Associate = Callable[[Search, Node], Awaitable[str]]
Evaluation = Literal["scorer", "rollouts", "mixed", "quality"]

CONVERGED = 1000
"""After so many simulations in a row that met only finished solutions, there is nothing left to learn."""


@method(
    "mcts",
    family="tree",
    paper="arXiv:2405.03553",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_mcts.py",
    departs="Every new step is evaluated at once, and the best one's value is backed up. Values are scaled to [0, 1] "
    "by the least and the greatest met (arXiv:1911.08265, eq. 5), so that any scorer will do; so PUCT's constant is "
    "half of the paper's 1.5, whose values are in [-1, 1]. What was selected often gets further steps. Simulations run "
    "in rounds with virtual loss. Where every step leads to a finished solution, the parent of the selected one gets "
    "further steps. For evaluate=quality the distance to completion is that of the shortest rollout.",
)
async def mcts(
    search: Search,
    *,
    simulations: Count | None = None,
    expand: Count = 4,
    parallel: Count = 4,
    policy: Literal["puct", "uct"] = "puct",
    explore: Annotated[float, Range(low=0)] | None = None,
    widen: Annotated[float, Range(low=0, below=1)] = 0.25,
    evaluate: Evaluation = "scorer",
    rollouts: Count = 1,
    mix: Share = 0.5,
    backup: Backup = "mean",
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
    associate: Associate | None = None,
) -> Answer:
    """Monte Carlo tree search: select by UCT or PUCT down the whole tree, expand by `expand` steps, evaluate, back up.

    simulations: selections in all; None goes on until the budget is spent or nothing new is met. parallel: simulations
    in flight at once, kept apart by virtual loss. policy: `puct` takes the step's own probability, the geometric mean
    over its tokens, as its prior. explore: the rule's constant (0.75 for puct, √2 for uct by default).
    widen: a step that was visited N times gets `expand` steps ⌊N^widen⌋ times in all; 0 is the paper's fixed width.
    evaluate: `scorer` scores the step; `rollouts` averages the scores of so many solutions continued from it; `mixed`
    adds `mix` of the rollouts to 1 - mix of the score (as AlphaGo did); `quality` is ReST-MCTS*'s value from the
    score (soundness in [0, 1]: scaled by the least and the greatest score where some lie outside) and the distance to
    completion in the rollouts. associate: from Python only; text that is inserted below a step before it is expanded
    (`coat` recalls facts this way).

    expand: the steps sampled from a node that is expanded.
    rollouts: solutions continued from a step to evaluate it.
    mix: the weight of the rollouts in `mixed`.
    backup: a node's value is the mean, or the greatest, of the values below it.
    """
    rule, usual = RULES[policy]
    constant = usual if explore is None else explore
    sampling = search.at(temperature)
    root = Arm(search.root)
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        evaluator = _Evaluator(search, found, evaluate, rollouts, mix, scorer, sampling)
        done = idle = barren = 0
        unexpanded = 1
        while (simulations is None or done < simulations) and idle < CONVERGED and barren < BARREN:
            room = parallel if simulations is None else min(parallel, simulations - done)
            batch = _selected(lambda: select(root, rule, constant, evaluator.bounds, backup, widen), room)
            done += len(batch)
            fresh = [leaf for leaf in batch if not leaf.node.finished]
            idle = 0 if fresh else idle + len(batch)
            first = [leaf for leaf in fresh if not leaf.children]
            unexpanded -= len(first)
            if not fresh and not unexpanded:
                # Every step that is there leads to its end: what is left of the budget buys further ones.
                fresh = list({leaf.parent: None for leaf in batch if leaf.parent is not None})
            elif associate is not None:
                await search.together(*(_associated(search, leaf, associate) for leaf in first))
            steps = await search.extend_each(
                [leaf.node for leaf in fresh for _ in range(expand)], until=STEP, sampling=sampling
            )
            for leaf in fresh:
                leaf.widened += bool(leaf.children)
            above = {leaf.node: leaf for leaf in fresh}
            steps = distinct(steps, known=[arm.step for leaf in fresh for arm in leaf.children])
            new = [Arm(step, above[_parent(step)], prior(step)) for step in steps]
            barren = 0 if new or not fresh else barren + 1
            unexpanded += sum(not arm.node.finished for arm in new)
            await evaluator.evaluate(new)
            _backed_up(batch, new)
    return found.answer


def _selected(choose: Callable[[], Arm], most: int) -> list[Arm]:
    """Leaves for simulations in flight together, until virtual loss no longer keeps two apart."""
    batch: list[Arm] = []
    while len(batch) < most:
        leaf = choose()
        if leaf in batch:
            break
        batch.append(leaf)
        for arm in leaf.path():
            arm.pending += 1
    return batch


def _backed_up(batch: Sequence[Arm], new: Sequence[Arm]) -> None:
    """End the simulations of a batch: its finished leaves are worth what they were, the new arms join the tree."""
    for leaf in batch:
        for arm in leaf.path():
            arm.pending -= 1
        if leaf.node.finished:
            leaf.back_up(leaf.value)
    grown: dict[Arm, list[Arm]] = {}
    for arm in new:
        assert arm.parent is not None
        grown.setdefault(arm.parent, []).append(arm)
    for parent, arms in grown.items():
        # One simulation, one value: the others would drag down the mean of all that is above them.
        parent.back_up(max(arm.value for arm in arms))
        for arm in arms:
            arm.begin()
        parent.children += arms
    for arm in {a for leaf in (*batch, *new) for a in leaf.path()}:
        arm.node.scores["mcts_visits"] = float(arm.visits)
        arm.node.scores["mcts_value"] = arm.total / arm.visits


def _parent(step: Node) -> Node:
    assert step.parent is not None
    return step.parent


async def _associated(search: Search, leaf: Arm, associate: Associate) -> None:
    """Put what is associated with a leaf below it, where its children will grow."""
    if text := await associate(search, leaf.node):
        leaf.node = await search.insert(leaf.node, text, label="memory")


def prior(step: Node) -> float:
    """The geometric mean of the probabilities that the model gave the step's tokens; 1 where it does not tell."""
    logprob = step.segment.logprob
    if logprob is None or not len(logprob) or bool(np.isnan(logprob).any()):
        return 1.0
    return math.exp(float(logprob.mean()))


class _Evaluator:
    """Gives new steps their values, and keeps the solutions that are met on the way."""

    def __init__(
        self,
        search: Search,
        found: Solutions,
        how: Evaluation,
        rollouts: int,
        mix: float,
        scorer: Scoring,
        sampling: Sampling,
    ) -> None:
        self.bounds = Bounds()
        self._scores = Bounds()
        self._search = search
        self._found = found
        self._how = how
        self._rollouts = rollouts
        self._mix = mix
        self._scorer = scorer
        self._sampling = sampling

    async def evaluate(self, arms: Sequence[Arm]) -> None:
        """Set the value of each arm."""
        nodes = [arm.node for arm in arms]
        new = set(nodes)
        ended: dict[Node, list[Node]] = {}
        if self._how == "scorer":
            scores = await self._score(nodes)
        else:
            leaves = await self._search.extend_each(
                [node for node in nodes for _ in range(1 if node.finished else self._rollouts)],
                sampling=self._sampling,
                label="rollout",
            )
            for leaf in leaves:
                start = leaf if leaf in new or leaf.parent is None else leaf.parent
                ended.setdefault(start, []).append(leaf)
            rolled = [leaf for leaf in leaves if leaf not in new]
            scores = await self._score(leaves if self._how == "rollouts" else [*nodes, *rolled])
        for arm in arms:
            arm.value = self.bounds.admit(self._value(arm, scores, ended.get(arm.node, [])))

    async def _score(self, nodes: Sequence[Node]) -> dict[Node, float]:
        raw = await self._search.score(nodes, self._scorer)
        self._found.add(nodes, [-math.inf if math.isnan(s) else s for s in raw])
        return {node: self._scores.admit(s) for node, s in zip(nodes, raw, strict=True)}

    def _value(self, arm: Arm, scores: dict[Node, float], leaves: Sequence[Node]) -> float:
        if self._how == "scorer":
            return scores[arm.node]
        if self._how == "quality":
            above = arm.parent.value if arm.parent is not None else 0.0
            return quality_value(above, self._scores.unit(scores[arm.node]), self._distance(arm.node, leaves))
        rolled = sum(scores[leaf] for leaf in leaves) / len(leaves)
        if self._how == "rollouts":
            return rolled
        return (1 - self._mix) * scores[arm.node] + self._mix * rolled

    def _distance(self, node: Node, leaves: Sequence[Node]) -> int:
        """Further steps of the shortest rollout from `node`."""
        if node.finished:
            return 0
        return min(self._steps(leaf.segment.text) for leaf in leaves)

    def _steps(self, text: str) -> int:
        ends = sum(text.count(mark) for mark in self._search.problem.steps)
        return max(1, ends + (not text.endswith(self._search.problem.steps)))
