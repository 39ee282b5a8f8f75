"""The conformance suite of models, `check_model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clew.background import run_afresh
from clew.budget import Budget
from clew.ledger import Ledger
from clew.models.base import Context, Model
from clew.needs import Capability
from clew.problem import Message
from clew.sampling import GREEDY, Sampling, Stream, Until, tokens
from clew.tree import Finish, Segment

QUESTION = (Message("user", "Write a few words about the sea."),)


def check_model(model: Model, *, question: Sequence[Message] = QUESTION, repeatable: bool = True) -> None:
    """Check that `model`

    - gives segments whose arrays agree in length, whose offsets rise through the text, and whose statistics are
      possible (log-probabilities at most 0, entropies at least 0);
    - stops at a cap with finish `step`, at a limit with `length`, at a delimiter with `step` and the token whole,
      before a stop string with `stop`;
    - charges each generated token once; ends a continuation when its gauge refuses a token or is closed, and keeps what
      was generated;
    - continues a partial solution, and draws the same tokens from the same stream;
    - reports its provenance as text;
    - closes twice without an error.

    model: the model, which is closed afterwards.
    question: the conversation that it is tried on.
    repeatable: whether the same streams must give the same tokens; a server may not promise that.

    Raises AssertionError that names the broken promise.
    """
    run_afresh(_check(model, question, repeatable))


async def _check(model: Model, question: Sequence[Message], repeatable: bool) -> None:
    context = model.render(question)
    plain = Sampling(temperature=1.0)
    (capped,) = await _extend(model, context, tokens(5), plain)
    _check_segment(model, capped)
    assert len(capped) <= 5, f"{model.name} wrote {len(capped)} tokens where 5 were allowed"
    if len(capped) == 5 and capped.finish is not Finish.END:
        assert capped.finish is Finish.STEP, f"a cap on the extension ended it with {capped.finish}, not step"
    (limited,) = await _extend(model, context, Until(limit=3), plain)
    if len(limited) == 3 and limited.finish is not Finish.END:
        assert limited.finish is Finish.LENGTH, f"the limit on the solution ended it with {limited.finish}, not length"

    several = await _extend(model, context, tokens(8), plain, n=4)
    assert len(several) == 4, f"{model.name} gave {len(several)} continuations for 4 streams"
    for segment in several:
        _check_segment(model, segment)
    if repeatable:
        again = await _extend(model, context, tokens(8), plain, n=4)
        assert [s.text for s in several] == [s.text for s in again], (
            f"{model.name} drew differently from the same streams"
        )

    (greedy,) = await _extend(model, context, tokens(24), GREEDY)
    await _check_ends(model, context, greedy)
    await _check_gauges(model, context)

    if Capability.CONTINUE in model.capabilities and len(greedy) >= 4:
        head = greedy.head(2)
        (rest,) = await _extend(model, context.extended([head]), tokens(len(greedy) - 2), GREEDY)
        assert rest.text[:1] == greedy.text[len(head.text) :][:1], (
            f"{model.name} did not continue a partial solution: {head.text!r} was followed by {rest.text!r}, "
            f"in one piece it was {greedy.text!r}"
        )
    if Capability.SCORE in model.capabilities:
        await _check_score(model, context, greedy)
    told = await model.provenance()
    plain_text = all(isinstance(text, str) for fact in told.items() for text in fact)
    assert told and plain_text, f"{model.name} says of itself {told!r}, which is not a mapping of text to text"
    await model.close()
    await model.close()


async def _extend(
    model: Model, context: Context, until: Until, sampling: Sampling, n: int = 1, seed: int = 0
) -> list[Segment]:
    ledger = Ledger(Budget())
    gauges = [ledger.open(model.name, "generate", model.cost, fresh=0, reused=len(context)) for _ in range(n)]
    streams = [Stream("check_model", seed, i) for i in range(n)]
    segments = await model.extend(context, until=until, sampling=sampling, streams=streams, gauges=gauges)
    for segment, gauge in zip(segments, gauges, strict=True):
        assert gauge.generated == len(segment), (
            f"{model.name} charged {gauge.generated} tokens for a segment of {len(segment)}"
        )
    return segments


def _check_segment(model: Model, segment: Segment) -> None:
    size = len(segment)
    for name in ("offsets", "logprob", "entropy", "certainty", "proposal_logprob"):
        array: Any = getattr(segment, name)
        assert array is None or array.shape == (size,), f"{model.name}: {name} has shape {array.shape}, not ({size},)"
    offsets = segment.offsets.tolist()
    assert offsets == sorted(offsets), f"{model.name}: offsets do not rise: {offsets}"
    assert not offsets or (offsets[0] == 0 and offsets[-1] <= len(segment.text) + segment.cut), (
        f"{model.name}: offsets {offsets} do not lie in a text of {len(segment.text)} characters"
    )
    if Capability.LOGPROBS in model.capabilities and segment.logprob is not None:
        assert np.nanmax(segment.logprob, initial=-1.0) <= 1e-4, f"{model.name}: a log-probability is above 0"
    if Capability.EXACT_STATS in model.capabilities:
        assert segment.exact, f"{model.name} claims exact statistics and marks a segment inexact"
        for name in ("logprob", "entropy", "certainty", "proposal_logprob"):
            array = getattr(segment, name)
            assert array is not None and np.isfinite(array).all(), f"{model.name}: {name} is not finite"
        assert segment.entropy is not None and segment.certainty is not None
        assert (segment.entropy >= -1e-4).all(), f"{model.name}: an entropy is below 0"
        assert (segment.certainty >= -1e-4).all(), f"{model.name}: a KL divergence from uniform is below 0"


async def _check_ends(model: Model, context: Context, greedy: Segment) -> None:
    body = greedy.text
    spot = next((i for i, c in enumerate(body) if i > 0 and not c.isspace() and body.index(c) == i), None)
    if spot is None:
        return
    mark = body[spot]
    (stopped,) = await _extend(model, context, Until(stop=(mark,), max_tokens=24), GREEDY)
    assert stopped.finish is Finish.STOP and mark not in stopped.text, (
        f"{model.name} did not stop before {mark!r}: {stopped.text!r} ({stopped.finish})"
    )
    (step,) = await _extend(model, context, Until(delimiters=(mark,), max_tokens=24), GREEDY)
    assert step.finish is Finish.STEP and step.text.count(mark) >= 1, (
        f"{model.name} did not end its step with {mark!r}: {step.text!r} ({step.finish})"
    )
    assert mark not in step.head(len(step) - 1).text, f"{model.name} went on after the step's delimiter: {step.text!r}"


async def _check_gauges(model: Model, context: Context) -> None:
    ledger = Ledger(Budget(tokens=4))
    gauges = [ledger.open(model.name, "generate", model.cost, fresh=0, reused=len(context)) for _ in range(2)]
    streams = [Stream("gauge", i) for i in range(2)]
    segments = await model.extend(context, until=Until(limit=40), sampling=Sampling(), streams=streams, gauges=gauges)
    spent = sum(len(s) for s in segments)
    assert spent <= 6, f"{model.name} generated {spent} tokens on a budget of 4 with 2 continuations in flight"
    assert spent == ledger.usage.total.generated, f"{model.name} charged other than what it returned"
    if spent >= 4:
        cut = any(s.finish is Finish.CANCELLED for s in segments) or all(s.finish is Finish.END for s in segments)
        assert cut, f"{model.name} marks nothing as cut by the budget"

    ledger = Ledger(Budget())
    gauge = ledger.open(model.name, "generate", model.cost, fresh=0, reused=len(context))
    gauge.close()
    (segment,) = await model.extend(
        context, until=Until(limit=400), sampling=Sampling(), streams=[Stream("closed")], gauges=[gauge]
    )
    assert len(segment) <= 2, f"{model.name} went on for {len(segment)} tokens after its gauge was closed"
    assert segment.finish is Finish.CANCELLED, f"a closed gauge ended the segment with {segment.finish}, not cancelled"


async def _check_score(model: Model, context: Context, greedy: Segment) -> None:
    ledger = Ledger(Budget())
    gauge = ledger.open(model.name, "generate", model.cost, fresh=0, reused=len(context))
    (scored,) = await model.score([context], [model.encode(greedy.text)], gauges=[gauge])
    assert scored.text == greedy.text, f"{model.name} scored {scored.text!r} instead of {greedy.text!r}"
    assert scored.logprob is not None, f"{model.name} scored without log-probabilities"
    same = scored.token_ids.tolist() == greedy.token_ids.tolist()[: len(scored)]
    if same and greedy.logprob is not None:
        gap = np.abs(scored.logprob - greedy.logprob[: len(scored)]).max(initial=0.0)
        assert gap < 0.35, f"{model.name}: teacher forcing differs from sampling by {gap:.2f} nats"
