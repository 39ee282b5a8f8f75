"""What searches share: scores that can be compared, equal steps told apart, and the solutions found so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Literal

from clew.errors import BudgetExhausted, UsageError
from clew.parameters import Meaning, Spec
from clew.problem import Answer
from clew.registry import Scale, scorers
from clew.scorers.base import scale_of
from clew.search import Scorer, Search
from clew.tree import Finish, Node, Origin, leave

Scoring = Annotated[str | Scorer, Spec("scorer"), Meaning("The scorer that says what a node is worth.")]
"""A scorer, or the spec of a registered one (`name?key=value`)."""

ScorerSpec = Annotated[str, Spec("scorer"), Meaning("The scorer that says what a solution is worth.")]
"""The spec of a registered scorer."""

Final = Annotated[
    Literal["best", "vote"],
    Meaning("How the solutions found give one answer: the best one's, or the vote weighted by their scores."),
]
"""How the solutions that a search has found give one answer.

best: the answer of the solution with the greatest worth. vote: each answer has the sum of its solutions' worths, times
how many draws each of them stands for (see `Solutions`).
"""

SCORER = "self_certainty"

BARREN = 16
"""A search for further steps ends after this many consecutive expansions that yield only duplicates."""

MULTIPLICITY = "multiplicity"
"""The score under which a node records how many equal draws it stands for, where there are several."""


class Bounds:
    """The least and the greatest value met in one tree, which scale all to [0, 1] (arXiv:1911.08265, eq. 5).

    So the constants of a rule mean the same for any scorer.
    """

    def __init__(self) -> None:
        self.low = math.inf
        self.high = -math.inf

    def admit(self, value: float) -> float:
        """The value itself, or, for NaN or an infinite one, the least met so far (0 before any)."""
        if not math.isfinite(value):
            return self.low if math.isfinite(self.low) else 0.0
        self.low, self.high = min(self.low, value), max(self.high, value)
        return value

    def scaled(self, value: float) -> float:
        """`value` in [0, 1]; 0 while all values are equal."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0

    def unit(self, value: float) -> float:
        """`value` for a formula that wants it in [0, 1]: itself while all that were met lie there, else scaled."""
        return value if self.low >= 0 and self.high <= 1 else self.scaled(value)


async def worths(search: Search, nodes: Sequence[Node], scorer: Scoring) -> list[float]:
    """What the scorer says of each node, with NaN as the worst there is (-inf)."""
    return [-math.inf if math.isnan(s) else s for s in await search.score(nodes, scorer)]


def distinct(nodes: Sequence[Node], known: Iterable[Node] = ()) -> list[Node]:
    """The nodes without those that say the same as an earlier one of the same parent; these are left as duplicates.

    The one that stays stands for all of them: see `multiplicity`. Equal texts below different parents are different
    partial solutions (their tokens, and so what may follow, differ), and all of them stay.

    nodes: steps that were just drawn.
    known: steps that were there before, which stand for what is equal among the new ones.
    """
    first = {_step(node): node for node in known}
    kept: list[Node] = []
    for node in nodes:
        original = first.setdefault(_step(node), node)
        if original is not node:
            leave([node], "duplicate")
            original.scores[MULTIPLICITY] = multiplicity(original) + 1.0
        elif node not in kept:
            kept.append(node)
    return kept


def _step(node: Node) -> tuple[Node | None, str, bool]:
    """What tells a step from others: its parent, its text, and whether the solution ends with it."""
    return node.parent, node.segment.text, node.finished


def multiplicity(node: Node) -> float:
    """How many equal draws from its parent this node stands for: itself, and those that were left as its duplicates."""
    return node.scores.get(MULTIPLICITY, 1.0)


def path_share(node: Node) -> float:
    """How probable the draws make the path to this node, in (0, 1]: the product over its steps of the share of the
    draws from the step's parent that were equal to the step.

    This is what a solution stands for where each step that stays is extended equally often, however often it was drawn.
    """
    share = 1.0
    for step in node.solution_path:
        if step.origin is Origin.SAMPLED and step.parent is not None:
            drawn = sum(n.origin is Origin.SAMPLED and n.label == step.label for n in step.parent.children)
            share *= multiplicity(step) / drawn
    return share


def vote_weights(scores: Sequence[float], scale: Scale) -> list[float]:
    """Scores as weights of votes, all at least 0.

    Probabilities weigh as they are, log-probabilities by their exponentials (the greatest 1). Unbounded scores
    weigh as they are too, those below 0 and NaN nothing. Where no solution would have any weight, all weigh the same.
    """
    if scale == "log_probability":
        top = max((s for s in scores if not math.isnan(s)), default=0.0)
        weights = [math.exp(s - top) if math.isfinite(s) else 0.0 for s in scores]
    else:
        weights = [s if s > 0 else 0.0 for s in scores]
    return weights if any(weights) else [1.0] * len(scores)


def scored_alone(method: str, scorer: str) -> None:
    """Raise UsageError for a registered scorer that compares solutions, where each is scored on its own."""
    if scorers.resolved(scorer)[0].of_set:
        raise UsageError(
            f"{method} scores each solution on its own, and {scorer} compares them",
            "Use self_consistency without weights, or another scorer",
        )


def revised(search: Search, newer: Answer, before: Answer) -> Answer:
    """The newer answer, which is proposed; where there is none, the answer before it."""
    if newer.value is None:
        return before
    search.propose(newer)
    return newer


class Solutions:
    """The finished solutions of one search, each with its worth. Proposes whenever they give another answer.

    As a context: when the budget ends inside, solutions that had come to their end by then are taken in too, scored if
    the scorer spends nothing. Equal worths are decided by the nodes' random streams, so that timing decides nothing.

    search: whose solutions they are.
    final: how they give one answer.
    scorer: what the worths come from; None: no scorer, and worths are only compared.
    stands_for: how much of what was drawn a solution stands for in the vote.
        `multiplicity`: each finished draw has one vote, for methods that merge only what has ended, or that extend a
        step as often as it was drawn. `path_share`: for methods that merge equal steps and go on from each of them
        equally often.
    """

    def __init__(
        self,
        search: Search,
        final: Final = "best",
        scorer: Scoring | None = None,
        *,
        stands_for: Callable[[Node], float] = multiplicity,
    ) -> None:
        self._search = search
        self._final = final
        self._scorer = scorer
        self._scale: Scale = "unbounded" if scorer is None else scale_of(scorer)
        self._stands_for = stands_for
        self._worths: dict[Node, float] = {}
        self.answer = Answer(None)

    async def __aenter__(self) -> Solutions:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, BudgetExhausted):
            return
        # Duplicates of what is known were taken in with it.
        late = [n for n in self._search.tree.nodes if n.complete and not n.fate and n not in self._worths]
        late = [n for n in late if self._own(n)]
        self.met(late)
        if self._scorer is not None:
            with suppress(BudgetExhausted):
                self.add(late, await worths(self._search, late, self._scorer))

    @property
    def best(self) -> float:
        """The greatest worth of a solution that states an answer; -inf without one."""
        return max((w for n, w in self._worths.items() if self.states(n)), default=-math.inf)

    def met(self, nodes: Sequence[Node]) -> None:
        """Take in those nodes that are finished solutions and not known yet, before anybody has said what they are
        worth: whoever says it may spend the rest of the budget."""
        new = [node for node in nodes if node not in self._worths]
        self.add(new, [-math.inf] * len(new))

    def add(self, nodes: Sequence[Node], values: Sequence[float]) -> None:
        """Take in those nodes that are finished solutions."""
        ended = [(n, v) for n, v in zip(nodes, values, strict=True) if n.finished and n.finish is not Finish.CANCELLED]
        if not ended:
            return
        self._worths.update(ended)
        answer = self._decide()
        if answer.value is not None and (answer.value, answer.node) != (self.answer.value, self.answer.node):
            self._search.propose(answer)
        self.answer = answer

    def _decide(self) -> Answer:
        nodes = sorted(self._worths, key=lambda n: n.stream.key)
        if self._final == "vote":
            weights = vote_weights([self._worths[n] for n in nodes], self._scale)
            return self._search.pick(nodes, [w * self._stands_for(n) for n, w in zip(nodes, weights, strict=True)])
        stated = [n for n in nodes if self.states(n)]
        if not stated:
            return Answer(None)
        return self._search.answer(max(stated, key=self._worths.__getitem__))

    def _own(self, node: Node) -> bool:
        """Whether it is a solution, not a reply to a question asked on the way."""
        return node.path()[0] is self._search.root

    def states(self, node: Node) -> bool:
        """Whether a solution states an answer."""
        return self._search.problem.answer_in(node) is not None
