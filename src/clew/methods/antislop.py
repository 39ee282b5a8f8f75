"""Antislop: undo a banned phrase when it has been written, and go on in another way from its first token."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from clew.errors import UsageError
from clew.methods.patterns import Match, Patterns, read
from clew.methods.rewinding import Bans, grow, stuck, token_at
from clew.methods.solutions import at_least
from clew.problem import Answer
from clew.registry import method
from clew.sampling import Sampling, tokens
from clew.search import Search
from clew.tree import Node, Tree

REWINDS = "antislop_rewinds"
"""The score of a final leaf that says how often its text was rewound."""
UNDONE = "antislop_tokens"
"""The score of a final leaf that says how many tokens were undone on the way to it."""
PREFIX = "instead of "
CHUNKS = (4, 32)
"""Tokens between two looks for patterns: the least, right after a rewind, and the most; doubled each time."""


def undone(tree: Tree) -> Counter[str]:
    """How often each pattern was undone in a search."""
    return Counter(n.label.removeprefix(PREFIX) for n in tree.nodes if n.label.startswith(PREFIX))


@method(
    "antislop",
    family="search",
    paper="arXiv:2510.15061",
    needs={"text", "continue"},
    proof="tests/methods/test_antislop.py",
    departs="Biased by design: what is banned is not given back to the other continuations in proportion. The token is "
    "drawn again with the search's own settings instead of min-p 0.1. Where no alternative is left, a token before the "
    "phrase is undone too.",
)
async def antislop(
    search: Search,
    *,
    patterns: Sequence[str] | str = (),
    regexes: Sequence[str] | str = (),
    n: int = 1,
    strength: float = 1.0,
    retries: int = 16,
    limit: int = 256,
    temperature: float | None = None,
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
    at_least(n=n, retries=retries, limit=limit)
    if not 0 < strength <= 1:
        raise UsageError(f"strength={strength} is not possible", "It must be in (0, 1] (1 bans outright)")
    banned = Patterns(read(patterns), read(regexes))
    sampling = search.at(temperature)
    # Each solution has a beginning of its own, so that none of them draws what another's rewinds leave.
    starts = [await search.insert(search.root, "", label="solution") for _ in range(n)] if n > 1 else [search.root]
    writers = [_Writer(search, banned, sampling, start, strength, retries, limit) for start in starts]
    leaves = await search.together(*(writer.write() for writer in writers))
    return search.pick(leaves)


class _Writer:
    """One solution while it is written."""

    def __init__(
        self,
        search: Search,
        patterns: Patterns,
        sampling: Sampling,
        start: Node,
        strength: float,
        retries: int,
        limit: int,
    ) -> None:
        self.search = search
        self.patterns = patterns
        self.sampling = sampling
        self.node = start
        self.strength = strength
        self.retries = retries
        self.limit = limit
        self.bans = Bans()
        self.passing: set[int] = set()
        self.rewinds = 0
        self.tokens = 0

    async def write(self) -> Node:
        size, label, ended = CHUNKS[0], "", False
        while not ended:
            before = self.node
            grown, ended = await self._grown(size, label)
            size, label = min(2 * size, CHUNKS[1]), ""
            if stuck(grown):
                ended = not self._undo(before, before.tokens)
                size = CHUNKS[0]
                continue
            match = self._match(grown, len(before.solution), ended)
            if match is None:
                self.node = grown
                continue
            self.node = self.search.rewind(grown, chars=len(grown.solution) - match.start)
            size, label = CHUNKS[0], PREFIX + match.pattern
            ended = not self._undo(grown, self.node.tokens + 1)
        self.node.scores[REWINDS] = float(self.rewinds)
        self.node.scores[UNDONE] = float(self.tokens)
        self.search.propose(self.search.answer(self.node))
        return self.node

    async def _grown(self, size: int, label: str) -> tuple[Node, bool]:
        node, at = self.node, self.node.tokens
        if self.strength == 1:
            return await grow(self.search, node, size, self.bans.applied(self.sampling, at), label)
        weighed = self.bans.at(at)
        if weighed:
            bias = dict(self.sampling.logit_bias)
            for token in weighed:
                bias[token] = bias.get(token, 0.0) - 10 * self.strength * math.log(10)
            (node,) = await self.search.extend(
                node, until=tokens(1), sampling=self.sampling.but(logit_bias=bias), label=label
            )
            if node.finished:
                return node, True
        return await grow(self.search, node, size, self.sampling, "" if weighed else label)

    def _match(self, grown: Node, old: int, ended: bool) -> Match | None:
        """The first match that does not pass. One whose first token was down-weighted and drawn again does."""
        while match := self.patterns.first(grown.solution, old=old, ended=ended, passing=self.passing):
            start = self.search.rewind(grown, chars=len(grown.solution) - match.start).tokens
            if token_at(grown, start) not in self.bans.at(start):
                return match
            self.passing.add(match.start)
        return None

    def _undo(self, grown: Node, length: int) -> bool:
        """Go back to before the last of the first `length` tokens of `grown`, and further where all alternatives have
        been tried. False when there is nothing left to try."""
        self.rewinds += 1
        self.tokens += grown.tokens - length
        while True:
            length -= 1
            if length < 0 or self.rewinds > self.limit:
                return False
            self.tokens += 1
            self.node = self.search.rewind(grown, tokens=grown.tokens - length)
            self.bans.add(length, token_at(grown, length))
            self.passing = {start for start in self.passing if start < len(self.node.solution)}
            if len(self.bans.at(length)) <= self.retries:
                return True
