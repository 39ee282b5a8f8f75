"""Decisions on the embedded engine: the probabilities are the model's own."""

from __future__ import annotations

import asyncio

import numpy as np

from clew.budget import Budget
from clew.models.llamacpp import LlamaCppModel
from clew.problem import Message, Problem
from clew.sampling import Sampling, tokens
from clew.scorers.judges.decisions import decide
from clew.search import Search

QUESTIONS = ["Is 7 a prime number? Reply A for yes or B for no.", "Is 8 a prime number? Reply A for yes or B for no."]


def test_a_decision_reads_what_the_model_would_have_drawn_from(smollm: LlamaCppModel) -> None:
    async def work() -> None:
        search = Search(Problem("p", (Message("user", "Hi"),)), {"generate": smollm}, Budget())
        asked = [(Message("user", question),) for question in QUESTIONS]
        decisions = await decide(search, asked, ["A", "B"])
        ids = [int(smollm.encode(option).token_ids[0]) for option in "AB"]
        for question, decision in zip(asked, decisions, strict=True):
            (reply,) = await search.ask(question, until=tokens(1), sampling=Sampling(temperature=0.0, top=200))
            segment = reply.segment
            assert segment.top_ids is not None and segment.top_logprob is not None
            top = dict(zip(segment.top_ids[0].tolist(), segment.top_logprob[0].tolist(), strict=True))
            known = [(top[i], told) for i, told in zip(ids, decision.logprobs, strict=True) if i in top]
            assert known, "a chat model thinks of a letter when it is asked for one"
            for drawn_from, told in known:
                assert np.isclose(drawn_from, told, atol=0.05)  # the shape of a batch moves the last digits
            assert 0 < decision.mass <= 1
        spent = {role: part for (_, role), part in search.ledger.usage.parts.items()}
        assert spent["judge"].computed <= 1.02 * spent["judge"].prefilled + 8

    asyncio.run(work())
