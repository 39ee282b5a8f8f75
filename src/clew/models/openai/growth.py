"""A continuation while it is received from a server: its charges, and the segment that it becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clew.ledger import Gauge
from clew.models.ending import Watch
from clew.models.openai.reply import ENDS, Piece, spread
from clew.sampling import Sampling, Until
from clew.tree import Finish, Floats, Ints, Segment


class Growth:
    """One continuation that grows as tokens arrive; `finish` is set when it has ended.

    Steps and stop strings are found here, not by the server: a server that is given stop strings withholds them, and
    with them tokens of the path.

    until: where it ends.
    gauge: charges its tokens.
    asked: the most tokens that the server was asked for; None for no limit.
    before: the text of the solution so far.
    echo: text of ours that the server may repeat at the beginning of its reply.
    """

    __slots__ = (
        "_before",
        "_blind",
        "_charged",
        "_cut",
        "_expected",
        "_held",
        "_lost",
        "_offsets",
        "_thinking",
        "_watch",
        "asked",
        "echo",
        "finish",
        "gauge",
        "text",
        "tokens",
        "until",
    )

    def __init__(
        self, until: Until, gauge: Gauge, *, asked: int | None = None, before: str = "", echo: str = ""
    ) -> None:
        self.until = until
        self.gauge = gauge
        self.asked = asked
        self.echo = echo
        self._before = before
        self._charged = 0
        self._blind = True
        self._lost: tuple[list[Piece], str, list[int]] = ([], "", [])
        self._begin()

    def _begin(self) -> None:
        self.tokens: list[Piece] = []
        self.text = ""
        self.finish: Finish | None = None
        self._offsets: list[int] = []
        self._cut = 0
        self._thinking = False
        self._expected = self.echo
        self._held: list[Piece] = []
        self._watch = Watch(self.until, before=self._before)

    def restart(self) -> None:
        """Begin again after a failed attempt. Tokens that were charged are not charged again."""
        if len(self.tokens) > len(self._lost[0]):
            self._lost = (self.tokens, self.text, self._offsets)
        self._begin()

    def feed(self, pieces: Sequence[Piece]) -> None:
        """Add tokens until one of them ends the continuation, which sets `finish`."""
        for piece in self._without_echo(pieces) if self._expected else pieces:
            if self.finish is not None:
                return
            self._add(piece)

    def think(self, reasoning: str, content: str) -> str:
        """One text of a reply whose reasoning comes separately from its content; the reasoning gets thinking tags."""
        if not (reasoning or self._thinking):
            return content
        text = ""
        if reasoning:
            text = ("" if self._thinking else "<think>") + reasoning
            self._thinking = True
        if content and self._thinking:
            text += "</think>"
            self._thinking = False
        return text + content

    def missed(self, count: int) -> None:
        """Add `count` tokens that the server generated and did not send: they are charged, and have no text."""
        self.feed([Piece("")] * count)

    def ended(self, reason: str | None, used: int | None) -> None:
        """Note that the server ended the continuation.

        reason: its reason. Only those in `ENDS` mean a complete text; without a reason the text counts as truncated.
        used: tokens that it reports to have generated; None where that is unknown or not believed.
        """
        if self._expected and self._held:
            held, self._held, self._expected = self._held, [], ""
            self.feed(held)
        if self.finish is not None:
            return
        end = reason in ENDS
        count: int | None = max(len(self.tokens), used or 0)
        if self._blind and used is None and reason == "length":
            count = self.asked
        wanted = used is None or used <= len(self.tokens) or self._count(used)
        self.finish = self._watch.ended(count, ends=end, wanted=wanted)

    def _count(self, used: int) -> bool:
        """Charge tokens that were not sent, so that there are `used` in all; whether the budget allows another."""
        if self._blind:
            self.tokens = spread(self.text, used)
            lengths = [len(p.text) for p in self.tokens]
            self._offsets = _starts(lengths)
        else:
            # The end-of-text token, or reasoning that is billed but not shown.
            self.tokens += [Piece("")] * (used - len(self.tokens))
            self._offsets += [len(self.text)] * (used - len(self._offsets))
        owed, self._charged = used - self._charged, max(used, self._charged)
        return owed <= 0 or self.gauge.take(owed)

    def _without_echo(self, pieces: Sequence[Piece]) -> list[Piece]:
        kept: list[Piece] = []
        for piece in pieces:
            if not self._expected:
                kept.append(piece)
            elif self._expected.startswith(piece.text):
                self._expected = self._expected[len(piece.text) :]
                self._held.append(piece)
            elif piece.text.startswith(self._expected):
                kept.append(piece._replace(text=piece.text[len(self._expected) :]))
                self._expected = ""
            else:
                # This is not an echo, so the pieces held back are the model's own.
                kept += [*self._held, piece]
                self._expected = ""
        return kept

    def _add(self, piece: Piece) -> None:
        begin = len(self.text)
        self.tokens.append(piece)
        self._offsets.append(begin)
        self.text += piece.text
        if piece.logprob == piece.logprob:
            self._blind = False
        wanted = True
        if len(self.tokens) > self._charged:
            self._charged = len(self.tokens)
            wanted = self.gauge.take()
        self.finish = self._watch.take(piece.text.encode(), ends=False, wanted=wanted)
        if self._watch.kept is not None:
            self._cut = len(self.text) - self._watch.kept
            self.text = self.text[: self._watch.kept]

    def segment(self, sampling: Sampling, finish: Finish | None = None) -> Segment:
        """The tokens received so far as a segment. finish: replaces the continuation's own finish."""
        if finish is Finish.CANCELLED and len(self._lost[0]) > len(self.tokens):
            self.tokens, self.text, self._offsets = self._lost
        return assemble(
            self.tokens, self.text, self._offsets, finish or self.finish or Finish.CANCELLED, sampling, self._cut
        )


def assemble(
    tokens: Sequence[Piece], text: str, offsets: Sequence[int], finish: Finish, sampling: Sampling, cut: int = 0
) -> Segment:
    """Received tokens as a segment, with statistics computed from their most probable alternatives.

    offsets: the character of `text` at which each token begins.
    finish: why the continuation ended.
    sampling: how the server draws; `Sampling.top` alternatives are kept.
    cut: characters that a stop string removed.
    """
    logprob = np.array([p.logprob for p in tokens], np.float32)
    top_ids, top_logprob = _top(tokens)
    shown = min(sampling.top, top_logprob.shape[1])
    entropy, certainty = statistics(top_logprob)
    return Segment(
        token_ids=np.array([p.id for p in tokens], np.int32),
        text=text,
        offsets=np.minimum(np.array(offsets, np.int32), len(text)),
        finish=finish,
        logprob=logprob,
        entropy=entropy,
        certainty=certainty,
        proposal_logprob=_proposal(logprob, sampling),
        top_ids=top_ids[:, :shown] if shown else None,
        top_logprob=top_logprob[:, :shown] if shown else None,
        exact=False,
        cut=cut,
    )


def statistics(top: Floats) -> tuple[Floats, Floats]:
    """Entropy and certainty in nats, float32[T] each, from the k most probable tokens; NaN where there are none.

    top: float32[T, k], log-probabilities in nats of the most probable tokens; NaN where fewer than k are known.

    The entropy is -Σ p·log p over the k tokens, plus -r·log r for the remaining mass r, as if it were one token. It is
    a lower bound, since the mass is spread over at least one token. The certainty is -log k - mean(log p) over the k
    tokens, which is KL(uniform‖p) (arXiv:2502.18581, eq. 8) with these k tokens as the vocabulary. Up to the constant
    log k it is the token confidence of DeepConf (arXiv:2508.15260).
    """
    if not top.size:
        nothing = np.full(len(top), np.nan, np.float32)
        return nothing, nothing
    known = np.isfinite(top)
    count = known.sum(1)
    log_p = np.where(known, top, 0.0)
    p = np.where(known, np.exp(log_p), 0.0)
    rest = np.clip(1.0 - p.sum(1), 0.0, 1.0)
    rest_term = np.where(rest > 0, rest * np.log(np.maximum(rest, 1e-30)), 0.0)
    some = np.maximum(count, 1)
    entropy = np.where(count > 0, -(p * log_p).sum(1) - rest_term, np.nan)
    certainty = np.where(count > 0, -np.log(some) - log_p.sum(1) / some, np.nan)
    return entropy.astype(np.float32), certainty.astype(np.float32)


def _top(tokens: Sequence[Piece]) -> tuple[Ints, Floats]:
    width = max((len(p.top) for p in tokens), default=0)
    if not width:
        return np.empty((len(tokens), 0), np.int32), np.empty((len(tokens), 0), np.float32)
    ids = np.full((len(tokens), width), -1, np.int32)
    logprob = np.full((len(tokens), width), np.nan, np.float32)
    for row, piece in enumerate(tokens):
        for column, (token, value) in enumerate(piece.top):
            ids[row, column] = token
            logprob[row, column] = value
    return ids, logprob


def _proposal(logprob: Floats, sampling: Sampling) -> Floats:
    """The log-probability under the distribution that was drawn from, float32[T]; NaN where it cannot be derived from
    that under the model."""
    plain = sampling.repetition_penalty == 1 and not sampling.logit_bias
    if plain and sampling.temperature == 0:
        return np.zeros_like(logprob)
    if plain and sampling.temperature == 1 and sampling.top_k == 0 and sampling.top_p == 1 and sampling.min_p == 0:
        return logprob
    return logprob * np.float32(math.nan)


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(lengths)[:-1].tolist()]
