"""Monte Carlo tree search: the loop behind `mcts`, `coat` and `rest_mcts`, and the evaluations of a step."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from clew.methods.common.arms import Arm, Backup, Rule, prior, select
from clew.methods.common.solutions import BARREN, Bounds, Scoring, Solutions, distinct
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tree import Node

Evaluate = Callable[[Sequence[Arm]], Awaitable[list[float]]]
"""New steps → the value of each."""

Associate = Callable[[Search, Node], Awaitable[str]]
"""A partial solution → the text that is inserted below it before it gets children; '' for none."""


async def grow_tree(
    search: Search,
    evaluate: Evaluate,
    sampling: Sampling,
    *,
    rule: Rule,
    explore: float,
    backup: Backup = "mean",
    widen: float = 0.0,
    expand: int,
    parallel: int,
    simulations: int | None,
    associate: Associate | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Grow a tree of steps: select by the rule down the whole tree, expand, evaluate, back up.

    search: grows its tree from the root.
    evaluate: gives new steps their values. Solutions that it meets are its own affair.
    sampling: how steps are drawn.
    rule, explore, backup, widen: see `select`.
    expand: how many steps are drawn below an arm each time.
    parallel: simulations in flight at once, kept apart by virtual loss.
    simulations: selections in all; None goes on until the budget is spent or nothing new is met.
    associate: gives a text that is inserted below an arm before its first children are drawn.
    ended: asked after each round; true ends the search.
    """
    root, bounds = Arm(search.root), Bounds()
    done = barren = 0
    while (simulations is None or done < simulations) and barren < BARREN and not ended():
        # 1. Select the arms of one round, as many as are in flight together.
        room = parallel if simulations is None else min(parallel, simulations - done)
        batch = _selected(lambda: select(root, rule, explore, bounds, backup, widen), room)
        done += len(batch)
        # 2. Expand them. Steps that an arm has already only count there.
        if associate is not None:
            first = [arm for arm in batch if not arm.children]
            await search.together(*(_associated(search, arm, associate) for arm in first))
        steps = await search.extend_each([a.node for a in batch for _ in range(expand)], until=STEP, sampling=sampling)
        steps = distinct(steps, known=[child.step for arm in batch for child in arm.children])
        above = {arm.node: arm for arm in batch}
        new = [Arm(step, above[_parent(step)], prior(step)) for step in steps]
        barren = 0 if new else barren + 1
        # 3. Evaluate the new steps.
        for arm, value in zip(new, await evaluate(new), strict=True):
            arm.value = bounds.admit(value)
        # 4. Back up one value a simulation, and let the new arms join the tree.
        for arm in batch:
            arm.widened += bool(arm.children)
            _backed_up(arm, [child for child in new if child.parent is arm])
        for arm in {a for leaf in (*batch, *new) for a in leaf.path()}:
            arm.node.scores["mcts_visits"] = float(arm.visits)
            arm.node.scores["mcts_value"] = arm.total / arm.visits


def _selected(choose: Callable[[], Arm], most: int) -> list[Arm]:
    """Arms for simulations in flight together, until virtual loss no longer keeps two apart."""
    batch: list[Arm] = []
    while len(batch) < most:
        leaf = choose()
        if leaf in batch:
            break
        batch.append(leaf)
        for arm in leaf.path():
            arm.pending += 1
    return batch


def _backed_up(arm: Arm, new: Sequence[Arm]) -> None:
    """End the simulation that selected `arm` and gave it the children `new`.

    The best of them is the simulation's value: the others would drag down the mean of all that is above them. Without a
    new one it is the best that is known there, so that the visit counts and selection turns elsewhere.
    """
    for above in arm.path():
        above.pending -= 1
    arm.back_up(max(child.value for child in new or arm.children))
    for child in new:
        child.begin()
    arm.children += new
    if new:
        arm.reopen()
    for child in new:
        if child.node.finished:
            child.close()


def _parent(step: Node) -> Node:
    assert step.parent is not None
    return step.parent


async def _associated(search: Search, arm: Arm, associate: Associate) -> None:
    """Put what is associated with an arm below it, where its children will grow."""
    if text := await associate(search, arm.node):
        arm.node = await search.insert(arm.node, text, label="memory")


class Evaluator:
    """The evaluations of new steps by a scorer. NaN counts as the least score so far.

    search: whose steps they are.
    found: takes in the solutions that are met on the way.
    scorer: scores partial and whole solutions.
    sampling: how solutions are continued.
    """

    def __init__(self, search: Search, found: Solutions, scorer: Scoring, sampling: Sampling) -> None:
        self._search = search
        self._found = found
        self._scorer = scorer
        self._sampling = sampling
        self._scores = Bounds()

    async def by_score(self, arms: Sequence[Arm]) -> list[float]:
        """The score of each step."""
        scores = await self._score([arm.node for arm in arms])
        return [scores[arm.node] for arm in arms]

    async def by_rollouts(self, arms: Sequence[Arm], *, rollouts: int, mix: float) -> list[float]:
        """(1 - mix) · the score of the step + mix · the mean score of so many solutions continued from it.

        With mix = 1 the steps themselves are not scored. A step that ends a solution is its own rollout.
        """
        nodes = [arm.node for arm in arms]
        plan = [node for node in nodes for _ in range(1 if node.finished else rollouts)]
        leaves = await self._search.extend_each(plan, sampling=self._sampling, label="rollout")
        # A finished step stands among the leaves for itself, and is scored once.
        scores = await self._score(list(dict.fromkeys(leaves if mix == 1 else [*nodes, *leaves])))
        ends: dict[Node, list[Node]] = {}
        for start, leaf in zip(plan, leaves, strict=True):
            ends.setdefault(start, []).append(leaf)
        rolled = [sum(scores[leaf] for leaf in ends[node]) / len(ends[node]) for node in nodes]
        return rolled if mix == 1 else [(1 - mix) * scores[n] + mix * r for n, r in zip(nodes, rolled, strict=True)]

    async def by_steps_ahead(self, arms: Sequence[Arm], *, ahead: int, mix: float) -> list[float]:
        """The score of each step; of the best below each arm, (1 - mix) · its score + mix · the greatest score on the
        way when it is continued by up to `ahead` steps (the simulation of arXiv:2406.03816, algorithm 2)."""
        scores = await self._score([arm.node for arm in arms])
        best: dict[Arm | None, Arm] = {}
        for arm in arms:
            if arm.parent not in best or scores[arm.node] > scores[best[arm.parent].node]:
                best[arm.parent] = arm
        tried = [arm for arm in best.values() if not arm.node.finished]
        reached = dict.fromkeys(tried, -math.inf)
        tips = [arm.node for arm in tried]
        for _ in range(ahead):
            tips = await self._search.extend_each(tips, until=STEP, sampling=self._sampling, label="rollout")
            scored = await self._score(list(dict.fromkeys(tips)))
            reached = {arm: max(reached[arm], scored[tip]) for arm, tip in zip(tried, tips, strict=True)}
        simulated = {arm: (1 - mix) * scores[arm.node] + mix * top for arm, top in reached.items()}
        return [simulated.get(arm, scores[arm.node]) for arm in arms]

    async def _score(self, nodes: Sequence[Node]) -> dict[Node, float]:
        raw = await self._search.score(nodes, self._scorer)
        self._found.add(nodes, [-math.inf if math.isnan(s) else s for s in raw])
        return {node: self._scores.admit(s) for node, s in zip(nodes, raw, strict=True)}
