"""Token-level backtracking: a solution is written, its end is undone, and it is written on in another way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from clew.errors import UsageError
from clew.parameters import Count, Meaning
from clew.problem import Answer
from clew.sampling import Sampling, Until
from clew.search import Search
from clew.tree import Finish, Node

Retries = Annotated[
    Count, Meaning("Alternatives that are tried in one place before the token (or step) ahead of it is undone too.")
]
Rewinds = Annotated[Count, Meaning("The most rewinds of one solution, which then ends where it stands.")]

CHUNK = 64
"""The most tokens of one extension: so often the text of a model is checked that cannot be halted while it writes."""


async def grow(
    search: Search, node: Node, sampling: Sampling, *, halt: Callable[[str], bool], label: str = ""
) -> tuple[Node, bool]:
    """Extend a solution until it ends, `CHUNK` tokens were written, or `halt` says so of its text.

    A stop string that begins in an earlier extension and ends in this one ends the solution too: it is cut before it.

    search: the search, whose generating model writes.
    node: the solution so far.
    sampling: how tokens are drawn.
    halt: from the text of the solution to whether the extension ends there.
    label: why the new node exists.

    Returns the extended solution, and whether it has ended.
    """
    before = node.solution
    until = Until(max_tokens=CHUNK, halt=lambda text: halt(before + text))
    (grown,) = await search.extend(node, until=until, sampling=sampling, label=label)
    text = grown.solution
    for stop in search.problem.stop:
        at = text.find(stop, max(0, len(before) - len(stop) + 1))
        if at >= 0:
            return search.rewind(grown, chars=len(text) - at), True
    return grown, grown.finished


def stuck(node: Node) -> bool:
    """Whether an extension found no token that it was allowed to draw, because all are banned."""
    return node.finish is Finish.LENGTH and not len(node.segment)


def token_at(node: Node, position: int) -> int:
    """The id of the token at a position of the solution, counted from 0.

    Raises UsageError where the model does not tell it, as such a token cannot be banned, and IndexError for a position
    beyond the end of the solution.
    """
    for part in node.solution_path:
        if position < len(part.segment):
            token = int(part.segment.token_ids[position])
            if token < 0:
                raise UsageError(
                    "this server does not tell the ids of its tokens, so they cannot be banned",
                    "Use the embedded engine",
                )
            return token
        position -= len(part.segment)
    raise IndexError(position)


def token_ends(node: Node) -> list[int]:
    """Where each token of the solution ends, in characters from the beginning of the solution."""
    ends: list[int] = []
    begin = 0
    for part in node.solution_path:
        segment = part.segment
        if len(segment):
            ends += (segment.offsets[1:] + begin).tolist()
            ends.append(begin + len(segment.text))
        begin += len(segment.text)
    return ends


class Backtracker:
    """Writes one solution with backtracking: a token that was undone is banned in its place after the same beginning.

    search: the search, whose generating model writes.
    start: where the solution begins.
    sampling: how tokens are drawn.
    retries: how many alternatives are tried in one place before the token ahead of it is undone too.
    limit: how often the solution may be rewound.

    node: the solution so far.
    rewinds: how often it was rewound.
    undone: how many tokens were undone.
    """

    def __init__(self, search: Search, start: Node, sampling: Sampling, retries: int, limit: int) -> None:
        self.search = search
        self.node = start
        self.sampling = sampling
        self.retries = retries
        self.limit = limit
        self.rewinds = 0
        self.undone = 0
        self._bans: dict[int, frozenset[int]] = {}

    def banned(self, position: int) -> frozenset[int]:
        """The ids of the tokens that were undone at this position of the solution."""
        return self._bans.get(position, frozenset())

    async def grow(self, halt: Callable[[str], bool], label: str = "") -> tuple[Node, bool]:
        """Extend the solution as the function `grow` does, with the tokens banned that were undone in this place."""
        banned = self.banned(self.node.tokens)
        sampling = self.sampling.but(bans={0: banned}) if banned else self.sampling
        return await grow(self.search, self.node, sampling, halt=halt, label=label)

    def undo(self, grown: Node, length: int) -> bool:
        """Undo the last of the first `length` tokens of `grown` and all after it.

        Where all alternatives to that token have been tried, the tokens before it are undone too.

        grown: the solution whose end is undone.
        length: how many of its tokens there are up to and with the one that has to go.

        Returns False when nothing is left to try, or the limit on rewinds is reached.
        """
        self.rewinds += 1
        self.undone += grown.tokens - length
        while True:
            length -= 1
            if length < 0:
                return False
            self.undone += 1
            self.node = self.search.rewind(grown, tokens=grown.tokens - length)
            if self.rewinds > self.limit:
                return False
            # Bans in later places held after the token that is undone now, and no longer hold.
            self._bans = {p: banned for p, banned in self._bans.items() if p <= length}
            self._bans[length] = self.banned(length) | {token_at(grown, length)}
            if len(self._bans[length]) <= self.retries:
                return True

    def record(self, name: str) -> None:
        """Record on the final node how often it was rewound and how many tokens were undone, as scores of this name."""
        self.node.scores[f"{name}_rewinds"] = float(self.rewinds)
        self.node.scores[f"{name}_tokens"] = float(self.undone)


async def vote_of(search: Search, n: int, write: Callable[[Node], Awaitable[Node]]) -> Answer:
    """Write n solutions at the same time, and return their vote; that of those written so far is proposed each time.

    search: the search, whose tree is extended from its root.
    n: the number of solutions.
    write: writes one solution, from the node where it begins.
    """
    # Each begins at a node of its own, so that none of them draws what another one's rewinds leave over.
    starts = [await search.insert(search.root, "", label="solution") for _ in range(n)] if n > 1 else [search.root]
    written: dict[Node, Node] = {}

    async def add(start: Node) -> None:
        written[start] = await write(start)
        search.propose(search.pick([written[s] for s in starts if s in written]))

    await search.together(*(add(start) for start in starts))
    return search.proposals[-1].answer
