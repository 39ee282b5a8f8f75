"""The embedded engine on the real model: what is computed once, kept, given up and computed again."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from clew.budget import Budget
from clew.errors import ContextOverflow
from clew.ledger import Ledger
from clew.models.llamacpp import LlamaCppModel
from clew.sampling import GREEDY, Sampling, Until, tokens
from clew.tree import Finish, Segment
from support.continuations import agrees, ends_of, grow, grown, noise, prompt


def test_rewinding_and_forking_compute_nothing_again(smollm: LlamaCppModel) -> None:
    context = prompt(smollm, "Name five animals and say one thing about each of them.")
    (base,) = grown(smollm, context, until=tokens(40))
    for kept in (39, 20, 7):
        ledger = Ledger(Budget())
        (again,) = grown(smollm, context.extended([base.head(kept)]), until=tokens(40 - kept), ledger=ledger)
        # The last token's logits are not kept everywhere: at most that one is computed again.
        assert ledger.usage.total.computed <= 1
        assert base.logprob is not None and again.logprob is not None
        assert again.text == base.text[base.head(kept).offsets.size and len(base.head(kept).text) :]
        np.testing.assert_allclose(again.logprob, base.logprob[kept:], rtol=0, atol=noise()[0])


def test_a_shared_prompt_is_computed_once_also_for_calls_at_once(smollm: LlamaCppModel) -> None:
    context = prompt(smollm, "Here is a story. " * 60 + "How does it end?")
    ledger = Ledger(Budget())

    async def all_at_once() -> None:
        calls = (grow(smollm, context, until=tokens(8), sampling=Sampling(), seed=i, ledger=ledger) for i in range(16))
        await asyncio.gather(*calls)

    asyncio.run(all_at_once())
    assert ledger.usage.total.computed <= len(context)


def test_prompts_that_begin_alike_are_computed_once(smollm: LlamaCppModel) -> None:
    shared = "The examples of this task follow. " * 30
    contexts = [prompt(smollm, f"{shared} Question number {i}?") for i in range(8)]
    ledger = Ledger(Budget())

    async def all_at_once() -> None:
        await asyncio.gather(*(grow(smollm, c, until=tokens(4), ledger=ledger) for c in contexts))

    asyncio.run(all_at_once())
    assert ledger.usage.total.computed < len(contexts[0]) + 8 * 20


def test_steps_of_a_search_compute_only_what_is_new(smollm: LlamaCppModel) -> None:
    context = prompt(smollm, "Write a long story about a dog and a cat who are friends.")
    ledger = Ledger(Budget())

    async def search() -> None:
        beam = [context] * 8
        for depth in range(5):
            steps = await asyncio.gather(
                *(
                    grow(smollm, c, until=tokens(6), sampling=Sampling(), seed=100 * depth + i, ledger=ledger)
                    for i, c in enumerate(beam)
                )
            )
            beam = [c.extended(s) for c, s in zip(beam, steps, strict=True)]
            # As resampling does: some branches twice, some dropped, and one old node again.
            beam = [beam[0], beam[0], *beam[1:4], beam[2], beam[5], beam[0]]

    asyncio.run(search())
    usage = ledger.usage.total
    assert usage.generated == 8 * 5 * 6
    assert usage.computed <= len(context) + 0.02 * usage.generated


def test_eviction_is_followed_by_recomputation(small: LlamaCppModel) -> None:
    contexts = [prompt(small, f"{i}. " + "Tell me of the sea and of the wind. " * 40) for i in range(8)]
    ledger = Ledger(Budget())
    first = [grown(small, c, until=tokens(6), ledger=ledger)[0].text for c in contexts]
    once = ledger.usage.total.computed
    second = [grown(small, c, until=tokens(6), ledger=ledger)[0].text for c in contexts]
    assert first == second
    assert once < ledger.usage.total.computed <= 2 * once


def test_texts_that_have_ended_give_way_before_steps_that_can_go_on(small: LlamaCppModel) -> None:
    steps = [prompt(small, f"{i}. " + "Tell me of the sea. " * 30) for i in range(2)]
    begun = [c.extended(grown(small, c, until=tokens(8))) for c in steps]
    for seed in range(6):
        grown(small, prompt(small, "Tell me of the wind."), 4, until=Until(limit=40), sampling=Sampling(), seed=seed)
    ledger = Ledger(Budget())
    for context in begun:
        grown(small, context, until=tokens(2), ledger=ledger)
    assert ledger.usage.total.computed == 0


def test_what_a_search_has_left_gives_way_when_it_is_over(small: LlamaCppModel) -> None:
    """Without being copied out, and before the steps of a search that goes on; its prompt stays."""
    context, other = (prompt(small, f"{i}. " + "Tell me of the sea. " * 30) for i in range(2))
    going = Ledger(Budget())
    (step,) = grown(small, context, until=tokens(8), ledger=going)
    for seed in range(6):
        over = Ledger(Budget())
        grown(small, other, 4, until=tokens(40), sampling=Sampling(), seed=seed, ledger=over)
        assert over.usage.total.computed <= (len(other) if seed == 0 else 1)
        over.close()
    grown(small, context.extended([step]), until=tokens(2), ledger=going)
    assert going.usage.total.computed <= len(context)


def test_a_text_that_has_ended_can_be_gone_back_into(smollm: LlamaCppModel) -> None:
    context = prompt(smollm, "Name three rivers.")
    ended = grown(smollm, context, 3, until=Until(limit=20), sampling=Sampling())
    assert {s.finish for s in ended} <= {Finish.LENGTH, Finish.END}
    ledger = Ledger(Budget())
    for segment in ended:
        grown(smollm, context.extended([segment.head(9)]), until=tokens(4), ledger=ledger)
    assert ledger.usage.total.computed <= len(ended)


def test_more_and_longer_sequences_than_fit_take_turns(small: LlamaCppModel, smollm: LlamaCppModel) -> None:
    """The long prompt needs cells so long that only one sequence fits: the others leave and come back."""
    contexts = [prompt(small, f"Explain how bread number {i} is made.") for i in range(4)]
    contexts.insert(2, prompt(small, "Explain how bread is made. " * 100))

    async def all_at_once() -> list[list[Segment]]:
        return await asyncio.gather(*(grow(small, c, until=tokens(60), sampling=Sampling()) for c in contexts))

    for context, (segment,) in zip(contexts, asyncio.run(all_at_once()), strict=True):
        assert len(segment) == 60 or segment.finish is Finish.END
        agrees(smollm, context, segment)


def test_context_overflow_and_full_context(small: LlamaCppModel) -> None:
    assert small.context_length is not None and small.context_length < 8192
    with pytest.raises(ContextOverflow, match="do not fit"):
        grown(small, prompt(small, "word " * 2 * small.context_length))
    nearly = prompt(small, "word " * (small.context_length - 80))
    room = small.context_length - len(nearly)
    (s,) = grown(small, nearly, sampling=GREEDY.but(bans={i: ends_of(small) for i in range(room + 1)}))
    assert (s.finish, len(s)) == (Finish.LENGTH, room)
