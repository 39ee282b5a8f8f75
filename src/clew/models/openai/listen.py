"""One reply while it is received: its events become the tokens of its continuations, and what it tells is believed
within reason."""

from __future__ import annotations

from collections.abc import Sequence

from clew.models.openai.failures import Event, Transient
from clew.models.openai.growth import Growth
from clew.models.openai.reply import Told, choices_of, counted, pieces, reason_of, spread, text_of, usage_of

BYTES_A_TOKEN = 4
_UNASKED = 1 << 17
"""The most generated tokens that a server is believed where no number was asked for."""
_SLACK = 1
"""Some servers count the end-of-text token beyond the number that was asked for."""


def estimate(text: str) -> int:
    """Tokens in `text`, at a token for four bytes."""
    return -(-len(text.encode()) // BYTES_A_TOKEN)


class Reply:
    """Feeds what one request brings to its growths.

    streams: whether the server streams; of one that does not, a reply is charged whole.
    """

    def __init__(self, growths: Sequence[Growth], *, streams: bool) -> None:
        self._growths = growths
        self._streams = streams
        self._usage = Told()
        self._generated: int | None = None
        self._prefilled: int | None = None
        self._reasons: dict[int, str] = {}

    def take(self, event: Event) -> bool:
        """Take an event in; whether another is wanted."""
        if event.get("usage"):
            self._usage = usage_of(event)
        timings = event.get("timings")
        if isinstance(timings, dict):
            self._generated = counted(timings.get("predicted_n"))
            self._prefilled = counted(timings.get("prompt_n"))
        for index, choice in choices_of(event):
            if index < len(self._growths):
                self._feed(self._growths[index], choice)
                reason = reason_of(choice)
                if reason is not None:
                    self._reasons[index] = reason
        # One that has just as many tokens as were asked for is about to end: its usage is worth the wait.
        return any(g.finish is None or len(g.tokens) == g.asked for g in self._growths)

    @property
    def whole(self) -> bool:
        """Whether every continuation has ended."""
        return all(g.finish or i in self._reasons for i, g in enumerate(self._growths))

    def end(self) -> int | None:
        """The reply is over. Returns how many prompt tokens the server computed, if it told.

        Raises Transient when a continuation is missing.
        """
        if not all(g.tokens or i in self._reasons for i, g in enumerate(self._growths)):
            raise Transient("the reply held too few choices" if self._reasons else "the reply held no choices")
        for index, growth in enumerate(self._growths):
            # Of several choices some servers count one only; an echo may be counted or not.
            used = self._believed(self._usage.completion, growth) if len(self._growths) == 1 else None
            growth.ended(self._reasons.get(index), None if growth.echo else used)
        if self._prefilled is not None:
            return self._prefilled
        prompt, _, cached = self._usage
        return None if prompt is None else max(0, prompt - (cached or 0))

    def _feed(self, growth: Growth, choice: Event) -> None:
        if growth.finish is not None:
            return
        text = growth.think(*text_of(choice))
        got = pieces(choice, text)
        if not got:
            return
        if "message" in choice and len(got) == 1 and got[0].logprob != got[0].logprob:
            got = spread(text, max(1, self._believed(self._usage.completion, growth) or estimate(text)))
        generated = self._believed(self._generated, growth)
        if generated is not None and reason_of(choice) is None:
            growth.missed(generated - len(growth.tokens) - len(got))
        growth.feed(got)
        if "delta" not in choice and not self._streams and len(growth.tokens) < len(got):
            growth.gauge.take(len(got) - len(growth.tokens))

    @staticmethod
    def _believed(claimed: int | None, growth: Growth) -> int | None:
        """What the server says that it generated; None where that is more than it was asked for."""
        most = _UNASKED if growth.asked is None else growth.asked + _SLACK
        return claimed if claimed is not None and claimed <= most else None
