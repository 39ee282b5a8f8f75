"""What tree searches share: scores that can be compared, siblings that differ, and the solutions found so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from clew.errors import BudgetExhausted, UsageError
from clew.problem import Answer
from clew.search import Scorer, Search
from clew.tree import Finish, Node, leave

Scoring = str | Scorer
"""A scorer, or the spec of a registered one (`name?key=value`)."""

Final = Literal["best", "vote"]
"""How the solutions that a search has found give one answer: the best one's, or the vote weighted by their scores."""

SCORER = "self_certainty"

BARREN = 16
"""After so many draws of further steps in a row that gave none that was not there, all steps are there."""


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


def said(node: Node) -> tuple[str, bool]:
    """What tells a partial solution from others: its text, and whether it has ended."""
    return node.solution, node.finished


def distinct(nodes: Sequence[Node]) -> list[Node]:
    """The nodes without those that say the same as an earlier one; these are left as duplicates."""
    seen: dict[tuple[str, bool], Node] = {}
    for node in nodes:
        seen.setdefault(said(node), node)
    kept = set(seen.values())
    leave((node for node in nodes if node not in kept), "duplicate")
    return list(seen.values())


def at_least(**values: int | float) -> None:
    """Raises UsageError for a parameter that is not at least 1."""
    for name, value in values.items():
        if value < 1:
            raise UsageError(f"{name}={value} leaves nothing to search", f"{name} must be at least 1")


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

    Raises UsageError for a `final` that is not known.
    """

    def __init__(self, search: Search, final: Final = "best", scorer: Scoring | None = None) -> None:
        if final not in ("best", "vote"):
            raise UsageError(f"final={final!r} is not known", "Choose best or vote")
        self._search = search
        self._final = final
        self._scorer = scorer
        self._worths: dict[Node, float] = {}
        self.answer = Answer(None)

    async def __aenter__(self) -> Solutions:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, BudgetExhausted):
            return
        late = [n for n in self._search.tree.nodes if n.complete and n not in self._worths and self._own(n)]
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
            # Scores below zero are no weights; without any above, all count alike.
            weights = [max(self._worths[n], 0.0) for n in nodes]
            return self._search.pick(nodes, weights if any(weights) else None)
        stated = [n for n in nodes if self.states(n)]
        if not stated:
            return Answer(None)
        return self._search.answer(max(stated, key=self._worths.__getitem__))

    def _own(self, node: Node) -> bool:
        """Whether it is a solution, not a reply to a question asked on the way."""
        return node.path()[0] is self._search.root

    def states(self, node: Node) -> bool:
        """Whether a solution states an answer."""
        return self._search.problem.extract(node.solution) is not None
