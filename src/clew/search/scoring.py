"""The scorers of a search or of a whole run: each is made once, may hold what it likes, and is closed at the end."""

from __future__ import annotations

from typing import Any

from clew import registry


class Scorers:
    """Scorers by spec. A scorer may hold loaded weights, batches and caches; one with a `close` method (async, without
    arguments) is closed with them."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[str, Any]] = {}

    def of(self, spec: str) -> tuple[str, Any]:
        """The scorer that `spec` (`name?key=value`) names, made at the first call, and before it the name that its
        scores are recorded under: its shortest spec.

        Raises UsageError for an unknown name or parameter.
        """
        if spec not in self._made:
            whole = registry.scorers.spelled(spec)
            if whole not in self._made:
                self._made[whole] = (whole, registry.scorers.build(whole))
            self._made[spec] = self._made[whole]
        return self._made[spec]

    async def close(self) -> None:
        """Close what was made. Idempotent."""
        made = {id(scorer): scorer for _, scorer in self._made.values()}
        self._made.clear()
        for scorer in made.values():
            close = getattr(scorer, "close", None)
            if close is not None:
                await close()
