"""The interface between a search and whatever generates text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from clew.budget import Cost
from clew.errors import UsageError
from clew.ledger import Gauge
from clew.needs import Capability
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from clew.tree import Ints, Segment


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
    vocabulary: str | None
    """A fingerprint of the tokens. Models with equal fingerprints mean the same by a token id: one can go on from the
    tokens of the other. None where the tokens are not known: no other model can use them."""

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

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """Teacher forcing, all in one batch: each continuation with the statistics that its tokens have after its
        context (log-probability, entropy, certainty; finish `step`).

        contexts, continuations, gauges: of one length; a continuation is what `encode` gives, or a segment as it was
        sampled. Only the gauge's count of computed tokens is used; a gauge that is closed ends its continuation early
        (finish `cancelled`, with the tokens read so far).

        Raises ContextOverflow when a context and its continuation do not fit, ModelError when the model failed.
        """
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

    async def provenance(self) -> Mapping[str, str]:
        """What makes this model's tokens, for the record of a run: versions, formats, digests of files.

        No secrets, and no path of this machine beyond a file's name. Raises ModelError when a server cannot be asked.
        """
        ...

    async def close(self) -> None:
        """Free what the model holds. Idempotent."""
        ...


_CURES = {
    Capability.SCORE: ("cannot score a given text", "Use the embedded engine, or a server that echoes (vLLM)"),
    Capability.GRAMMAR: ("follows no grammar", "Use the embedded engine"),
}
"""What a model that lacks a capability cannot do, and what to do about it."""


def require(model: Model, capability: Literal[Capability.SCORE, Capability.GRAMMAR]) -> None:
    """Raise UsageError, with the cure, when the model lacks the capability."""
    if capability not in model.capabilities:
        problem, cure = _CURES[capability]
        raise UsageError(f"{model.name} {problem}", cure)
