"""What nearly every search needs: comparable scores, merging of equal steps, and the solutions found so far."""

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

Scoring = Annotated[str | Scorer, Spec("scorer"), Meaning("The scorer of partial and whole solutions.")]
"""A scorer, or the spec of a registered one (`name?key=value`)."""

ScorerSpec = Annotated[str, Spec("scorer"), Meaning("The scorer of solutions.")]
"""The spec of a registered scorer."""

Final = Annotated[
    Literal["best", "vote"],
    Meaning("How the solutions found give one answer: the best one's, or the vote weighted by their scores."),
]
"""How the solutions that a search has found give one answer.

best: the answer of the solution with the greatest value. vote: the answer whose solutions have the greatest sum of
values, each of them times the number of draws that the solution stands for (see `Solutions`).
"""

SCORER = "self_certainty"
"""The spec of the scorer that searches use unless another one is given: the one that works with any task."""

BARREN = 16
"""Stop after this many consecutive expansions that yield only duplicates: there are hardly any further steps then."""

MULTIPLICITY = "multiplicity"
"""The score under which a node records how many equal draws it stands for, where it stands for more than one."""


class Bounds:
    """The least and the greatest value in one tree, by which values are scaled to [0, 1] (arXiv:1911.08265, eq. 5).

    So the constants of a formula mean the same for any scorer.
    """

    def __init__(self) -> None:
        self.low = math.inf
        self.high = -math.inf

    def admit(self, value: float) -> float:
        """Take in a value and return it; for NaN or an infinite value, return the least one so far (0 before any)."""
        if not math.isfinite(value):
            return self.low if math.isfinite(self.low) else 0.0
        self.low, self.high = min(self.low, value), max(self.high, value)
        return value

    def scaled(self, value: float) -> float:
        """`value` scaled to [0, 1]; 0 while all values are equal."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0

    def unit(self, value: float) -> float:
        """`value` for a formula that expects [0, 1]: unchanged while all values lie there, otherwise scaled."""
        return value if self.low >= 0 and self.high <= 1 else self.scaled(value)


async def comparable_scores(search: Search, nodes: Sequence[Node], scorer: Scoring) -> list[float]:
    """The scorer's score of each node, with -inf in the place of NaN, so that any two scores can be compared.

    Raises what `Search.score` raises.
    """
    return [-math.inf if math.isnan(s) else s for s in await search.score(nodes, scorer)]


def distinct(nodes: Sequence[Node], known: Iterable[Node] = ()) -> list[Node]:
    """Merge equal steps of one parent: the first of them is kept, and the others are marked as its duplicates.

    The step that is kept stands for all of them (see `multiplicity`). Steps of different parents are never merged: they
    are different partial solutions, also where their texts are equal.

    nodes: steps that were just drawn.
    known: steps that were drawn before; new ones that are equal to them are merged into them.

    Returns the new steps that are kept.
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
    """What equal steps have in common: their parent, their text, and whether the solution ends with them."""
    return node.parent, node.segment.text, node.finished


def multiplicity(node: Node) -> float:
    """How many equal draws from its parent this node stands for: itself, and those that were merged into it."""
    return node.scores.get(MULTIPLICITY, 1.0)


def path_share(node: Node) -> float:
    """An estimate, in (0, 1], of the probability that the model writes the path to this node.

    It is the product over the steps of the path of the share of their parent's draws that were equal to the step. A
    search that extends each distinct step equally often, however often it was drawn, gives its solutions back in these
    proportions when they vote.
    """
    share = 1.0
    for step in node.solution_path:
        if step.origin is Origin.SAMPLED and step.parent is not None:
            # Draws of another kind below the same parent, such as rollouts, have another label.
            drawn = sum(n.origin is Origin.SAMPLED and n.label == step.label for n in step.parent.children)
            share *= multiplicity(step) / drawn
    return share


def vote_weights(scores: Sequence[float], scale: Scale) -> list[float]:
    """The weight that each solution has in a vote, at least 0.

    A probability is its own weight. A log-probability has its exponential as its weight, scaled so that the greatest
    weight is 1. An unbounded score is its own weight too, or 0 where it is negative. NaN has the weight 0. Where all
    weights would be 0, all are 1.

    scores: of the solutions, [N].
    scale: what kind of number the scores are.
    """
    if scale == "log_probability":
        top = max((s for s in scores if not math.isnan(s)), default=0.0)
        weights = [math.exp(s - top) if math.isfinite(s) else 0.0 for s in scores]
    else:
        weights = [s if s > 0 else 0.0 for s in scores]
    return weights if any(weights) else [1.0] * len(scores)


def scored_alone(method: str, scorer: str) -> None:
    """Refuse a scorer that compares solutions with each other, for a method that scores each solution on its own.

    method: the name of the method.
    scorer: the spec of the scorer.

    Raises UsageError for such a scorer.
    """
    if scorers.resolved(scorer)[0].of_set:
        raise UsageError(
            f"{method} scores each solution on its own, and {scorer} compares them with each other",
            "Use self_consistency without weights, or another scorer",
        )


def revised(search: Search, newer: Answer, before: Answer) -> Answer:
    """Propose a newer answer and return it; where the newer solution states none, return the answer before it."""
    if newer.value is None:
        return before
    search.propose(newer)
    return newer


class Solutions:
    """The finished solutions of one search with their values, and the answer that they give together.

    Whenever they give another answer than before, it is proposed. Among equal values the nodes' random streams decide,
    so that timing decides nothing.

    Used as a context manager, it also takes in the solutions that were finished by the time the budget ran out inside
    the context. They are scored, if the scorer spends nothing.

    search: the search whose solutions they are.
    final: how they give one answer.
    scorer: the scorer whose scores are the values; None where the values come from elsewhere.
    stands_for: how many draws, or what share of them, a solution stands for in the vote.
        `multiplicity`: one for each finished draw; for methods that merge only what has ended, and for those that
        extend a step as often as it was drawn. `path_share`: for methods that merge equal steps and extend each of
        them equally often.
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
        self._values: dict[Node, float] = {}
        self.answer = Answer(None)

    async def __aenter__(self) -> Solutions:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, BudgetExhausted):
            return
        # A node with a fate was merged into another one, or was left for some other reason.
        late = [n for n in self._search.tree.nodes if n.complete and not n.fate and n not in self._values]
        late = [n for n in late if self._is_solution(n)]
        self.add_unscored(late)
        if self._scorer is not None:
            with suppress(BudgetExhausted):
                self.add(late, await comparable_scores(self._search, late, self._scorer))

    @property
    def best(self) -> float:
        """The greatest value of a solution that states an answer; -inf where none does."""
        return max((w for n, w in self._values.items() if self.has_answer(n)), default=-math.inf)

    def add_unscored(self, nodes: Sequence[Node]) -> None:
        """Take in finished solutions before they are scored, as scoring them may spend the rest of the budget.

        nodes: nodes of the tree; those that are not finished, or were taken in before, are passed over.
        """
        new = [node for node in nodes if node not in self._values]
        self.add(new, [-math.inf] * len(new))

    def add(self, nodes: Sequence[Node], values: Sequence[float]) -> None:
        """Take in finished solutions with their values, and propose the answer that all solutions give, if it changes.

        nodes: nodes of the tree, [N]; those that are not finished are passed over.
        values: of the nodes, [N].
        """
        ended = [(n, v) for n, v in zip(nodes, values, strict=True) if n.finished and n.finish is not Finish.CANCELLED]
        if not ended:
            return
        self._values.update(ended)
        answer = self._decide()
        if answer.value is not None and (answer.value, answer.node) != (self.answer.value, self.answer.node):
            self._search.propose(answer)
        self.answer = answer

    def _decide(self) -> Answer:
        nodes = sorted(self._values, key=lambda n: n.stream.key)
        if self._final == "vote":
            weights = vote_weights([self._values[n] for n in nodes], self._scale)
            return self._search.pick(nodes, [w * self._stands_for(n) for n, w in zip(nodes, weights, strict=True)])
        stated = [n for n in nodes if self.has_answer(n)]
        if not stated:
            return Answer(None)
        return self._search.answer(max(stated, key=self._values.__getitem__))

    def _is_solution(self, node: Node) -> bool:
        """Whether a node belongs to a solution of the problem, and not to the reply to a question."""
        return node.path()[0] is self._search.root

    def has_answer(self, node: Node) -> bool:
        """Whether a solution states an answer."""
        return self._search.problem.answer_in(node) is not None
