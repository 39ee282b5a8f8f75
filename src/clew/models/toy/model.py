"""A model over a tiny vocabulary whose distribution can be summed exactly: what samplers and searches are tested on."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from clew import registry
from clew.budget import Cost
from clew.errors import ContextOverflow, UsageError
from clew.ledger import Gauge
from clew.models.base import Context
from clew.models.draw import NO_BANS, Reals, log_softmax, proposal, statistics, top
from clew.models.ending import Watch
from clew.models.grammar import Masks
from clew.needs import Capability
from clew.problem import Message
from clew.registry import parse_spec
from clew.sampling import Grammar, Sampling, Stream, Until
from clew.tree import Finish, Floats, Segment

Source = Callable[[tuple[Message, ...], tuple[int, ...], str], ArrayLike]
"""The conversation, the tokens of the solution so far (-1 where inserted text is not of the vocabulary) and its text →
a weight for each token, [V], the last one for the end of the text; normalised by the model."""

Ids = tuple[int, ...]

AS_IS = Sampling(temperature=1.0)
BLOCK = 64
CACHED = 20_000


class ToyModel:
    """An enumerable model. Everything it says of its tokens is exact, and the same at any concurrency.

    vocab: the text of each token. The end of the text is one token more, with the id `end` = len(vocab).
    source: gives the distribution of the next token. A function of its arguments alone; what it gives is cached.

    A token that sampling leaves no choice for (all banned) ends the segment with finish `length`, uncharged.
    """

    def __init__(
        self,
        vocab: Sequence[str],
        source: Source,
        *,
        name: str = "toy",
        cost: Cost | None = None,
        context_length: int | None = None,
    ) -> None:
        if not vocab or any(not t for t in vocab) or len(set(vocab)) < len(vocab):
            raise UsageError("a toy vocabulary needs different, non-empty tokens", f"Not {list(vocab)!r}")
        self.name = name
        self.spec = name
        self.capabilities = frozenset(
            {
                Capability.TEXT,
                Capability.LOGPROBS,
                Capability.EXACT_STATS,
                Capability.CONTINUE,
                Capability.SCORE,
                Capability.GRAMMAR,
            }
        )
        self.cost = cost or Cost()
        self.context_length = context_length
        self.vocab = (*vocab, "")
        self.end = len(vocab)
        self._source = source
        self._ids = {token: i for i, token in enumerate(vocab)}
        longest_first = sorted(map(re.escape, vocab), key=len, reverse=True)
        self._pieces = re.compile("|".join([*longest_first, "."]), re.DOTALL)
        self._cache: dict[tuple[str, Ids, str], _Next] = {}
        self._grammars = Masks([token.encode() for token in self.vocab], [self.end])
        self._masks: dict[tuple[Grammar, str], bytes] = {}
        self._length = lru_cache(1024)(self.count)
        self.vocabulary: str | None = "toy " + hashlib.blake2b(repr(self.vocab).encode(), digest_size=16).hexdigest()

    # --- the model interface --------------------------------------------------------------------------------------

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.extend`. Between two tokens the event loop has its turn."""
        self._check_room(context, 1)
        past = self.solution(context)
        room = None if self.context_length is None else self.context_length - len(context)
        runs = [
            _Run(past, context.text, stream, gauge, Watch(until, before=context.text, room=room))
            for stream, gauge in zip(streams, gauges, strict=True)
        ]
        shape = _Shape(sampling, context)
        live = runs
        while live:
            for run in live:
                self._step(run, context, shape)
            live = [run for run in live if run.finish is None]
            await asyncio.sleep(0)
        return [run.segment(len(past), len(context.text), sampling.top) for run in runs]

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.score`. What is not of the vocabulary has log-probability -inf. Between two tokens the event loop
        has its turn."""
        for context, given in zip(contexts, continuations, strict=True):
            self._check_room(context, len(given))
        reads: list[list[tuple[float, float, float]]] = [[] for _ in contexts]
        for at in range(max(map(len, continuations), default=0)):
            for read, context, given, gauge in zip(reads, contexts, continuations, gauges, strict=True):
                if len(read) == at < len(given) and not gauge.closed:
                    read.append(self._read(context, given, at))
                    gauge.computed(1)
            await asyncio.sleep(0)
        return [
            given.scored(*np.array(read, np.float32).reshape(-1, 3).T)
            for read, given in zip(reads, continuations, strict=True)
        ]

    def render(self, messages: Sequence[Message]) -> Context:
        """The turns one below the other."""
        prompt = "".join(f"{m.role}: {m.text}\n" for m in messages) + "assistant: "
        return Context(tuple(messages), prompt, self.encode(prompt).token_ids)

    def encode(self, text: str) -> Segment:
        """`text` in the longest tokens that fit from the left; a character that is in none of them is a token -1."""
        pieces = [(m.start(), self._ids.get(m.group(), -1)) for m in self._pieces.finditer(text)]
        return Segment(
            np.array([i for _, i in pieces], np.int32), text, np.array([start for start, _ in pieces], np.int32)
        )

    def count(self, text: str) -> int:
        """Tokens in `text`."""
        return len(self.encode(text))

    async def provenance(self) -> Mapping[str, str]:
        """See `Model.provenance`: the spec that it was made of, or its name."""
        return {"engine": "toy", "spec": self.spec}

    async def close(self) -> None:
        """Nothing is held."""

    # --- what is exact --------------------------------------------------------------------------------------------

    def text(self, ids: Sequence[int]) -> str:
        """What these tokens say."""
        return "".join(self.vocab[i] for i in ids)

    def solution(self, context: Context) -> Ids:
        """The tokens of a context since its prompt."""
        return tuple(context.token_ids[self._length(context.prompt) :].tolist())

    def enumerate(
        self, max_tokens: int, *, sampling: Sampling = AS_IS, context: Context | None = None, above: float = 0.0
    ) -> dict[Ids, float]:
        """The probability of every continuation of `context` (of an empty one by default): those that end, `end`
        included, and those that `max_tokens` truncates. Sums to 1, but for what runs into a dead end.

        Only what is more probable than `above` is followed.
        """
        start = context if context is not None else self.render(())
        past, shape = self.solution(start), _Shape(sampling, start)

        def walk(ids: Ids, text: str, p: float) -> Iterator[tuple[Ids, float]]:
            if len(ids) == max_tokens or ids[-1:] == (self.end,):
                yield ids, p
                return
            step = self._next(start, past + ids, start.text + text)
            allowed = self._allowed(sampling.grammar, start.text + text)
            _, logq = step.proposal(shape, len(ids), past + ids, allowed)
            for token, lq in enumerate(logq):
                if (q := p * math.exp(lq)) > above:
                    yield from walk((*ids, token), text + self.vocab[token], q)

        return dict(walk((), "", 1.0))

    def posterior(
        self,
        weight: Callable[[str], float],
        max_tokens: int,
        *,
        sampling: Sampling = AS_IS,
        context: Context | None = None,
    ) -> tuple[dict[Ids, float], float]:
        """The distribution proportional to probability times `weight` of the text, and its normalising constant.

        Raises ValueError when nothing has any weight.
        """
        prior = self.enumerate(max_tokens, sampling=sampling, context=context)
        weighted = {ids: p * weight(self.text(ids)) for ids, p in prior.items()}
        total = sum(weighted.values())
        if not total > 0:
            raise ValueError("no continuation has any weight")
        return {ids: w / total for ids, w in weighted.items() if w > 0}, total

    # --- underneath -----------------------------------------------------------------------------------------------

    def _check_room(self, context: Context, tokens: int) -> None:
        if self.context_length is not None and len(context) + tokens > self.context_length:
            raise ContextOverflow(
                f"{len(context)} tokens and {tokens} more do not fit into {self.name}'s context of "
                f"{self.context_length}",
                "Shorten the prompt",
            )

    def _read(self, context: Context, given: Segment, at: int) -> tuple[float, float, float]:
        """Log-probability, entropy and certainty of token `at` of a continuation."""
        before, token = given.token_ids[:at].tolist(), int(given.token_ids[at])
        step = self._next(context, (*self.solution(context), *before), context.text + given.text[: given.offsets[at]])
        return float(step.logp[token]) if token >= 0 else -math.inf, step.entropy, step.certainty

    def _next(self, context: Context, ids: Ids, text: str) -> _Next:
        key = (context.prompt, ids, text)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            weights = np.asarray(self._source(context.messages, ids, text), np.float64)
            if weights.shape != (len(self.vocab),) or not (weights.min() >= 0 and 0 < weights.sum() < np.inf):
                raise ValueError(f"{self.name} needs {len(self.vocab)} finite weights after {text!r}, not {weights}")
            found = self._cache[key] = _Next(weights)
        return found

    def _allowed(self, grammar: Grammar | None, text: str) -> bytes | None:
        """The tokens that a grammar allows after a solution so far, as the bytes of bool[V]."""
        if grammar is None:
            return None
        key = (grammar, text)
        if key not in self._masks:
            if len(self._masks) >= CACHED:
                self._masks.clear()
            self._masks[key] = self._grammars.after(grammar, text.encode()).allowed().tobytes()
        return self._masks[key]

    def _step(self, run: _Run, context: Context, shape: _Shape) -> None:
        if run.gauge.closed:
            run.finish = Finish.CANCELLED
            return
        offset = len(run.chosen)
        step = self._next(context, run.ids, run.text)
        cumulative, logq = step.proposal(shape, offset, run.ids, self._allowed(shape.sampling.grammar, run.text))
        if not cumulative:
            run.finish = Finish.LENGTH
            return
        # The total is 1 up to rounding, and the last token with any probability takes what rounding leaves.
        token = min(bisect_right(cumulative, run.uniform(offset)), len(cumulative) - 1)
        run.steps.append(step)
        run.chosen.append(token)
        run.proposals.append(logq[token])
        run.offsets.append(len(run.text))
        run.ids = (*run.ids, token)
        run.text += self.vocab[token]
        piece, more = self.vocab[token].encode(), run.gauge.take()
        run.finish = run.watch.take(piece, ends=token == self.end, wanted=more)


def parse(spec: str, **options: object) -> ToyModel:
    """The toy model that `toy:NAME?key=value` or `toy:FILE.json` describes; `options` add to its parameters.

    Raises UsageError for an unknown name or parameter, and for an unreadable file.
    """
    name, params = parse_spec(spec)
    params.update(options)
    if name.endswith(".json"):
        name, params["path"] = "toy:table", name.removeprefix("toy:")
    entry = registry.models[name]
    made: ToyModel = entry.make(**entry.checked(params))
    told = "&".join(f"{key}={Path(str(value)).name if key == 'path' else value}" for key, value in params.items())
    made.spec = f"{name}?{told}" if told else name
    return made


class _Shape:
    """What makes a proposal of a distribution: the sampling settings, and the prompt that a penalty falls on."""

    __slots__ = ("_prompt", "_settings", "sampling")

    def __init__(self, sampling: Sampling, context: Context) -> None:
        s = self.sampling = sampling
        self._prompt = frozenset(context.token_ids.tolist())
        biases = tuple(sorted(s.logit_bias.items()))
        self._settings = (s.temperature, s.top_k, s.top_p, s.min_p, s.repetition_penalty, biases)

    def key(
        self, offset: int, ids: Ids, allowed: bytes | None
    ) -> tuple[object, frozenset[int], frozenset[int], object]:
        """The settings, what is banned, what a penalty falls on, and what a grammar allows. Equal keys make equal
        proposals."""
        seen: frozenset[int] = frozenset()
        if self.sampling.repetition_penalty != 1:
            seen = self._prompt.union(ids)
        return self._settings, self.sampling.bans.get(offset, NO_BANS), seen, allowed


class _Next:
    """The distribution of the next token after one context, and the proposals made of it."""

    __slots__ = ("_proposals", "_raw", "certainty", "entropy", "logp")

    def __init__(self, weights: Reals) -> None:
        with np.errstate(divide="ignore"):
            self._raw = np.log(weights)
        self.logp = log_softmax(self._raw)
        self.entropy, self.certainty = map(float, statistics(self.logp))
        self._proposals: dict[object, tuple[list[float], list[float]]] = {}

    def proposal(
        self, shape: _Shape, offset: int, ids: Ids, allowed: bytes | None = None
    ) -> tuple[list[float], list[float]]:
        """Cumulative probabilities up to the last possible token, [≤V] (empty in a dead end), and the
        log-probabilities [V]."""
        key = shape.key(offset, ids, allowed)
        found = self._proposals.get(key)
        if found is None:
            _, banned, seen, _ = key
            mask = None if allowed is None else np.frombuffer(allowed, np.bool_)
            logq = proposal(self._raw, shape.sampling, banned=banned, history=list(seen), allowed=mask)
            possible = np.flatnonzero(logq > -np.inf)
            cumulative = np.cumsum(np.exp(logq[: possible[-1] + 1])).tolist() if possible.size else []
            found = self._proposals[key] = (cumulative, logq.tolist())
        return found


class _Run:
    """One continuation while it grows."""

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
        self.steps: list[_Next] = []
        self.proposals: list[float] = []
        self.offsets: list[int] = []
        self.finish: Finish | None = None
        self._stream = stream
        self._uniforms: list[float] = []

    def uniform(self, at: int) -> float:
        if at >= len(self._uniforms):
            self._uniforms += self._stream.uniforms(at, BLOCK).tolist()
        return self._uniforms[at]

    def segment(self, past: int, written: int, count: int) -> Segment:
        """What was added to `past` tokens and `written` characters, with the `count` most probable tokens."""
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
