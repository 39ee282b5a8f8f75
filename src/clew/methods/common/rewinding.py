"""What the token-level methods share: growing a solution, and undoing its end."""

from __future__ import annotations

from collections.abc import Callable

from clew.errors import UsageError
from clew.sampling import Sampling, Until
from clew.search import Search
from clew.tree import Finish, Node

CHUNK = 64
"""Tokens of an extension that nothing halts: a model that cannot be halted is looked at so often."""


async def grow(
    search: Search, node: Node, sampling: Sampling, *, halt: Callable[[str], bool], label: str = ""
) -> tuple[Node, bool]:
    """A node that is grown until its solution ends, a chunk is full, or `halt` says so of the solution's text; and
    whether the solution has ended.

    A stop string that lies across the end of an earlier chunk ends it as well; the text is cut before it.
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
    """Whether an extension found no token that it was allowed to draw."""
    return node.finish is Finish.LENGTH and not len(node.segment)


def token_at(node: Node, position: int) -> int:
    """The id of the token at a position of the solution, counted from 0.

    Raises UsageError where the model does not tell: such a token cannot be banned.
    """
    for part in node.solution_path:
        if position < len(part.segment):
            token = int(part.segment.token_ids[position])
            if token < 0:
                raise UsageError("this server does not tell its tokens' ids", "Use the embedded engine")
            return token
        position -= len(part.segment)
    raise IndexError(position)


def token_ends(node: Node) -> list[int]:
    """Where in the solution each of its tokens ends, in characters."""
    ends: list[int] = []
    begin = 0
    for part in node.solution_path:
        segment = part.segment
        if len(segment):
            ends += (segment.offsets[1:] + begin).tolist()
            ends.append(begin + len(segment.text))
        begin += len(segment.text)
    return ends


class Trail:
    """A solution that is written, undone in part, and written on in another way.

    What was undone at a place may not be drawn there again, given the same beginning.
    retries: alternatives at one place before the token ahead of it is undone too. limit: how often it may be undone.
    rewinds: how often it was. undone: how many tokens that cost.
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
        """What was undone at this position."""
        return self._bans.get(position, frozenset())

    async def grow(self, halt: Callable[[str], bool], label: str = "") -> tuple[Node, bool]:
        """As the function `grow`, without what was undone here."""
        banned = self.banned(self.node.tokens)
        sampling = self.sampling.but(bans={0: banned}) if banned else self.sampling
        return await grow(self.search, self.node, sampling, halt=halt, label=label)

    def undo(self, grown: Node, length: int) -> bool:
        """Go back to before the last of the first `length` tokens of `grown`, and further where all alternatives have
        been tried. False when there is nothing left to try, or no more allowed."""
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
            # What was undone after this place followed another token here.
            self._bans = {p: banned for p, banned in self._bans.items() if p <= length}
            self._bans[length] = self.banned(length) | {token_at(grown, length)}
            if len(self._bans[length]) <= self.retries:
                return True

    def record(self, name: str) -> None:
        """Record on the final node how often it was rewound, and how many tokens were undone."""
        self.node.scores[f"{name}_rewinds"] = float(self.rewinds)
        self.node.scores[f"{name}_tokens"] = float(self.undone)
        self.search.propose(self.search.answer(self.node))


async def starts(search: Search, n: int) -> list[Node]:
    """Where n solutions that are written at the same time begin: each at a node of its own, so that none of them draws
    what another's rewinds leave, whatever the timing."""
    return [await search.insert(search.root, "", label="solution") for _ in range(n)] if n > 1 else [search.root]
