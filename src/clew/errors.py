"""Every error that clew raises on purpose. A `ClewError` names its cause and its cure in one line."""

from __future__ import annotations


class ClewError(Exception):
    """A mistake or a failure that the user can act on; the command line prints it as one line and exits with 2.

    `cause` says what is wrong, `cure` what to do about it.
    """

    def __init__(self, cause: str, cure: str = "") -> None:
        super().__init__(f"{cause}. {cure}" if cure else cause)
        self.cause = cause
        self.cure = cure


class UsageError(ClewError):
    """What was asked for cannot be done as asked: an unknown name, a bad value, an unreadable file."""


class ModelError(ClewError):
    """A model could not be loaded, or failed for good after its retries."""


class ContextOverflow(ModelError):
    """One sequence alone does not fit into the model's context."""


class StoreError(ClewError):
    """A run file cannot be read or written."""


class BudgetExhausted(Exception):
    """Control flow, not a mistake: the budget is spent. The runner catches it and keeps the best proposal."""


def how_to_install(extra: str) -> str:
    """The cure for a missing package: how to install one of clew's extras from its clone."""
    return f"In the clone of clew, run: pip install -e '.[{extra}]'"
