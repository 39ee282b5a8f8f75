"""One continuation in flight, and the call that it belongs to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from clew.budget import Gauge
from clew.models.llamacpp.cells import Path
from clew.models.llamacpp.sampler import Draw
from clew.models.llamacpp.text import Bools, Vocabulary, first_match
from clew.sampling import Until
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


@dataclass(frozen=True, eq=False, slots=True)
class Ending:
    """Where a continuation ends, prepared for the token loop.

    stop, delimiters: as UTF-8. watch: bool[V], the tokens that can complete one of them, or None without any.
    room: tokens that the context length leaves.
    """

    until: Until
    stop: tuple[bytes, ...]
    delimiters: tuple[bytes, ...]
    watch: Bools | None
    room: int

    @staticmethod
    def of(until: Until, vocabulary: Vocabulary, room: int) -> Ending:
        stop = tuple(s.encode() for s in until.stop if s)
        delimiters = tuple(s.encode() for s in until.delimiters if s)
        strings = stop + delimiters
        return Ending(until, stop, delimiters, vocabulary.completing(strings) if strings else None, room)


@dataclass(eq=False, slots=True)
class Job:
    """One continuation.

    context: int32[P]. forced: int32[C], the tokens to score, or None to generate; text: what they say.
    done: tokens computed in the cells.
    target: int32[T], what must be in the cells before the next draw; None while decoding token by token.
    """

    call: Call
    gauge: Gauge
    context: Ints
    draw: Draw | None = None
    ending: Ending | None = None
    forced: Ints | None = None
    text: str = ""
    generated: list[int] = field(default_factory=list)
    stats: list[Floats] = field(default_factory=list)
    top_ids: list[Ints] = field(default_factory=list)
    top_logprob: list[Floats] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
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
        assert self.draw is not None and self.ending is not None
        self.generated.append(token)
        self.stats.append(stats)
        self.draw.advance(token)
        wanted = self.gauge.take()
        if vocabulary.ends[token]:
            return Finish.END
        ending = self.ending
        until = ending.until
        if ending.watch is not None or until.halt is not None:
            piece = vocabulary.pieces[token]
            self.data += piece
            if ending.watch is not None and ending.watch[token]:
                if first_match(self.data, len(piece), ending.stop) is not None:
                    return Finish.STOP
                if first_match(self.data, len(piece), ending.delimiters) is not None:
                    return Finish.STEP
            if until.halt is not None and until.halt(self.data.decode(errors="ignore")):
                return Finish.STEP
        count = len(self.generated)
        if (until.limit is not None and count >= until.limit) or count >= ending.room:
            return Finish.LENGTH
        if until.max_tokens is not None and count >= until.max_tokens:
            return Finish.STEP
        return None if wanted else Finish.CANCELLED

    def close(self, finish: Finish, vocabulary: Vocabulary) -> Segment:
        """The segment of what was generated."""
        ids = np.array(self.generated, np.int32)
        before = vocabulary.unfinished(self.context)
        final = finish in (Finish.END, Finish.LENGTH, Finish.STOP)
        text, offsets = vocabulary.text_of(ids, before, final=final)
        cut = 0
        if finish is Finish.STOP:
            assert self.ending is not None
            cut = len(text) - min(at for s in self.ending.stop if (at := text.find(s.decode())) >= 0)
            text = text[: len(text) - cut]
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
            cut=cut,
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
