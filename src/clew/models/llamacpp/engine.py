"""The embedded engine: a GGUF model in this process, on llama.cpp."""

from __future__ import annotations

import asyncio
import hashlib
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from clew.budget import Cost
from clew.errors import ContextOverflow, ModelError, UsageError
from clew.ledger import Gauge
from clew.models.base import Context
from clew.models.ending import Watch
from clew.models.grammar import Masks
from clew.models.llamacpp import provenance
from clew.models.llamacpp.binding import Weights, library
from clew.models.llamacpp.format import compute_file, format_choice
from clew.models.llamacpp.kv_cache import KVCache
from clew.models.llamacpp.memory import bytes_of, plan
from clew.models.llamacpp.request import Request, RequestGroup
from clew.models.llamacpp.sampler import Draw
from clew.models.llamacpp.scheduler import Scheduler
from clew.models.llamacpp.template import ChatTemplate
from clew.models.llamacpp.text import Vocabulary
from clew.models.llamacpp.threads import ThreadControl, threads_choice
from clew.needs import Capability
from clew.parameters import Count
from clew.problem import Message
from clew.sampling import Sampling, Stream, Until
from clew.tree import Segment

LIVE = 128
"""Continuations computed in one batch at most, unasked: more gain next to nothing."""


class LlamaCppModel:
    """A model on llama.cpp. Can be used from any event loop and from several at once; see `clew.models.base.Model`.

    context: the most tokens of one sequence; what the model was trained for by default, less where `memory` does not
        hold that much.
    memory: the most that the model may take for everything, in bytes or as `900M` or `2G`. By default, beside the
        weights, what the work in flight needs, up to half a gigabyte or one and a half times the weights, and for long
        solutions up to a third of what is free and 4 GiB.
    threads: computed with, whatever else runs on this machine; by default one for each physical core, and fewer while
        others want the cores and that is faster.
    live: continuations computed in one batch at most; others wait.
    format: 'auto' (what `format_choice` says), or 'as shipped'.

    Equal seeds give equal text as long as the batches have equal shapes: llama.cpp computes slightly different logits
    in batches of other sizes, so a draw near a boundary may fall to the other side. With `live=1` every batch has one
    shape.

    Raises UsageError when the file is missing, damaged or of the wrong kind, or when the engine is not installed.
    """

    capabilities = frozenset(
        {
            Capability.TEXT,
            Capability.LOGPROBS,
            Capability.EXACT_STATS,
            Capability.PREFIX_SHARING,
            Capability.CONTINUE,
            Capability.SCORE,
            Capability.GRAMMAR,
        }
    )

    def __init__(
        self,
        path: Path,
        *,
        name: str = "",
        context: Count | None = None,
        memory: Count | str | None = None,
        threads: Count | None = None,
        live: Count = LIVE,
        format: Literal["auto", "as shipped"] = "auto",
    ) -> None:
        library()
        self._process = os.getpid()
        self.name = name or path.stem
        self._shipped = path
        self.file = compute_file(path) if format == "auto" and path.is_file() else path
        self._weights = weights = Weights(self.file)
        self.memory = plan(weights, live, None if memory is None else bytes_of(memory))
        fits = (self.memory.cells + self.memory.copies) // 2 // weights.kv_bytes // 256 * 256
        wanted = weights.context_length if context is None else context
        self.context_length: int | None = min(wanted, fits)
        self._limit = min(wanted, fits)
        self.cost = Cost(params=float(weights.params), layers=weights.layers, width=weights.width)
        self._vocabulary = Vocabulary(weights)
        self._grammars = Masks(self._vocabulary.pieces, np.flatnonzero(self._vocabulary.ends).tolist())
        self.vocabulary: str | None = _fingerprint(weights)
        begin, end = weights.mark("bos"), weights.mark("eos")
        self._begin = begin
        self._template = ChatTemplate(weights.chat_template, begin=begin, end=end, controls=weights.controls)
        self._cache = cache = KVCache(
            weights,
            memory=self.memory,
            length_limit=self._limit,
            slot_limit=live,
            threads=ThreadControl(threads or threads_choice(), fixed=threads is not None),
        )
        self._scheduler = Scheduler(cache, self._vocabulary, vocab_size=weights.vocab_size, live_limit=live)
        # Also at the interpreter's exit, and when the model is dropped without being closed.
        self._finalizer = weakref.finalize(self, _shut, self._scheduler, weights)

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.extend`. A dead end (every token banned) ends the segment with finish `length`."""
        room = self._room(context)
        self._check(sampling)
        begun = self._vocabulary.unfinished(context.token_ids)
        grammar = None
        if sampling.grammar is not None:
            grammar = self._grammars.after(sampling.grammar, context.text.encode() + begun)

        def request(group: RequestGroup, stream: Stream, gauge: Gauge) -> Request:
            draw = Draw(sampling, stream, context.token_ids, grammar and grammar.copy())
            watch = Watch(until, before=context.text, begun=begun, room=room)
            return Request(group, gauge, context.token_ids, context.prompt_tokens, draw=draw, watch=watch)

        return await self._ask(lambda group: [request(group, s, g) for s, g in zip(streams, gauges, strict=True)])

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.score`."""
        work = list(zip(contexts, continuations, gauges, strict=True))
        for context, given, _ in work:
            if len(given) > self._room(context):
                raise self._overflow(len(context) + len(given))
        reads = iter(
            await self._ask(
                lambda group: [
                    Request(
                        group, gauge, context.token_ids, context.prompt_tokens, forced=given.token_ids, text=given.text
                    )
                    for context, given, gauge in work
                    if len(given)
                ]
            )
        )
        nothing = np.zeros(0, np.float32)
        scored = []
        for given in continuations:
            read = next(reads) if len(given) else None
            if read is None or read.logprob is None or read.entropy is None or read.certainty is None:
                scored.append(given.scored(nothing, nothing, nothing))
            else:
                scored.append(given.scored(read.logprob, read.entropy, read.certainty))
        return scored

    def render(self, messages: Sequence[Message]) -> Context:
        """See `Model.render`; the template is the model file's own.

        Only what the template itself writes can be a control token: a message that spells the mark of the end of a turn
        does not end it.
        """
        parts = self._template.render(messages)
        prompt = "".join(text for text, _ in parts)
        begin = not (self._begin and prompt.startswith(self._begin))
        ids = [
            self._weights.tokenize(text, special=special, begin=begin and i == 0)
            for i, (text, special) in enumerate(parts)
        ]
        tokens = np.concatenate(ids)
        return Context(tuple(messages), prompt, tokens, prompt_tokens=len(tokens))

    def encode(self, text: str) -> Segment:
        """See `Model.encode`."""
        ids = self._weights.tokenize(text, special=False, begin=False)
        _, offsets = self._vocabulary.text_of(ids, b"", final=True)
        return Segment(ids, text, np.minimum(offsets, len(text)).astype(np.int32))

    def count(self, text: str) -> int:
        """See `Model.count`."""
        return len(self._weights.tokenize(text, special=False, begin=False))

    async def provenance(self) -> Mapping[str, str]:
        """See `Model.provenance`. Reads the whole model file the first time."""
        converted = self.file != self._shipped
        return provenance.engine() | {
            "format": format_choice().format if converted else "as shipped",
            "file": self._shipped.name,
            "sha256": await asyncio.to_thread(provenance.digest, self._shipped),
        }

    def cache_bytes(self) -> dict[str, int]:
        """What keys and values take now, in bytes: `cells` of sequences in slots, and host `copies`."""
        return self._cache.taken()

    async def close(self) -> None:
        """See `Model.close`; what is in flight fails with ModelError."""
        await asyncio.to_thread(self._finalizer)

    async def _ask(self, requests: Callable[[RequestGroup], list[Request]]) -> list[Segment]:
        """The segments of these requests, in their order, when all have ended.

        Raises ModelError in a process that was forked from the one that loaded the model: threads do not come along.
        """
        if os.getpid() != self._process:
            raise ModelError(
                f"{self.name} was loaded before this process was forked, and its engine stayed behind",
                "Name the model instead, so that this process loads its own, or start processes by 'spawn'",
            )
        loop = asyncio.get_running_loop()
        group = RequestGroup(loop, loop.create_future())
        group.requests = requests(group)
        group.left = len(group.requests)
        if not group.requests:
            return []
        self._scheduler.submit(group)
        try:
            return await group.future
        except asyncio.CancelledError:
            group.abandoned = True
            self._scheduler.wake()
            raise

    def _room(self, context: Context) -> int:
        if not len(context):
            raise UsageError("an empty context cannot be continued", "Give the model at least one token")
        if len(context) >= self._limit:
            raise self._overflow(len(context) + 1)
        return self._limit - len(context)

    def _overflow(self, needed: int) -> ContextOverflow:
        return ContextOverflow(
            f"{needed} tokens do not fit into {self.name}'s context of {self._limit}", "Shorten the prompt"
        )

    def _check(self, sampling: Sampling) -> None:
        size = self._weights.vocab_size
        ids = [*sampling.logit_bias, *(t for banned in sampling.bans.values() for t in banned)]
        wrong = next((i for i in ids if not 0 <= i < size), None)
        if wrong is not None:
            raise UsageError(f"{self.name} has no token {wrong}", f"Its tokens are 0 … {size - 1}")


def _fingerprint(weights: Weights) -> str:
    """See `Model.vocabulary`: a digest of what every token is, in the order of their ids."""
    tokens = hashlib.blake2b(digest_size=16)
    for i in range(weights.vocab_size):
        tokens.update(weights.lib.llama_vocab_get_text(weights.vocab, i) + b"\0")
    return f"llama.cpp {tokens.hexdigest()}"


def _shut(scheduler: Scheduler, weights: Weights) -> None:
    scheduler.close()
    weights.close()
