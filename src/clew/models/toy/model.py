"""A model with a small vocabulary whose distribution over texts can be enumerated exactly, for tests."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from clew import registry
from clew.budget import Cost
from clew.errors import ContextOverflow, UsageError
from clew.ledger import Gauge
from clew.models.base import Context
from clew.models.ending import Watch
from clew.models.grammar import Masks
from clew.models.toy.drawing import Continuation, Distribution, DrawSettings, Ids
from clew.needs import Capability
from clew.problem import Message
from clew.registry import parse_spec
from clew.sampling import Grammar, Sampling, Stream, Until
from clew.tree import Finish, Segment

Source = Callable[[tuple[Message, ...], tuple[int, ...], str], ArrayLike]
"""(conversation, tokens of the solution so far, its text) → weights of the next token, [V], the end of the text last.

A token is -1 where inserted text is not in the vocabulary. The model normalises the weights.
"""

AS_IS = Sampling(temperature=1.0)
"""The model's own distribution."""
CACHED = 20_000
"""The most distributions, and the most grammar masks, that a model remembers: some tens of MB."""


class ToyModel:
    """A model whose distribution over texts can be enumerated. All its statistics are exact, at any concurrency.

    vocab: the text of each token. The end of the text is one more token, with the id `end` = len(vocab).
    source: gives the weights of the next token. It must depend on its arguments alone, since its results are cached.
    name: identifies the model.
    cost: what a token costs; nothing by default.
    context_length: the most tokens of a context; unlimited by default.

    Where bans and filters leave no token, the segment ends with finish `length`, and nothing is charged.

    Raises UsageError for a vocabulary that is empty or has empty or equal tokens.
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
            raise UsageError(
                f"the toy vocabulary {list(vocab)!r} has no, empty or equal tokens", "Give different texts"
            )
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
        self._cache: dict[tuple[str, Ids, str], Distribution] = {}
        self._grammars = Masks([token.encode() for token in self.vocab], [self.end])
        self._masks: dict[tuple[Grammar, str], bytes] = {}
        self._length = lru_cache(1024)(self.count)
        self.vocabulary: str | None = "toy " + hashlib.blake2b(repr(self.vocab).encode(), digest_size=16).hexdigest()

    # --- the model interface --------------------------------------------------------------------------------------

    async def extend(
        self, context: Context, *, until: Until, sampling: Sampling, streams: Sequence[Stream], gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.extend`. The event loop runs between two tokens."""
        self._check_room(context, 1)
        past = self.solution(context)
        room = None if self.context_length is None else self.context_length - len(context)
        continuations = [
            Continuation(past, context.text, stream, gauge, Watch(until, before=context.text, room=room))
            for stream, gauge in zip(streams, gauges, strict=True)
        ]
        settings = DrawSettings(sampling, context)
        live = continuations
        while live:
            for run in live:
                self._step(run, context, settings)
            live = [run for run in live if run.finish is None]
            await asyncio.sleep(0)
        return [one.segment(len(past), len(context.text), sampling.top) for one in continuations]

    async def score(
        self, contexts: Sequence[Context], continuations: Sequence[Segment], *, gauges: Sequence[Gauge]
    ) -> list[Segment]:
        """See `Model.score`. Text outside the vocabulary has log-probability -inf. The event loop runs between two
        tokens."""
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
        """The turns as lines `role: text`, then `assistant: `."""
        prompt = "".join(f"{m.role}: {m.text}\n" for m in messages) + "assistant: "
        return Context(tuple(messages), prompt, self.encode(prompt).token_ids)

    def encode(self, text: str) -> Segment:
        """Tokenise `text` greedily from the left by the longest tokens; a character outside the vocabulary is -1."""
        pieces = [(m.start(), self._ids.get(m.group(), -1)) for m in self._pieces.finditer(text)]
        return Segment(
            np.array([i for _, i in pieces], np.int32), text, np.array([start for start, _ in pieces], np.int32)
        )

    def count(self, text: str) -> int:
        """Tokens in `text`."""
        return len(self.encode(text))

    async def provenance(self) -> Mapping[str, str]:
        """See `Model.provenance`: the spec that the model was made from, or its name."""
        return {"engine": "toy", "spec": self.spec}

    async def close(self) -> None:
        """The model holds no resources."""

    # --- what is exact --------------------------------------------------------------------------------------------

    def text(self, ids: Sequence[int]) -> str:
        """The text of these tokens."""
        return "".join(self.vocab[i] for i in ids)

    def solution(self, context: Context) -> Ids:
        """The tokens of a context after its prompt."""
        return tuple(context.token_ids[self._length(context.prompt) :].tolist())

    def enumerate(
        self, max_tokens: int, *, sampling: Sampling = AS_IS, context: Context | None = None, above: float = 0.0
    ) -> dict[Ids, float]:
        """The exact probability of every continuation: token ids → probability.

        A continuation ends with the token `end` or is truncated at `max_tokens`. The probabilities sum to 1, less those
        of continuations that run into a dead end or are not followed.

        max_tokens: tokens of the longest continuation.
        sampling: how tokens are drawn; the model's own distribution by default.
        context: what is continued; the prompt of an empty conversation by default.
        above: continuations of this probability or less are not followed.
        """
        start = context if context is not None else self.render(())
        past, settings = self.solution(start), DrawSettings(sampling, start)

        def walk(ids: Ids, text: str, p: float) -> Iterator[tuple[Ids, float]]:
            if len(ids) == max_tokens or ids[-1:] == (self.end,):
                yield ids, p
                return
            step = self._next(start, past + ids, start.text + text)
            allowed = self._allowed(sampling.grammar, start.text + text)
            _, logq = step.proposal(settings, len(ids), past + ids, allowed)
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
        """The exact distribution proportional to probability times weight: (token ids → probability, normalising
        constant).

        weight: text of a continuation → its weight, at least 0.
        max_tokens, sampling, context: as in `enumerate`.

        Raises ValueError when every weight is 0.
        """
        prior = self.enumerate(max_tokens, sampling=sampling, context=context)
        weighted = {ids: p * weight(self.text(ids)) for ids, p in prior.items()}
        total = sum(weighted.values())
        if not total > 0:
            raise ValueError("no continuation has any weight")
        return {ids: w / total for ids, w in weighted.items() if w > 0}, total

    # --- drawing -----------------------------------------------------------------------------------------------

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

    def _next(self, context: Context, ids: Ids, text: str) -> Distribution:
        key = (context.prompt, ids, text)
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHED:
                self._cache.clear()
            weights = np.asarray(self._source(context.messages, ids, text), np.float64)
            if weights.shape != (len(self.vocab),) or not (weights.min() >= 0 and 0 < weights.sum() < np.inf):
                raise ValueError(f"{self.name} needs {len(self.vocab)} finite weights after {text!r}, not {weights}")
            found = self._cache[key] = Distribution(weights)
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

    def _step(self, run: Continuation, context: Context, settings: DrawSettings) -> None:
        if run.gauge.closed:
            run.finish = Finish.CANCELLED
            return
        offset = len(run.chosen)
        step = self._next(context, run.ids, run.text)
        cumulative, logq = step.proposal(settings, offset, run.ids, self._allowed(settings.sampling.grammar, run.text))
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
    """The toy model that `toy:NAME?key=value` or `toy:FILE.json` names.

    options: further parameters of the model.

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
