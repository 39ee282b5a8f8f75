"""`pairwise`: a model decides which of two solutions is better, and a tournament of such decisions gives the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clew.parameters import Count
from clew.problem import Message
from clew.registry import scorer
from clew.sampling import Stream
from clew.scorers.base import spelled
from clew.scorers.judges.decisions import decide
from clew.scorers.judges.pointwise import JudgeRole, material
from clew.scorers.judges.tournament import Pair, Tournament, knockout, pivot, round_robin
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Scorer, Search

Kind = Literal["pivot", "knockout", "round_robin"]

WHICH = "Which solution is better, A or B? Reply with one letter."


@dataclass(frozen=True, slots=True)
class _Pairwise:
    """The scorer `pairwise`; see there for its fields."""

    name: str
    kind: Kind
    pivots: int
    both_orders: bool
    role: str

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        # Which solutions are compared depends on the nodes alone, not on the order in which they were written.
        draw = Stream("tournament", search.seed, *(node.stream.key for node in nodes)).generator()
        tournament = self._tournament([int(i) for i in draw.permutation(len(nodes))])
        try:
            pairs = next(tournament)
            while True:
                pairs = tournament.send(await self._compare(search, nodes, pairs))
        except StopIteration as ended:
            return list(ended.value)

    def _tournament(self, order: Sequence[int]) -> Tournament:
        if self.kind == "pivot":
            return pivot(order, self.pivots)
        return knockout(order) if self.kind == "knockout" else round_robin(order)

    async def _compare(self, search: Search, nodes: Sequence[Node], pairs: Sequence[Pair]) -> list[float]:
        """The probability that the first of each pair is the better one, for all pairs in one batch."""
        shown = [*pairs, *((b, a) for a, b in pairs)] if self.both_orders else list(pairs)
        asked = [(Message("user", material(search, nodes[a].solution, nodes[b].solution) + WHICH),) for a, b in shown]
        told = [float(d.probabilities[0]) for d in await decide(search, asked, ["A", "B"], role=self.role)]
        if not self.both_orders:
            return told
        swapped = [1.0 - p for p in told[len(pairs) :]]
        # Where the judge prefers another solution when the two change places, the comparison is a tie.
        return [
            (one + two) / 2 if (one > 0.5) == (two > 0.5) else 0.5
            for one, two in zip(told[: len(pairs)], swapped, strict=True)
        ]


@scorer(
    "pairwise",
    family="judge",
    paper="LLM-as-a-Verifier (Stanford, UC Berkeley and NVIDIA, 2026); knockout: arXiv:2501.13007",
    needs={"score"},
    proof="tests/scorers/judges/test_pairwise.py",
    scale="probability",
    of_set=True,
    departs="A comparison is the probability of the reply A against B, not a grade of each solution on 20 levels, and "
    "the judge writes nothing before it. Standings are Bradley-Terry strengths, not mean shares of wins, and who is "
    "shown first alternates: both let the best win more often (docs/scorers.md).",
)
def pairwise(
    *,
    tournament: Kind = "pivot",
    pivots: Count = 2,
    both_orders: bool = False,
    role: JudgeRole = "judge",
) -> Scorer:
    """The standing of a solution in a tournament in which a model decides which of two is better, in [0, 1].

    tournament: which of N solutions are compared.
        `pivot`: all with their neighbours and with k leaders, N + k(N-k) + C(k,2) comparisons. `knockout`: N-1
        comparisons. `round_robin`: all with each other, C(N,2) comparisons.
    pivots: k, the number of leaders of the pivot tournament.
    both_orders: whether every pair is compared in both orders, at twice the cost; two different decisions are a tie.
    """
    name = spelled("pairwise", tournament=tournament, pivots=pivots, both_orders=both_orders, role=role)
    return _Pairwise(name, tournament, pivots, both_orders, role)
