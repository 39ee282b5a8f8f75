"""Requests: one continuation to generate or to score each, with its state, and the group that is answered together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from clew.ledger import Gauge
from clew.models.ending import Watch
from clew.models.llamacpp.sampler import Draw
from clew.models.llamacpp.swap_pool import CachedSequence
from clew.models.llamacpp.text import Vocabulary
from clew.tree import Finish, Floats, Ints, Segment

_EXPECTED = 512
"""Tokens that a continuation without a smaller cap is given room for at first: a usual solution."""


def digest(tokens: Ints) -> bytes:
    """A name for a sequence of tokens: 16 bytes, equal for equal tokens."""
    return hashlib.blake2b(tokens.tobytes(), digest_size=16).digest()


class RequestState(Enum):
    """Where a request stands between two turns of the scheduler.

        WAITING -> PREFILLING -> DECODING     to generate
        WAITING -> SCORING                    to score

    A request whose next logits are known goes from WAITING straight to DECODING. One that is preempted, because longer
    sequences leave no slot to it, goes back to WAITING from wherever it was.
    """

    WAITING = "waiting"  # it has no sequence in the KV cache
    PREFILLING = "prefilling"  # tokens of its context are computed, a share each turn
    DECODING = "decoding"  # one token each turn: the one drawn last is computed, the next one drawn
    SCORING = "scoring"  # context and continuation are computed, a share each turn, with logits for the continuation


@dataclass(eq=False, slots=True)
class RequestGroup:
    """The requests of one `extend` or `score`: answered on `loop` when all of them have ended.

    left: how many have not. abandoned: whether whoever waited has gone.
    """

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Segment]]
    requests: list[Request] = field(default_factory=list)
    left: int = 0
    abandoned: bool = False

    def answer(self) -> None:
        """Hand the segments over, from whatever thread. Every request must have ended."""
        segments = [r.segment for r in self.requests if r.segment is not None]
        self._post(lambda: self.future.set_result(segments))

    def fail(self, error: Exception) -> None:
        """Raise in whoever waits, from whatever thread."""
        self._post(lambda: self.future.set_exception(error))

    def _post(self, settle: Callable[[], None]) -> None:
        def deliver() -> None:
            if not self.future.done():
                settle()

        try:
            self.loop.call_soon_threadsafe(deliver)
        except RuntimeError:
            if not self.loop.is_closed():
                raise
            # The loop ended without waiting for the answer: there is nobody left to tell.


@dataclass(eq=False, slots=True)
class Request:
    """One continuation to generate, or to score.

    What is asked:
    group: whom it is answered with. gauge: meter of its search. context: int32[P], what is continued. prompt: how many
    of them are the prompt's. draw, watch: how tokens are drawn and where they end, when generating. forced: int32[C],
    the tokens to score, or None to generate; text: what they say.

    What has been done:
    state: see `RequestState`. sequence: its place in the KV cache, None while waiting. prefill: int32[T], tokens that
    must be in the cells before the next draw (PREFILLING), or before the last score (SCORING); empty otherwise.
    computed: how many leading tokens are in the cells. key: digest of the tokens after which logits are wanted, b''
    where it is not known yet or when scoring. generated, stats, top_ids, top_logprob: one entry a token.
    segment: the answer, once it has ended.
    """

    group: RequestGroup
    gauge: Gauge
    context: Ints
    prompt: int
    draw: Draw | None = None
    watch: Watch | None = None
    forced: Ints | None = None
    text: str = ""
    state: RequestState = RequestState.WAITING
    sequence: CachedSequence | None = None
    prefill: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    computed: int = 0
    key: bytes = b""
    generated: list[int] = field(default_factory=list)
    stats: list[Floats] = field(default_factory=list)
    top_ids: list[Ints] = field(default_factory=list)
    top_logprob: list[Floats] = field(default_factory=list)
    segment: Segment | None = None

    @property
    def closed(self) -> bool:
        """Whether nobody wants it any more."""
        return self.group.abandoned or self.gauge.closed

    def all_tokens(self) -> Ints:
        """Context and what followed it, int32[P+T]."""
        if self.forced is not None:
            return np.concatenate([self.context, self.forced])
        if not self.generated:
            return self.context
        return np.concatenate([self.context, np.array(self.generated, np.int32)])

    def expected_length(self, limit: int) -> int:
        """Tokens that it will probably need cells for, at most `limit`; a longer one makes its room later."""
        tokens = len(self.context) + len(self.generated)
        if self.forced is not None:
            return tokens + len(self.forced)
        cap = self.watch.until.cap if self.watch else None
        return min(tokens + min(_EXPECTED, _EXPECTED if cap is None else cap), limit)

    def begin(self, sequence: CachedSequence, state: RequestState, prefill: Ints | None = None) -> None:
        """Leave WAITING with a sequence that holds the first tokens already."""
        self.sequence, self.computed, self.state = sequence, len(sequence.tokens), state
        if prefill is not None:
            self.prefill = prefill

    def decode(self) -> None:
        """The logits after the last token are known: from now on it is a token a turn."""
        self.state, self.prefill = RequestState.DECODING, self.prefill[:0]

    def suspend(self) -> None:
        """Go back to WAITING; the sequence was released. What was drawn and scored stays."""
        self.state, self.sequence, self.prefill, self.key = RequestState.WAITING, None, self.prefill[:0], b""

    def accept(self, token: int, stats: Floats, vocabulary: Vocabulary) -> Finish | None:
        """Take a drawn token: charge it, and say why the continuation ends with it, or None."""
        assert self.draw is not None and self.watch is not None
        self.generated.append(token)
        self.stats.append(stats)
        self.draw.advance(token)
        wanted = self.gauge.take()
        return self.watch.take(vocabulary.pieces[token], ends=bool(vocabulary.ends[token]), wanted=wanted)

    def close(self, finish: Finish, vocabulary: Vocabulary) -> None:
        """Make the segment, of as much as there is. finish: why a generated one ended."""
        self.segment = self._generated(finish, vocabulary) if self.forced is None else self._scored(vocabulary)

    def _generated(self, finish: Finish, vocabulary: Vocabulary) -> Segment:
        ids = np.array(self.generated, np.int32)
        before = vocabulary.unfinished(self.context)
        final = finish in (Finish.END, Finish.LENGTH, Finish.STOP)
        text, offsets = vocabulary.text_of(ids, before, final=final)
        assert self.watch is not None
        whole = len(text)
        text = text[: self.watch.kept]
        offsets = np.minimum(offsets, len(text)).astype(np.int32)
        stats = np.array(self.stats, np.float32).reshape(-1, 4)
        return Segment(
            token_ids=ids,
            text=text,
            offsets=offsets,
            finish=finish,
            logprob=stats[:, 0].copy(),
            entropy=stats[:, 1].copy(),
            certainty=stats[:, 2].copy(),
            proposal_logprob=stats[:, 3].copy(),
            top_ids=_stacked(self.top_ids),
            top_logprob=_stacked(self.top_logprob),
            cut=whole - len(text),
        )

    def _scored(self, vocabulary: Vocabulary) -> Segment:
        assert self.forced is not None
        count, continuation = len(self.stats), self.text
        text, offsets = vocabulary.text_of(self.forced, b"", final=True)
        if text != continuation:
            # Tokenisers that add a space in front, or that normalise, do not give the very text back.
            offsets = np.minimum(offsets, len(continuation)).astype(np.int32)
        stats = np.array(self.stats, np.float32).reshape(-1, 4)
        whole = count == len(self.forced)
        return Segment(
            token_ids=self.forced[:count],
            text=continuation if whole else continuation[: int(offsets[count])],
            offsets=offsets[:count],
            finish=Finish.STEP if whole else Finish.CANCELLED,
            logprob=stats[:, 0].copy(),
            entropy=stats[:, 1].copy(),
            certainty=stats[:, 2].copy(),
        )


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray | None:
    return np.stack(rows) if rows else None
