"""`antislop`: a banned phrase is undone, and the solution is written on in another way from its first token."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated

from clew.methods.common.patterns import Occurrence, Patterns, read
from clew.methods.common.rewinding import Backtracker, Retries, Rewinds, grow, stuck, token_at, vote_of
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import tokens
from clew.search import Search
from clew.tree import Node, Tree

PREFIX = "instead of "
"""What the labels of nodes begin with that were written after a phrase was undone; the pattern follows."""


def undone(tree: Tree) -> Counter[str]:
    """How often each pattern was undone in a search with `antislop`, by its tree."""
    return Counter(n.label.removeprefix(PREFIX) for n in tree.nodes if n.label.startswith(PREFIX))


@method(
    "antislop",
    family="token",
    paper="arXiv:2510.15061",
    needs={"text", "continue"},
    proof="tests/methods/token/test_antislop.py",
    departs="The token is drawn again with the search's own sampling settings instead of min-p 0.1. Where no "
    "alternative is left, the token before the phrase is undone too. As in the paper, the result is not the model's "
    "distribution given that no phrase occurs: each token is drawn from what is allowed in its place.",
)
async def antislop(
    search: Search,
    *,
    patterns: Sequence[str] | str = (),
    regexes: Sequence[str] | str = (),
    n: Count = 1,
    strength: Annotated[float, Range(above=0, high=1)] = 1.0,
    retries: Retries = 16,
    limit: Rewinds = 256,
    temperature: Temperature | None = None,
) -> Answer:
    """Write n solutions without banned phrases: rewind to the first token of one, down-weight it there, draw again.

    How often a solution was rewound and how many tokens were undone are recorded as the scores `antislop_rewinds` and
    `antislop_tokens` of its leaf; `undone(tree)` counts by pattern. Without patterns nothing is banned.

    patterns: the banned strings, in any case, as whole words: a list, or the path of a file.
    regexes: the banned regular expressions: a list, or the path of a file.
    n: the number of solutions, which vote.
    strength: how strongly the first token of a phrase is down-weighted: its probability is multiplied by
        10^(-10·strength), the paper's soft ban. At 1 the token is banned outright; below 1, a phrase whose first token
        is drawn again all the same is let through.

    Raises UsageError for a file of patterns that cannot be read, for a pattern that is empty or not a regular
    expression, and for a regular expression that can backtrack without end.
    """
    banned = Patterns(read(patterns), read(regexes))
    sampling = search.at(temperature)

    async def write(start: Node) -> Node:
        return await _Writer(Backtracker(search, start, sampling, retries, limit), banned, strength).write()

    return await vote_of(search, n, write)


class _Writer:
    """Writes one solution without banned phrases.

    trail: the solution, which can be undone.
    patterns: what is banned.
    strength: how strongly the first token of a phrase is down-weighted, in (0, 1].

    passing: the places in the text where phrases begin that are let through.
    """

    def __init__(self, trail: Backtracker, patterns: Patterns, strength: float) -> None:
        self.trail = trail
        self.patterns = patterns
        self.strength = strength
        self.passing: frozenset[int] = frozenset()

    async def write(self) -> Node:
        """Write the solution to its end, and return its leaf."""
        trail, label, ended = self.trail, "", False
        while not ended:
            before = trail.node
            # 1. Write on, until a phrase, the end of the solution, or the end of the chunk.
            grown, ended = await self._grown(label)
            label = ""
            # 2. No token is allowed here: the token before this place is undone.
            if stuck(grown):
                ended = not trail.undo(before, before.tokens)
                continue
            # 3. No phrase: the text stays.
            match = self._match(grown, len(before.solution), ended)
            if match is None:
                trail.node = grown
                continue
            # 4. A phrase: undo it from its first token on. If that is no longer allowed, the solution ends before it.
            label = PREFIX + match.pattern
            ended = not trail.undo(grown, self._first_token(grown, match) + 1)
            self.passing = frozenset(start for start in self.passing if start < len(trail.node.solution))
        trail.record("antislop")
        return trail.node

    async def _grown(self, label: str) -> tuple[Node, bool]:
        """The solution written on with the undone tokens banned or down-weighted here, and whether it has ended."""
        trail, node = self.trail, self.trail.node
        weighed = trail.banned(node.tokens)
        if self.strength == 1 or not weighed:
            return await trail.grow(self._halts(node), label)
        # The bias holds in this place only: so one token is drawn with it, and the others without.
        bias = dict(trail.sampling.logit_bias)
        for token in weighed:
            bias[token] = bias.get(token, 0.0) - 10 * self.strength * math.log(10)
        sampling = trail.sampling.but(logit_bias=bias)
        (node,) = await trail.search.extend(node, until=tokens(1), sampling=sampling, label=label)
        if node.finished:
            return node, True
        return await grow(trail.search, node, trail.sampling, halt=self._halts(node))

    def _halts(self, node: Node) -> Callable[[str], bool]:
        """What ends an extension of `node`: a phrase in the text that cannot become another word any more."""
        old, passing = len(node.solution), self.passing
        return lambda text: self.patterns.first(text, old=old, ended=False, passing=passing) is not None

    def _match(self, grown: Node, old: int, ended: bool) -> Occurrence | None:
        """The first match that is not let through; one is, if its first token was down-weighted and drawn again."""
        while match := self.patterns.first(grown.solution, old=old, ended=ended, passing=self.passing):
            start = self._first_token(grown, match)
            if token_at(grown, start) not in self.trail.banned(start):
                return match
            self.passing |= {match.start}
        return None

    def _first_token(self, grown: Node, match: Occurrence) -> int:
        """The position in the solution of the token in which a match begins."""
        return self.trail.search.rewind(grown, chars=len(grown.solution) - match.start).tokens
