"""Monte Carlo tree search: the loop behind `mcts`, `coat` and `rest_mcts`, and the ways to evaluate a step."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from clew.methods.common.arms import Arm, Backup, Rule, prior, select
from clew.methods.common.solutions import BARREN, Bounds, Scoring, Solutions, distinct
from clew.parameters import Count, Meaning
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tree import Node

Simulations = Annotated[
    Count | None,
    Meaning("Simulations in all; unless it is given, until the budget is spent or only duplicates are drawn."),
]
Expand = Annotated[Count, Meaning("Steps drawn below a node each time that it is expanded.")]
Parallel = Annotated[Count, Meaning("Simulations in flight at once; virtual loss leads them to different nodes.")]

Evaluate = Callable[[Sequence[Arm]], Awaitable[list[float]]]
"""From new steps to the value of each of them."""

Associate = Callable[[Search, Node], Awaitable[str]]
"""From a partial solution to the text that is inserted below it before its first children are drawn; '' for none."""


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
    simulate: Evaluate | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Extend a tree of steps by simulations, each of which selects, expands, evaluates and backs up.

    search: the search, whose tree is extended from its root.
    evaluate: gives new steps their values, and takes in the finished solutions that it comes across.
    sampling: how steps are drawn.
    rule, explore, backup, widen: how a node is selected, see `select`.
    expand: how many steps are drawn below a node each time that it is expanded.
    parallel: how many simulations are in flight at once; virtual loss leads them to different nodes.
    simulations: the number of simulations; None: until the budget is spent, or only duplicates are drawn (`BARREN`).
    associate: gives a text that is inserted below a node before its first children are drawn.
    simulate: gives the best new step below each selected node another value. That step alone then counts its value as
        its first visit; the others have none, and are selected before any step is selected twice.
    ended: asked after each round of simulations; the search ends when it returns true.
    """
    root, bounds = Arm(search.root), Bounds()
    done = barren = 0
    while (simulations is None or done < simulations) and barren < BARREN and not ended():
        # 1. Select the nodes of one round, whose simulations are in flight together.
        room = parallel if simulations is None else min(parallel, simulations - done)
        batch = _selected(lambda: select(root, rule, explore, bounds, backup, widen), room)
        done += len(batch)
        # 2. Expand them. A step that a node has already is merged into it: it adds to its multiplicity alone.
        if associate is not None:
            first = [arm for arm in batch if not arm.children]
            await search.together(*(_associated(search, arm, associate) for arm in first))
        steps = await search.extend_each([a.node for a in batch for _ in range(expand)], until=STEP, sampling=sampling)
        steps = distinct(steps, known=[child.step for arm in batch for child in arm.children])
        above = {arm.node: arm for arm in batch}
        new = [Arm(step, above[_parent(step)], prior(step)) for step in steps]
        barren = 0 if new else barren + 1
        # 3. Evaluate the new steps, and, with a simulation, the best one below each node once more.
        for arm, value in zip(new, await evaluate(new), strict=True):
            arm.value = bounds.admit(value)
        grown = {arm: [child for child in new if child.parent is arm] for arm in batch}
        best = {arm: max(children, key=lambda child: child.value) for arm, children in grown.items() if children}
        if simulate is not None:
            tried = [child for child in best.values() if not child.node.finished]
            for child, value in zip(tried, await simulate(tried), strict=True):
                child.value = bounds.admit(value)
        # 4. Back up one value for each simulation, and add the new nodes to the tree.
        for arm, children in grown.items():
            arm.widened += bool(arm.children)
            _backed_up(arm, children, best.get(arm), visit_all=simulate is None)
        for arm in {a for leaf in (*batch, *new) for a in leaf.path()}:
            arm.node.scores["mcts_visits"] = float(arm.visits)
            arm.node.scores["mcts_value"] = arm.total / arm.visits if arm.visits else arm.value


def _selected(choose: Callable[[], Arm], most: int) -> list[Arm]:
    """Select nodes for simulations that are in flight together.

    There are fewer than `most` where virtual loss no longer leads two of them to different nodes.

    choose: selects one node, given the simulations that are in flight.
    most: how many nodes are wanted.
    """
    batch: list[Arm] = []
    while len(batch) < most:
        leaf = choose()
        if leaf in batch:
            break
        batch.append(leaf)
        for arm in leaf.path():
            arm.pending += 1
    return batch


def _backed_up(arm: Arm, new: Sequence[Arm], best: Arm | None, *, visit_all: bool) -> None:
    """End the simulation that selected `arm` and gave it the children `new`.

    The value of the simulation is that of the best new child, because the mean over all new children would make every
    node look worse the more of them it has. Where all steps were duplicates, it is the value of the best child that is
    there already, so that the visit counts and selection turns to other nodes.

    arm: the node that was selected.
    new: its new children.
    best: the best of them; None without new ones.
    visit_all: whether all new children begin with their own values as a visit each, or the best one alone.
    """
    # 1. The simulation is no longer in flight.
    for above in arm.path():
        above.pending -= 1
    # 2. Its value is one more visit of everything above.
    arm.back_up(best.value if best is not None else max(child.value for child in arm.children))
    for child in new:
        if visit_all or child is best:
            child.begin()
    arm.children += new
    # 3. New children can be selected, so everything above is open again, except for those that are finished.
    if new:
        arm.reopen()
    for child in new:
        if child.node.finished:
            child.close()


def _parent(step: Node) -> Node:
    assert step.parent is not None
    return step.parent


async def _associated(search: Search, arm: Arm, associate: Associate) -> None:
    """Insert the text that is associated with a node below it, where its children will be drawn."""
    if text := await associate(search, arm.node):
        arm.node = await search.insert(arm.node, text, label="memory")


class Evaluator:
    """Ways to evaluate new steps with a scorer. A score of NaN counts as the least score so far.

    search: the search whose steps they are.
    found: takes in the finished solutions among the steps and their continuations.
    scorer: scores partial and whole solutions.
    sampling: how steps are continued.
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
        """(1 - mix) · the score of the step + mix · the mean score of solutions continued from it.

        arms: the new steps. A step that ends a solution is its own rollout.
        rollouts: how many solutions are continued from each step.
        mix: the weight of the rollouts, in [0, 1]; with 1 the steps themselves are not scored.
        """
        nodes = [arm.node for arm in arms]
        plan = [node for node in nodes for _ in range(1 if node.finished else rollouts)]
        leaves = await self._search.extend_each(plan, sampling=self._sampling, label="rollout")
        # A finished step is its own leaf; it is scored once.
        scores = await self._score(list(dict.fromkeys(leaves if mix == 1 else [*nodes, *leaves])))
        ends: dict[Node, list[Node]] = {}
        for start, leaf in zip(plan, leaves, strict=True):
            ends.setdefault(start, []).append(leaf)
        rolled = [sum(scores[leaf] for leaf in ends[node]) / len(ends[node]) for node in nodes]
        return rolled if mix == 1 else [(1 - mix) * scores[n] + mix * r for n, r in zip(nodes, rolled, strict=True)]

    async def by_steps_ahead(self, arms: Sequence[Arm], *, ahead: int, mix: float) -> list[float]:
        """(1 - mix) · the value of the step + mix · the greatest score on the way when it is continued by some steps.

        This is the simulation of arXiv:2406.03816, algorithm 2.

        arms: steps that have a value and are not finished.
        ahead: by how many steps each is continued at most.
        mix: α of the paper, the weight of what lies ahead, in [0, 1].
        """
        reached = [-math.inf] * len(arms)
        tips = [arm.node for arm in arms]
        for _ in range(ahead):
            tips = await self._search.extend_each(tips, until=STEP, sampling=self._sampling, label="rollout")
            scores = await self._score(list(dict.fromkeys(tips)))
            reached = [max(top, scores[tip]) for top, tip in zip(reached, tips, strict=True)]
        return [(1 - mix) * arm.value + mix * top for arm, top in zip(arms, reached, strict=True)]

    async def _score(self, nodes: Sequence[Node]) -> dict[Node, float]:
        """The score of each node, or the least one so far for NaN; finished solutions among them are taken in."""
        raw = await self._search.score(nodes, self._scorer)
        self._found.add(nodes, [-math.inf if math.isnan(s) else s for s in raw])
        return {node: self._scores.admit(s) for node, s in zip(nodes, raw, strict=True)}
