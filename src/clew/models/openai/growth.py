"""One continuation while it is being received: where it ends, what it is charged, and the segment it becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clew.budget import Gauge
from clew.models.openai.reply import Piece, spread
from clew.sampling import Sampling, Until
from clew.tree import Finish, Floats, Ints, Segment


class Growth:
    """One continuation. Feed it what arrives; it says when to stop listening.

    Steps and stop strings are found here, not by the server: a server that is given stop strings withholds them, and
    with them the tokens that the path consists of.

    asked: the most tokens that the server was asked for. echo: text of ours that the server may repeat at the
    beginning of its reply.
    """

    __slots__ = (
        "_blind",
        "_charged",
        "_cut",
        "_expected",
        "_held",
        "_longest",
        "_lost",
        "_offsets",
        "_thinking",
        "asked",
        "echo",
        "finish",
        "gauge",
        "text",
        "tokens",
        "until",
    )

    def __init__(self, until: Until, gauge: Gauge, *, asked: int | None = None, echo: str = "") -> None:
        self.until = until
        self.gauge = gauge
        self.asked = asked
        self.tokens: list[Piece] = []
        self.text = ""
        self.finish: Finish | None = None
        self._offsets: list[int] = []
        self._cut = 0
        self._charged = 0
        self._blind = True
        self._thinking = False
        self._expected = echo
        self.echo = echo
        self._held: list[Piece] = []
        marks = until.delimiters + until.stop
        self._longest = max(map(len, marks)) if marks else 0
        self._lost: tuple[list[Piece], str, list[int]] = ([], "", [])

    def restart(self) -> None:
        """Begin anew after a failed attempt. What was charged is not charged again."""
        if len(self.tokens) > len(self._lost[0]):
            self._lost = (self.tokens, self.text, self._offsets)
        self.tokens, self.text, self._offsets = [], "", []
        self._expected, self._held, self._thinking = self.echo, [], False
        self.finish = None

    def feed(self, pieces: Sequence[Piece]) -> None:
        """Take tokens in until one of them ends the continuation; sets `finish` then."""
        for piece in self._without_echo(pieces) if self._expected else pieces:
            if self.finish is not None:
                return
            self._add(piece)

    def think(self, reasoning: str, content: str) -> str:
        """The text of a reply whose reasoning comes apart from its content, with the reasoning in its tags."""
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
        """The server generated `count` tokens that it did not show: they are charged, and stand without text."""
        self.feed([Piece("")] * count)

    def ended(self, reason: str | None, used: int | None) -> None:
        """The server ended the continuation. used: tokens that it says it generated, where it can be trusted.

        Only `stop` (or a call of a tool) is an end of the text; with no reason given the text counts as truncated.
        """
        if self._expected and self._held:
            held, self._held, self._expected = self._held, [], ""
            self.feed(held)
        if self.finish is not None:
            return
        end = reason in ("stop", "eos", "tool_calls", "function_call")
        if used is not None and used > len(self.tokens):
            self._count(used, end)
        if self.finish is None:
            self.finish = Finish.END if end else self._truncation(reason, used)

    def _truncation(self, reason: str | None, used: int | None) -> Finish:
        count = self.asked if self._blind and used is None and reason == "length" else len(self.tokens)
        limit, cap = self.until.limit, self.until.max_tokens
        if count is None or (limit is not None and count >= limit):
            return Finish.LENGTH
        return Finish.STEP if cap is not None and count >= cap else Finish.LENGTH

    def _count(self, used: int, end: bool) -> None:
        if self._blind:
            self.tokens = spread(self.text, used)
            lengths = [len(p.text) for p in self.tokens]
            self._offsets = _starts(lengths)
        else:
            # The end-of-text token, or reasoning that is billed but not shown.
            self.tokens += [Piece("")] * (used - len(self.tokens))
            self._offsets += [len(self.text)] * (used - len(self._offsets))
        owed = used - self._charged
        if owed > 0:
            self._charged = used
            if not self.gauge.take(owed) and not end:
                self.finish = Finish.CANCELLED

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
                # No echo after all: what was held back was the model's.
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
        count = len(self.tokens)
        more = True
        if count > self._charged:
            self._charged = count
            more = self.gauge.take()
        until = self.until
        if self._longest and piece.text:
            window = max(0, begin - self._longest + 1)
            cuts = [at for s in until.stop if (at := self.text.find(s, window)) >= 0]
            if cuts:
                self._cut = len(self.text) - min(cuts)
                self.text = self.text[: min(cuts)]
                self.finish = Finish.STOP
                return
        if not more:
            self.finish = Finish.CANCELLED
        elif (self._longest and piece.text and any(self.text.find(d, window) >= 0 for d in until.delimiters)) or (
            until.halt is not None and until.halt(self.text)
        ):
            self.finish = Finish.STEP
        elif count == until.limit:
            self.finish = Finish.LENGTH
        elif count == until.max_tokens:
            self.finish = Finish.STEP

    def segment(self, sampling: Sampling, finish: Finish | None = None) -> Segment:
        """What was received as a segment; `finish` overrules."""
        if finish is Finish.CANCELLED and len(self._lost[0]) > len(self.tokens):
            self.tokens, self.text, self._offsets = self._lost
        return assemble(
            self.tokens, self.text, self._offsets, finish or self.finish or Finish.CANCELLED, sampling, self._cut
        )


def assemble(
    tokens: Sequence[Piece], text: str, offsets: Sequence[int], finish: Finish, sampling: Sampling, cut: int = 0
) -> Segment:
    """Received tokens as a segment, with the statistics that their alternatives allow."""
    logprob = np.array([p.logprob for p in tokens], np.float32)
    top_ids, top_logprob = _top(tokens)
    shown = min(sampling.top, top_logprob.shape[1])
    entropy, certainty = statistics(top_logprob)
    return Segment(
        token_ids=np.array([p.id for p in tokens], np.int32),
        text=text,
        offsets=np.array(offsets, np.int32),
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
    """Entropy and self-certainty, float32[T] each, from the k most probable tokens alone; NaN where there are none.

    top: float32[T, k], their log-probabilities, NaN where fewer than k are known.
    Entropy: -Σ p·log p over the k tokens, and the mass r that they leave counts as one more outcome (-r·log r). That is
    a lower bound: the rest is spread over at least one token.
    Certainty: -log k - mean(log p) over the k tokens: KL(uniform‖p) (arXiv:2502.18581, eq. 8) with these k as the
    vocabulary. Up to the constant log k it is the token confidence of DeepConf (arXiv:2508.15260).
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
    """The log-probability under the distribution drawn from, where it follows from the one under the model."""
    plain = sampling.repetition_penalty == 1 and not sampling.logit_bias
    if plain and sampling.temperature == 0:
        return np.zeros_like(logprob)
    if plain and sampling.temperature == 1 and sampling.top_k == 0 and sampling.top_p == 1 and sampling.min_p == 0:
        return logprob
    return logprob * np.float32(math.nan)


def _starts(lengths: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(lengths)[:-1].tolist()]
