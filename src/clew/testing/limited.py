"""A model with fewer capabilities than it has, to find out what a method or a scorer needs without saying so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from clew.budget import Cost
from clew.ledger import Gauge
from clew.models.base import Context, Model
from clew.needs import Capability
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from clew.tree import Segment


class Limited:
    """`model`, but with no capability beyond `capabilities`.

    Where it is asked for another one, it raises AssertionError naming it; without `logprobs` its segments come without
    any statistics.
    """

    def __init__(self, model: Model, capabilities: Collection[str]) -> None:
        self._model = model
        self.name = model.name
        self.cost: Cost = model.cost
        self.context_length = model.context_length
        self.vocabulary = model.vocabulary
        # Who may read log-probabilities may read all that comes with them.
        also = {Capability.EXACT_STATS} if Capability.LOGPROBS in capabilities else set()
        self.capabilities = frozenset(c for c in model.capabilities if c in capabilities or c in also)

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """What the model writes, as far as it is allowed to."""
        if context.text:
            self._demand(Capability.CONTINUE)
        segments = await self._model.extend(context, until=until, sampling=sampling, streams=streams, gauges=gauges)
        if Capability.LOGPROBS in self.capabilities:
            return segments
        return [Segment(s.token_ids, s.text, s.offsets, s.finish, exact=s.exact, cut=s.cut) for s in segments]

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """What the model says, if it may."""
        self._demand(Capability.SCORE)
        return await self._model.score(contexts, continuations, gauges=gauges)

    def render(self, messages: Sequence[Message]) -> Context:
        """As the model does."""
        return self._model.render(messages)

    def encode(self, text: str) -> Segment:
        """As the model does."""
        return self._model.encode(text)

    def count(self, text: str) -> int:
        """As the model does."""
        return self._model.count(text)

    async def provenance(self) -> Mapping[str, str]:
        """As the model does."""
        return await self._model.provenance()

    async def close(self) -> None:
        """The model belongs to somebody else and stays open."""

    def _demand(self, capability: Capability) -> None:
        assert capability in self.capabilities, f"the need {capability.value!r} is used and not declared"
