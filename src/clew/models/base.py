"""The interface that every model implements, and the context that a model continues."""

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
    """The text and tokens that a model continues: a prompt, and the solution so far.

    messages: the conversation.
    prompt: the conversation as the model's template renders it; empty where only the server knows it.
    token_ids: int32[P+S], the P tokens of the prompt and the S tokens of the solution so far, which are never tokenised
        anew. For a model that cannot tokenise, all are -1, and P is an estimate.
    text: the solution so far.
    prompt_tokens: P; 0 where the model does not report it.
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
    """A model that generates text. `clew.testing.check_model` checks what every implementation promises.

    name: identifies the model in traces and reports.
    capabilities: what it can do.
    cost: what its tokens cost.
    context_length: the most tokens of a context, the generated ones included; None where unknown.
    vocabulary: a fingerprint of its vocabulary. Models with equal fingerprints share their token ids, so one can
        continue the tokens of the other. None where the tokens are unknown: then no other model can use them.
    """

    name: str
    capabilities: frozenset[Capability]
    cost: Cost
    context_length: int | None
    vocabulary: str | None

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """Generate one continuation of `context` for each stream, in that order.

        Continuation i draws only from `streams[i]`, and charges each token with `gauges[i].take()` as it is generated.
        When that returns False, or the gauge is closed, the continuation ends at once with finish `cancelled` and keeps
        what was generated so far; if that token completed the text, the finish is `end` or `stop` instead. The other
        continuations go on.

        until: where each continuation ends.
        sampling: how tokens are drawn.
        streams: [n], the random streams.
        gauges: [n], the meters that charge the budget.

        Raises ContextOverflow when context and one token do not fit, ModelError when the model failed for good.
        """
        ...

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """Teacher forcing in one batch: the statistics of given tokens after their contexts.

        contexts: [n].
        continuations: [n], what `encode` returns, or segments as they were sampled.
        gauges: [n]; they count computed tokens only. A gauge that is closed ends its continuation early.

        Returns each continuation with log-probability, entropy and certainty, and finish `step`; one that ended early
        has finish `cancelled` and only the tokens read so far.

        Raises ContextOverflow when a context and its continuation do not fit, ModelError when the model failed.
        """
        ...

    def render(self, messages: Sequence[Message]) -> Context:
        """The conversation as a context to continue with the assistant's turn."""
        ...

    def encode(self, text: str) -> Segment:
        """`text` as a segment without statistics, to insert into a solution."""
        ...

    def count(self, text: str) -> int:
        """Tokens in `text` (an estimate where the model cannot tokenise)."""
        ...

    async def provenance(self) -> Mapping[str, str]:
        """What produces this model's tokens, for the record of a run: versions, formats, digests of files.

        It holds no secrets, and of paths only the names of files. Raises ModelError when a server cannot be asked.
        """
        ...

    async def close(self) -> None:
        """Free the model's resources. A second call does nothing."""
        ...


_CURES = {
    Capability.SCORE: ("cannot score a given text", "Use the embedded engine, or a server that echoes (vLLM)"),
    Capability.GRAMMAR: ("follows no grammar", "Use the embedded engine"),
}
"""Capability → (what a model without it cannot do, what the user can do about it)."""


def require(model: Model, capability: Literal[Capability.SCORE, Capability.GRAMMAR]) -> None:
    """Raise UsageError, which says what to do, when the model lacks the capability."""
    if capability not in model.capabilities:
        problem, cure = _CURES[capability]
        raise UsageError(f"{model.name} {problem}", cure)
