"""A reply while it is received: its events become tokens of its continuations. Implausible counts are not believed."""

from __future__ import annotations

from collections.abc import Sequence

from clew.models.openai.failures import Event, Transient
from clew.models.openai.growth import Growth
from clew.models.openai.reply import Told, choices_of, counted, pieces, reason_of, spread, text_of, usage_of

BYTES_A_TOKEN = 4
"""Bytes of text that count as one token where a server does not tokenise: usual for English."""
_UNASKED = 1 << 17
"""The greatest reported number of generated tokens that is believed where the request set no limit."""
_SLACK = 1
"""Tokens above the requested number that are believed: some servers count the end-of-text token as well."""


def estimate(text: str) -> int:
    """The estimated number of tokens in `text`."""
    return -(-len(text.encode()) // BYTES_A_TOKEN)


class Reply:
    """Distributes the reply to one request among its continuations.

    growths: the continuations, in the order of the reply's choices.
    streams: whether the server streams; the reply of a server that does not is charged whole.
    """

    def __init__(self, growths: Sequence[Growth], *, streams: bool) -> None:
        self._growths = growths
        self._streams = streams
        self._usage = Told()
        self._generated: int | None = None
        self._prefilled: int | None = None
        self._reasons: dict[int, str] = {}

    def take(self, event: Event) -> bool:
        """Process one event; whether another one is needed."""
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
        # A continuation with as many tokens as were asked for is about to end, and the usage comes after its end.
        return any(g.finish is None or len(g.tokens) == g.asked for g in self._growths)

    @property
    def whole(self) -> bool:
        """Whether every continuation has ended."""
        return all(g.finish or i in self._reasons for i, g in enumerate(self._growths))

    def end(self) -> int | None:
        """Process the end of the reply; returns how many prompt tokens the server computed, None where it did not say.

        Raises Transient when a continuation is missing.
        """
        if not all(g.tokens or i in self._reasons for i, g in enumerate(self._growths)):
            raise Transient("the reply held too few choices" if self._reasons else "the reply held no choices")
        for index, growth in enumerate(self._growths):
            # Some servers count only one of several choices, and some count an echo.
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
        """The reported number of generated tokens; None where it exceeds the number that was asked for."""
        most = _UNASKED if growth.asked is None else growth.asked + _SLACK
        return claimed if claimed is not None and claimed <= most else None
