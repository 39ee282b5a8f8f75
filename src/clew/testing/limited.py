"""A model with some of its capabilities withheld, which finds needs that a method or scorer does not declare."""

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
    """A model without the capabilities that are not listed.

    It raises AssertionError where it is asked for another one. Without `logprobs`, its segments have no statistics.

    model: the model that does the work.
    capabilities: those of its capabilities that remain.
    """

    def __init__(self, model: Model, capabilities: Collection[str]) -> None:
        self._model = model
        self.name = model.name
        self.cost: Cost = model.cost
        self.context_length = model.context_length
        self.vocabulary = model.vocabulary
        # Log-probabilities come with the other statistics, so one need covers both.
        also = {Capability.EXACT_STATS} if Capability.LOGPROBS in capabilities else set()
        self.capabilities = frozenset(c for c in model.capabilities if c in capabilities or c in also)

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.extend`."""
        if context.text:
            self._demand(Capability.CONTINUE)
        segments = await self._model.extend(context, until=until, sampling=sampling, streams=streams, gauges=gauges)
        if Capability.LOGPROBS in self.capabilities:
            return segments
        return [Segment(s.token_ids, s.text, s.offsets, s.finish, exact=s.exact, cut=s.cut) for s in segments]

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.score`."""
        self._demand(Capability.SCORE)
        return await self._model.score(contexts, continuations, gauges=gauges)

    def render(self, messages: Sequence[Message]) -> Context:
        """See `Model.render`."""
        return self._model.render(messages)

    def encode(self, text: str) -> Segment:
        """See `Model.encode`."""
        return self._model.encode(text)

    def count(self, text: str) -> int:
        """See `Model.count`."""
        return self._model.count(text)

    async def provenance(self) -> Mapping[str, str]:
        """See `Model.provenance`."""
        return await self._model.provenance()

    async def close(self) -> None:
        """The caller owns the model and closes it."""

    def _demand(self, capability: Capability) -> None:
        assert capability in self.capabilities, f"the need {capability.value!r} is used and not declared"
