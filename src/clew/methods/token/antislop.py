"""Antislop: undo a banned phrase when it has been written, and go on in another way from its first token."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated

from clew.methods.common.patterns import Occurrence, Patterns, read
from clew.methods.common.rewinding import Trail, grow, starts, stuck, token_at
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import tokens
from clew.search import Search
from clew.tree import Node, Tree

PREFIX = "instead of "


def undone(tree: Tree) -> Counter[str]:
    """How often each pattern was undone in a search."""
    return Counter(n.label.removeprefix(PREFIX) for n in tree.nodes if n.label.startswith(PREFIX))


@method(
    "antislop",
    family="token",
    paper="arXiv:2510.15061",
    needs={"text", "continue"},
    proof="tests/methods/token/test_antislop.py",
    departs="Biased by design: what is banned is not given back to the other continuations in proportion. The token is "
    "drawn again with the search's own settings instead of min-p 0.1. Where no alternative is left, a token before the "
    "phrase is undone too.",
)
async def antislop(
    search: Search,
    *,
    patterns: Sequence[str] | str = (),
    regexes: Sequence[str] | str = (),
    n: Count = 1,
    strength: Annotated[float, Range(above=0, high=1)] = 1.0,
    retries: Count = 16,
    limit: Count = 256,
    temperature: Temperature | None = None,
) -> Answer:
    """Write n solutions without banned phrases: rewind to the first token of one, down-weight it there, draw again.

    patterns: strings, in any case, as whole words; regexes: regular expressions; each a list or a file.
    strength: the first token's probability is multiplied by 10^(-10·strength) there (the paper's soft ban); at 1 it is
    banned outright, below 1 a token that is drawn again all the same is let through.
    retries: alternatives at one place before the token ahead of it is undone too. limit: rewinds a solution; after that
    it is cut before the phrase. n: the solutions vote.

    How often it was rewound and how many tokens were undone are scores of each final leaf (`antislop_rewinds`,
    `antislop_tokens`); `undone(tree)` counts by pattern.
    """
    banned = Patterns(read(patterns), read(regexes))
    trails = [Trail(search, at, search.at(temperature), retries, limit) for at in await starts(search, n)]
    leaves = await search.together(*(_Writer(trail, banned, strength).write() for trail in trails))
    return search.pick(leaves)


class _Writer:
    """Writes one solution. passing: where phrases begin that are let through."""

    def __init__(self, trail: Trail, patterns: Patterns, strength: float) -> None:
        self.trail = trail
        self.patterns = patterns
        self.strength = strength
        self.passing: frozenset[int] = frozenset()

    async def write(self) -> Node:
        trail, label, ended = self.trail, "", False
        while not ended:
            before = trail.node
            grown, ended = await self._grown(label)
            label = ""
            if stuck(grown):
                ended = not trail.undo(before, before.tokens)
                continue
            match = self._match(grown, len(before.solution), ended)
            if match is None:
                trail.node = grown
                continue
            label = PREFIX + match.pattern
            ended = not trail.undo(grown, self._first_token(grown, match) + 1)
            self.passing = frozenset(start for start in self.passing if start < len(trail.node.solution))
        trail.record("antislop")
        return trail.node

    async def _grown(self, label: str) -> tuple[Node, bool]:
        trail, node = self.trail, self.trail.node
        weighed = trail.banned(node.tokens)
        if self.strength == 1 or not weighed:
            return await trail.grow(self._halts(node), label)
        bias = dict(trail.sampling.logit_bias)
        for token in weighed:
            bias[token] = bias.get(token, 0.0) - 10 * self.strength * math.log(10)
        sampling = trail.sampling.but(logit_bias=bias)
        (node,) = await trail.search.extend(node, until=tokens(1), sampling=sampling, label=label)
        if node.finished:
            return node, True
        return await grow(trail.search, node, trail.sampling, halt=self._halts(node))

    def _halts(self, node: Node) -> Callable[[str], bool]:
        old, passing = len(node.solution), self.passing
        return lambda text: self.patterns.first(text, old=old, ended=False, passing=passing) is not None

    def _match(self, grown: Node, old: int, ended: bool) -> Occurrence | None:
        """The first match that is not let through. One whose first token was down-weighted and drawn again is."""
        while match := self.patterns.first(grown.solution, old=old, ended=ended, passing=self.passing):
            start = self._first_token(grown, match)
            if token_at(grown, start) not in self.trail.banned(start):
                return match
            self.passing |= {match.start}
        return None

    def _first_token(self, grown: Node, match: Occurrence) -> int:
        return self.trail.search.rewind(grown, chars=len(grown.solution) - match.start).tokens
