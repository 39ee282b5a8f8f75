"""The console that tables, trees and progress are drawn on."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from clew.cli.controls import visible


class Terminal(Console):
    """A console whose texts are shown as they are: none is read as markup, and none reaches the terminal as a command.

    stderr: whether it draws on standard error.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, emoji=False, markup=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See `rich.console.Console.render`: whatever is drawn passes here, before styles become escape sequences."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)
