"""Where a continuation ends, for every model that generates token by token."""

from __future__ import annotations

from collections.abc import Sequence

from clew.sampling import Until
from clew.tree import Finish


class Watch:
    """Checks after each token whether an extension ends there (see `Until`).

    until: where it ends.
    before: the text of the solution so far, in which a stop string or delimiter may have begun.
    begun: the first bytes of an incomplete UTF-8 character at the end of the solution so far; they are not in `before`,
        and belong to the extension's text.
    room: tokens that the context length leaves; None where it is unknown.
    """

    __slots__ = (
        "_count",
        "_data",
        "_delimiters",
        "_start",
        "_step_from",
        "_stop",
        "_stop_from",
        "kept",
        "room",
        "until",
    )

    def __init__(self, until: Until, *, before: str = "", begun: bytes = b"", room: int | None = None) -> None:
        self.until = until
        self.room = room
        self.kept: int | None = None
        """Characters of the extension's text before the stop string; None until one occurs."""
        self._stop = tuple(s.encode() for s in until.stop if s)
        self._delimiters = tuple(s.encode() for s in until.delimiters if s)
        longest = max(map(len, self._stop + self._delimiters), default=0)
        past = before[-2 * longest :].encode() if longest else b""
        self._data = bytearray(past + begun)
        self._start = len(past)
        self._stop_from = _last_end(past, self._stop)
        self._step_from = _last_end(past, self._delimiters)
        self._count = 0

    @property
    def watching(self) -> bool:
        """Whether the text of the tokens matters, and not their number alone."""
        return bool(self._stop or self._delimiters or self.until.halt is not None)

    def take(self, piece: bytes, *, ends: bool, wanted: bool) -> Finish | None:
        """Why the extension ends with this token, or None.

        piece: the token's text.
        ends: whether the token is the model's end of the text.
        wanted: whether the budget allows another token.
        """
        self._count += 1
        until = self.until
        step = False
        if ends:
            return Finish.END
        if self.watching:
            self._data += piece
            stop = self._first(self._stop, len(piece), self._stop_from)
            if stop is not None:
                self.kept = len(self._data[self._start : stop].decode(errors="replace"))
                return Finish.STOP
            step = self._first(self._delimiters, len(piece), self._step_from) is not None
        if not wanted:
            return Finish.CANCELLED
        if step or (until.halt is not None and until.halt(self._data[self._start :].decode(errors="ignore"))):
            return Finish.STEP
        if self._count == self.room:
            return Finish.LENGTH
        return self._capped(self._count)

    def ended(self, count: int | None, *, ends: bool, wanted: bool) -> Finish:
        """Why the extension ended, where the generator (a server, say) stopped without being told to.

        count: tokens of the extension; None where unknown.
        ends, wanted: as in `take`.
        """
        if ends:
            return Finish.END
        if not wanted:
            return Finish.CANCELLED
        return (None if count is None else self._capped(count)) or Finish.LENGTH

    def _capped(self, count: int) -> Finish | None:
        """The finish at this number of tokens, if the limit of the solution or the cap of the extension is reached."""
        if self.until.limit is not None and count >= self.until.limit:
            return Finish.LENGTH
        return Finish.STEP if self.until.max_tokens is not None and count >= self.until.max_tokens else None

    def _first(self, strings: Sequence[bytes], fresh: int, since: int) -> int | None:
        """The first byte of the earliest of `strings` that begins at `since` or later and ends in the last `fresh`
        bytes; None where there is none."""
        data, found = self._data, None
        for string in strings:
            at = data.find(string, max(since, len(data) - fresh - len(string) + 1))
            if at >= 0 and (found is None or at < found):
                found = at
        return found


def _last_end(data: bytes, strings: Sequence[bytes]) -> int:
    """The byte of `data` after the last occurrence of any of `strings`; 0 where none occurs."""
    return max((at + len(s) for s in strings if (at := data.rfind(s)) >= 0), default=0)
