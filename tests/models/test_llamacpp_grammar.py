"""Grammars and halting in the embedded engine, on the real model."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from test_llamacpp import grown

from clew.errors import UsageError
from clew.models.base import Context
from clew.models.llamacpp import LlamaCppModel
from clew.problem import Message
from clew.sampling import Grammar, Sampling, Until, tokens
from clew.tree import Finish

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "maximum": 150}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
)


def asked(model: LlamaCppModel) -> Context:
    return model.render([Message("user", "Anna is 31 years old. Give her name and age as JSON.")])


def test_every_continuation_is_of_the_schema(smollm: LlamaCppModel) -> None:
    sampling = Sampling(temperature=1.0, grammar=Grammar("json", SCHEMA))
    for segment in grown(smollm, asked(smollm), 8, until=tokens(80), sampling=sampling):
        assert segment.finish is Finish.END
        assert set(json.loads(segment.text)) == {"name", "age"}
        # The statistics are the unmasked model's, the proposal is the masked one.
        assert segment.logprob is not None and segment.proposal_logprob is not None
        assert (segment.proposal_logprob >= segment.logprob - 1e-3).all()


def test_a_grammar_holds_over_several_extensions(smollm: LlamaCppModel) -> None:
    context = asked(smollm)
    sampling = Sampling(temperature=1.0, grammar=Grammar("json", SCHEMA))
    for _ in range(80):
        (segment,) = grown(smollm, context, until=tokens(3), sampling=sampling)
        context = context.extended([segment])
        if segment.finish is Finish.END:
            break
    assert set(json.loads(context.text)) == {"name", "age"}


def test_characters_of_several_tokens_are_masked_by_bytes(smollm: LlamaCppModel) -> None:
    sampling = Sampling(temperature=1.0, grammar=Grammar("regex", "[あいうえお]{3}"))
    context = asked(smollm)
    for _ in range(40):
        (segment,) = grown(smollm, context, until=tokens(1), sampling=sampling)
        context = context.extended([segment])
        if segment.finish is Finish.END:
            break
    assert len(context.text) == 3 and set(context.text) <= set("あいうえお")


def test_what_is_no_grammar_is_refused(smollm: LlamaCppModel) -> None:
    with pytest.raises(UsageError, match="does not accept"):
        grown(smollm, asked(smollm), sampling=Sampling(grammar=Grammar("lark", "start: nowhere")))


def test_a_mask_changes_no_statistic_of_others_in_the_batch(smollm: LlamaCppModel) -> None:
    plain = Sampling(temperature=1.0)
    masked = plain.but(grammar=Grammar("regex", "(yes|no)"))

    async def both() -> None:
        from test_llamacpp import grow

        a, b = await asyncio.gather(
            grow(smollm, asked(smollm), 2, until=tokens(12), sampling=plain),
            grow(smollm, asked(smollm), 2, until=tokens(12), sampling=masked),
        )
        assert {s.text for s in b} <= {"yes", "no"}
        assert all(np.allclose(s.logprob, s.proposal_logprob, atol=1e-3) for s in a)

    asyncio.run(both())


def test_an_extension_is_halted_by_what_it_says(smollm: LlamaCppModel) -> None:
    heard: list[str] = []

    def halt(text: str) -> bool:
        heard.append(text)
        return text.count("a") >= 3

    (segment,) = grown(smollm, asked(smollm), until=Until(max_tokens=60, halt=halt))
    assert segment.finish is Finish.STEP and segment.text.count("a") >= 3
    assert len(heard) == len(segment) and heard[-1] == segment.text
    assert not any(text.count("a") >= 3 for text in heard[:-1])
