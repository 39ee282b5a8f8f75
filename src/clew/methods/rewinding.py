"""What the token-level methods share: growing a solution in chunks, and undoing its end."""

from __future__ import annotations

from clew.errors import UsageError
from clew.sampling import Sampling, tokens
from clew.search import Search
from clew.tree import Finish, Node


async def grow(search: Search, node: Node, size: int, sampling: Sampling, label: str = "") -> tuple[Node, bool]:
    """At most `size` tokens more, and whether the solution has ended.

    A stop string that lies across the end of an earlier chunk ends it as well; the text is cut before it.
    """
    (grown,) = await search.extend(node, until=tokens(size), sampling=sampling, label=label)
    text = grown.solution
    for stop in search.problem.stop:
        at = text.find(stop, max(0, len(node.solution) - len(stop) + 1))
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


class Bans:
    """What may not be drawn at each position of one solution, given the tokens before it.

    Undoing a position forgets what was banned after it: that was said of another beginning.
    """

    def __init__(self) -> None:
        self._at: dict[int, frozenset[int]] = {}

    def at(self, position: int) -> frozenset[int]:
        """What is banned at this position."""
        return self._at.get(position, frozenset())

    def add(self, position: int, token: int) -> None:
        """Ban a token at a position that the solution has been rewound to."""
        self._at = {p: banned for p, banned in self._at.items() if p <= position}
        self._at[position] = self.at(position) | {token}

    def applied(self, sampling: Sampling, position: int) -> Sampling:
        """The settings for an extension that begins at this position."""
        banned = self.at(position)
        return sampling.but(bans={0: banned}) if banned else sampling
