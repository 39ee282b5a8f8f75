"""The client against a real server: llama.cpp's own, with the embedded model, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from clew.budget import Budget
from clew.errors import ContextOverflow
from clew.models.openai import OpenAIModel, connect, probe
from clew.models.pull import pull
from clew.problem import Message, Problem
from clew.sampling import GREEDY, STEP, Sampling, Until, tokens
from clew.search import Search
from clew.testing import check_model
from support.servers import process

pytest.importorskip("xllamacpp")

PROBLEM = Problem("p", (Message("user", "List three fruits, one a line."),), steps=("\n",), max_tokens=40)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with process("llama", str(pull("smollm2-135m"))) as url:
        yield url


@pytest.fixture
def model(server, tmp_path_factory, monkeypatch) -> OpenAIModel:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path_factory.getbasetemp()))
    return connect(server)


def search(model: OpenAIModel, **more) -> Search:
    return Search(PROBLEM, {"generate": model}, sampling=GREEDY, **more)


def test_what_it_can_do_is_found_out(model, server):
    found = probe(server)
    assert found.server == "llama.cpp"
    assert (found.raw, found.tokenise, found.token_ids, found.streams) == ("tokens", True, True, True)
    assert (found.many, found.seeds, found.samplers, found.caches) == (True, True, True, True)
    assert found.usage == "one choice only", "llama.cpp has begun to count every choice: say so in the documents"
    assert found.prefill in ("continues", "echoes")
    assert found.context_length == 2048
    assert model.cost.params == 134_515_008


def test_it_keeps_what_every_model_must_keep(model):
    check_model(model)


def test_solving_step_by_step_is_solving_in_one_piece(model):
    async def go() -> tuple[str, str, np.ndarray, np.ndarray]:
        whole_search, step_search = search(model), search(model)
        (whole,) = await whole_search.extend(whole_search.root)
        node = step_search.root
        while not node.finished:
            (node,) = await step_search.extend(node, until=STEP)
        await model.close()
        return whole.solution, node.solution, whole.stat("logprob"), node.stat("logprob")

    whole, steps, whole_logprob, step_logprob = asyncio.run(go())
    assert steps == whole
    assert np.nanmax(np.abs(whole_logprob - step_logprob)) < 0.2


def test_prompt_tokens_are_counted_not_guessed_and_reuse_is_seen(model):
    async def go() -> Search:
        searching = search(model)
        await searching.extend(searching.root, until=tokens(4))
        await searching.extend(searching.root, until=tokens(4))
        await model.close()
        return searching

    searching = asyncio.run(go())
    prompt = searching.root.segment
    assert (prompt.token_ids >= 0).all()
    assert "List three fruits" in prompt.text
    spent = searching.ledger.usage.total
    assert spent.prefilled == len(prompt)
    assert spent.generated == 8
    assert 0 < spent.computed < 2 * len(prompt), "the second call was served from the server's cache"


def test_seeds_repeat_and_differ(model):
    async def go() -> list[list[str]]:
        drawn = []
        for seed in (1, 1, 2):
            searching = Search(PROBLEM, {"generate": model}, seed=seed, sampling=Sampling(temperature=1.0))
            drawn.append([n.solution for n in await searching.extend(searching.root, 3, until=tokens(8))])
        await model.close()
        return drawn

    first, again, other = asyncio.run(go())
    assert first == again != other
    assert len(set(first)) > 1


def test_a_character_of_several_tokens_is_counted_in_full(model):
    async def go() -> Search:
        owls = Problem("owls", (Message("user", "Repeat: 🦉🦉🦉🦉🦉🦉"),), max_tokens=40)
        searching = Search(owls, {"generate": model}, sampling=GREEDY)
        begun = await searching.insert(searching.root, "🦉🦉🦉")
        await searching.extend(begun, until=Until(max_tokens=9))
        await model.close()
        return searching

    searching = asyncio.run(go())
    node = searching.tree.nodes[-1]
    assert "🦉" in node.segment.text
    assert len(node.segment) == searching.ledger.usage.total.generated == 9


def test_a_prompt_beyond_the_context_is_one_clear_error(model):
    async def go() -> None:
        long = Problem("long", (Message("user", "hello " * 2500),))
        searching = Search(long, {"generate": model})
        await searching.extend(searching.root)

    with pytest.raises(ContextOverflow, match="do not fit into the context of 2048"):
        asyncio.run(go())


def test_a_token_budget_is_kept_to_the_token_when_alone(model):
    async def go() -> Search:
        searching = search(model, budget=Budget(tokens=60))
        async for _ in searching.rollouts():
            pass
        await model.close()
        return searching

    assert asyncio.run(go()).ledger.tokens <= 60
