"""The scorers of a search or of a whole run: each is made once, and closed at the end."""

from __future__ import annotations

from typing import Any

from clew import registry


class Scorers:
    """The scorers that a search or a run has made, by spec.

    A scorer may hold loaded weights, batches and caches. One that has an async method `close` without arguments is
    closed with them.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, Any]] = {}

    def of(self, spec: str) -> tuple[str, Any]:
        """The name under which the scores of a scorer are recorded (its shortest spec), and the scorer itself.

        The scorer is made at the first call for it.

        spec: a registered scorer with its parameters, `name?key=value`.

        Raises UsageError for an unknown name or parameter.
        """
        if spec not in self._made:
            whole = registry.scorers.spelled(spec)
            if whole not in self._made:
                self._made[whole] = (whole, registry.scorers.build(whole))
            self._made[spec] = self._made[whole]
        return self._made[spec]

    async def close(self) -> None:
        """Close every scorer that was made. Calling it again does nothing."""
        made = {id(scorer): scorer for _, scorer in self._made.values()}
        self._made.clear()
        for scorer in made.values():
            close = getattr(scorer, "close", None)
            if close is not None:
                await close()
