"""One continuation in flight, and the call that it belongs to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from clew.budget import Gauge
from clew.models.ending import Watch
from clew.models.llamacpp.parking import Path
from clew.models.llamacpp.sampler import Draw
from clew.models.llamacpp.text import Vocabulary
from clew.tree import Finish, Floats, Ints, Segment


def digest(tokens: Ints) -> bytes:
    """A name for a token path."""
    return hashlib.blake2b(tokens.tobytes(), digest_size=16).digest()


@dataclass(eq=False, slots=True)
class Call:
    """One `extend` or `score`: answered on `loop` when all of its jobs have ended."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Segment]]
    jobs: list[Job] = field(default_factory=list)
    left: int = 0
    abandoned: bool = False

    def answer(self) -> None:
        """Hand the segments over, from whatever thread."""
        segments = [j.segment for j in self.jobs if j.segment is not None]
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
class Job:
    """One continuation.

    context: int32[P]. prompt: how many of them are the prompt's.
    forced: int32[C], the tokens to score, or None to generate; text: what they say.
    done: tokens computed in the cells.
    target: int32[T], what must be in the cells before the next draw; None while decoding token by token.
    """

    call: Call
    gauge: Gauge
    context: Ints
    prompt: int
    draw: Draw | None = None
    watch: Watch | None = None
    forced: Ints | None = None
    text: str = ""
    generated: list[int] = field(default_factory=list)
    stats: list[Floats] = field(default_factory=list)
    top_ids: list[Ints] = field(default_factory=list)
    top_logprob: list[Floats] = field(default_factory=list)
    path: Path | None = None
    done: int = 0
    target: Ints | None = None
    key: bytes = b""
    segment: Segment | None = None

    @property
    def closed(self) -> bool:
        """Whether nobody wants it any more."""
        return self.call.abandoned or self.gauge.closed

    def all_tokens(self) -> Ints:
        """Context and what followed it, int32[P+T]."""
        if self.forced is not None:
            return np.concatenate([self.context, self.forced])
        if not self.generated:
            return self.context
        return np.concatenate([self.context, np.array(self.generated, np.int32)])

    def accept(self, token: int, stats: Floats, vocabulary: Vocabulary) -> Finish | None:
        """Take a drawn token: charge it, and say why the continuation ends with it, or None."""
        assert self.draw is not None and self.watch is not None
        self.generated.append(token)
        self.stats.append(stats)
        self.draw.advance(token)
        wanted = self.gauge.take()
        return self.watch.take(vocabulary.pieces[token], ends=bool(vocabulary.ends[token]), wanted=wanted)

    def close(self, finish: Finish, vocabulary: Vocabulary) -> Segment:
        """The segment of what was generated."""
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

    def close_scored(self, vocabulary: Vocabulary) -> Segment:
        """The segment of a scored continuation; of as much as was computed when it was given up."""
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
