"""How a toy model draws: distributions of the next token, the proposals made of them, and growing continuations."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from clew.ledger import Gauge
from clew.models.base import Context
from clew.models.draw import NO_BANS, Reals, log_softmax, proposal, statistics, top
from clew.models.ending import Watch
from clew.sampling import Sampling, Stream
from clew.tree import Finish, Floats, Segment

Ids = tuple[int, ...]
"""Token ids."""
BLOCK = 64
"""Uniform numbers that a continuation takes from its stream at once; a multiple of four (see `Stream.uniforms`)."""


class DrawSettings:
    """What turns a distribution into a proposal: the sampling settings, and the prompt that penalties apply to.

    sampling: the settings.
    context: holds the prompt.
    """

    __slots__ = ("_prompt", "_settings", "sampling")

    def __init__(self, sampling: Sampling, context: Context) -> None:
        s = self.sampling = sampling
        self._prompt = frozenset(context.token_ids.tolist())
        biases = tuple(sorted(s.logit_bias.items()))
        self._settings = (s.temperature, s.top_k, s.top_p, s.min_p, s.repetition_penalty, biases)

    def key(
        self, offset: int, ids: Ids, allowed: bytes | None
    ) -> tuple[object, frozenset[int], frozenset[int], object]:
        """All that a proposal depends on besides the distribution: settings, banned tokens, penalised tokens, mask.

        offset: the position of the token in its extension.
        ids: the tokens of the solution before it.
        allowed: the mask of a grammar, as the bytes of bool[V]; None allows all tokens.
        """
        seen: frozenset[int] = frozenset()
        if self.sampling.repetition_penalty != 1:
            seen = self._prompt.union(ids)
        return self._settings, self.sampling.bans.get(offset, NO_BANS), seen, allowed


class Distribution:
    """The distribution of the next token after one context, and the proposals computed from it.

    weights: float64[V].
    """

    __slots__ = ("_proposals", "_raw", "certainty", "entropy", "logp")

    def __init__(self, weights: Reals) -> None:
        with np.errstate(divide="ignore"):
            self._raw = np.log(weights)
        self.logp = log_softmax(self._raw)
        self.entropy, self.certainty = map(float, statistics(self.logp))
        self._proposals: dict[object, tuple[list[float], list[float]]] = {}

    def proposal(
        self, settings: DrawSettings, offset: int, ids: Ids, allowed: bytes | None = None
    ) -> tuple[list[float], list[float]]:
        """The proposal for one position: (cumulative probabilities up to the last possible token, [≤V], empty in a dead
        end; log-probabilities, [V]). The parameters are those of `DrawSettings.key`."""
        key = settings.key(offset, ids, allowed)
        found = self._proposals.get(key)
        if found is None:
            _, banned, seen, _ = key
            mask = None if allowed is None else np.frombuffer(allowed, np.bool_)
            logq = proposal(self._raw, settings.sampling, banned=banned, history=list(seen), allowed=mask)
            possible = np.flatnonzero(logq > -np.inf)
            cumulative = np.cumsum(np.exp(logq[: possible[-1] + 1])).tolist() if possible.size else []
            found = self._proposals[key] = (cumulative, logq.tolist())
        return found


class Continuation:
    """One continuation while it grows.

    ids: the tokens of the solution so far.
    text: the text of the solution so far.
    stream: the random stream that it draws from.
    gauge: charges its tokens.
    watch: finds its end.
    """

    __slots__ = (
        "_stream",
        "_uniforms",
        "chosen",
        "finish",
        "gauge",
        "ids",
        "offsets",
        "proposals",
        "steps",
        "text",
        "watch",
    )

    def __init__(self, ids: Ids, text: str, stream: Stream, gauge: Gauge, watch: Watch) -> None:
        self.ids = ids
        self.text = text
        self.gauge = gauge
        self.watch = watch
        self.chosen: list[int] = []
        self.steps: list[Distribution] = []
        self.proposals: list[float] = []
        self.offsets: list[int] = []
        self.finish: Finish | None = None
        self._stream = stream
        self._uniforms: list[float] = []

    def uniform(self, at: int) -> float:
        """The uniform number in [0, 1) that draws the token at position `at`."""
        if at >= len(self._uniforms):
            self._uniforms += self._stream.uniforms(at, BLOCK).tolist()
        return self._uniforms[at]

    def segment(self, past: int, written: int, count: int) -> Segment:
        """The tokens drawn so far as a segment.

        past: tokens of the solution before it.
        written: characters of the solution before it.
        count: most probable tokens to record at each position.
        """
        assert self.finish is not None
        whole = self.text[written:]
        text = whole[: self.watch.kept]
        offsets = np.minimum(np.array(self.offsets, np.int32) - written, len(text)).astype(np.int32)
        best = [top(step.logp, count) for step in self.steps] if count else None
        shape = (len(self.steps), -1) if self.steps else (0, count)
        return Segment(
            np.array(self.ids[past:], np.int32),
            text,
            offsets,
            self.finish,
            logprob=_floats(step.logp[t] for step, t in zip(self.steps, self.chosen, strict=True)),
            entropy=_floats(step.entropy for step in self.steps),
            certainty=_floats(step.certainty for step in self.steps),
            proposal_logprob=_floats(self.proposals),
            top_ids=None if best is None else np.array(best, np.int32).reshape(shape),
            top_logprob=None
            if best is None
            else _floats(x for s, b in zip(self.steps, best, strict=True) for x in s.logp[b]).reshape(shape),
            cut=len(whole) - len(text),
        )


def _floats(values: Iterable[float]) -> Floats:
    return np.fromiter(values, np.float32)
