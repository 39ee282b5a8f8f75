"""The interface between a search and whatever generates text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, runtime_checkable

import numpy as np

from clew.budget import Cost, Gauge
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from clew.tree import Ints, Segment


class Capability(StrEnum):
    """What a model can do."""

    TEXT = "text"  # generates text
    LOGPROBS = "logprobs"  # log-probabilities of the chosen tokens
    EXACT_STATS = "exact_stats"  # all of `Segment`'s statistics, from the full distribution
    PREFIX_SHARING = "prefix_sharing"  # computes a shared prefix once
    CONTINUE = "continue"  # truly continues a partial solution
    SCORE = "score"  # teacher forcing
    GRAMMAR = "grammar"
    HIDDEN = "hidden"
    STEER = "steer"
    VISION = "vision"
    EMBED = "embed"


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What a model continues.

    messages: the conversation. prompt: the conversation as the model's template renders it ('' where only
    a server knows).
    text: the solution so far. token_ids: int32[P+S], the tokens of prompt and solution so far; never re-tokenised.
    prompt_tokens: P; 0 where a model does not say it.
    A model that cannot tokenise has token_ids of the right length (estimated for the prompt) filled with -1.
    """

    messages: tuple[Message, ...]
    prompt: str
    token_ids: Ints
    text: str = ""
    prompt_tokens: int = 0

    def __len__(self) -> int:
        return len(self.token_ids)

    def extended(self, segments: Sequence[Segment]) -> Context:
        """The context after these segments."""
        return replace(
            self,
            text=self.text + "".join(s.text for s in segments),
            token_ids=np.concatenate([self.token_ids, *(s.token_ids for s in segments)]),
        )


@runtime_checkable
class Model(Protocol):
    """Anything that generates text. See `clew.testing.check_model` for what every implementation must keep."""

    name: str
    capabilities: frozenset[Capability]
    cost: Cost
    context_length: int | None

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """One continuation of `context` for each stream (and its gauge), in that order.

        Continuation i draws only from `streams[i]`, and charges each token with `gauges[i].take()` as it is generated.
        When that returns False, or the gauge is closed, the continuation ends at once with finish `cancelled` and
        what was generated so far (unless that very token completed the text: then it is `end` or `stop`). The others
        go on.

        Raises ContextOverflow when context and one token do not fit, ModelError when the model failed for good.
        """
        ...

    async def score(self, context: Context, continuation: str, *, gauge: Gauge) -> Segment:
        """Teacher forcing: `continuation` as a segment with the statistics that the model gives it after `context`."""
        ...

    def render(self, messages: Sequence[Message]) -> Context:
        """The conversation as a context to continue with the assistant's turn."""
        ...

    def encode(self, text: str) -> Segment:
        """`text` as a segment to insert into a solution (no statistics)."""
        ...

    def count(self, text: str) -> int:
        """Tokens in `text` (an estimate where the model cannot tokenise)."""
        ...

    async def close(self) -> None:
        """Free what the model holds. Idempotent."""
        ...
