"""Equal budgets are equal bills: what a server that caches nothing computes anew is charged anew."""

from __future__ import annotations

import asyncio

import pytest

import clew
from clew.budget import Budget, Spend
from clew.lab.compare import summarise
from clew.lab.curves import reach
from clew.lab.experiment import make_plan, prepare
from clew.lab.report import write_report
from clew.models.openai import OpenAIModel, connect
from clew.problem import Message, Problem
from clew.sampling import GREEDY, STEP
from clew.search import Search
from support.servers import SOLUTION, Scripted

PROBLEM = Problem("p", (Message("user", "What is six times seven? " * 30),), steps=("\n\n",), max_tokens=60)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))


def stepwise(model: OpenAIModel, budget: Budget | None = None) -> tuple[Search, list[int]]:
    """A solution step by step, and the tokens of the context before each step."""

    async def go() -> tuple[Search, list[int]]:
        search = Search(PROBLEM, {"generate": model}, budget, sampling=GREEDY)
        node, contexts = search.root, []
        while not node.finished:
            contexts.append(sum(len(n.segment) for n in node.path()))
            (node,) = await search.extend(node, until=STEP)
        await model.close()
        assert node.solution == SOLUTION
        return search, contexts

    return asyncio.run(go())


def spent(search: Search) -> Spend:
    return search.ledger.usage.total


def test_each_call_pays_for_its_whole_context_where_nothing_is_cached():
    with Scripted(prefill="continues", logprobs=True, caches=0) as server:
        model = connect(server.url)
        assert not model.probe.caches
        search, contexts = stepwise(model)
        total = spent(search)
        assert len(contexts) == 3 and total.prefilled == sum(contexts) and total.reused == 0
        assert total.distinct == contexts[0], "the logical count stands beside it"
        assert total.tokens == sum(contexts) + total.generated
        assert total.logical == contexts[0] + total.generated


def test_a_prompt_is_charged_once_where_a_cache_was_seen():
    with Scripted(prefill="continues", logprobs=True, caches=8) as server:
        model = connect(server.url)
        assert model.probe.caches
        search, contexts = stepwise(model)
        assert spent(search).prefilled == spent(search).distinct == contexts[0]
        assert spent(search).reused == sum(contexts[1:])


@pytest.mark.parametrize("caches", [None, 0])
def test_the_budget_is_one_of_billed_tokens(caches):
    with Scripted(caches=caches) as server:
        result = clew.solve(PROBLEM, model=connect(server.url), method="self_consistency", budget=1500)
        prompt = len(result.tree[0].segment)
        spend = result.usage.total
        assert 1500 - prompt - 60 <= spend.tokens <= 1500
        assert spend.prefilled == spend.calls * prompt
        assert 1 < spend.calls <= 1500 // prompt


def test_prompts_that_are_billed_again_take_nothing_from_a_budget_of_generated_tokens():
    with Scripted(prefill="continues", logprobs=True, caches=0) as server:
        model = connect(server.url)
        search, contexts = stepwise(model, Budget.along("generated", 40))
        assert len(contexts) == 3 and spent(search).prefilled > 40 >= spent(search).generated
        plan = make_plan("add", model=server.url, methods=["greedy"], budgets=[20, 40], axis="generated", count=1)
        assert prepare(plan).budget == Budget(generated=40)


def test_dollars_are_those_of_the_bill():
    with Scripted(prefill="continues", logprobs=True) as server:
        search, contexts = stepwise(connect(server.url, usd_input=2.0, usd_cached=0.5, usd_output=8.0))
        expected = (2.0 * sum(contexts) + 8.0 * spent(search).generated) / 1e6
        assert spent(search).usd == pytest.approx(expected)


def test_continuations_of_one_request_share_the_bill_for_their_prompt():
    async def two(model: OpenAIModel) -> Search:
        search = Search(PROBLEM, {"generate": model}, sampling=GREEDY)
        await search.extend(search.root, 2)
        await search.extend(search.root, 2)
        await model.close()
        return search

    with Scripted(many=True, seeds=False) as server:
        model = connect(server.url)
        server.bodies.clear()
        search = asyncio.run(two(model))
        assert len(server.bodies) == 2
        assert spent(search).prefilled == 2 * len(search.root.segment)
    with Scripted(many=True, seeds=True) as server:
        model = connect(server.url)
        server.bodies.clear()
        search = asyncio.run(two(model))
        assert len(server.bodies) == 4
        assert spent(search).prefilled == 4 * len(search.root.segment)


def test_a_comparison_resamples_bills_and_the_report_says_so(tmp_path):
    problem = Problem("p", PROBLEM.messages, grader=lambda value: float(value == "42"), max_tokens=60)
    with Scripted() as server:
        model = connect(server.url)
        results = [
            clew.solve(problem, model=model, method=method, budget=2000)
            for method in ("self_consistency", "self_consistency?n=4")
        ]
    for result in results:
        # The samples are charged in any order as the search was charged for them, but for one that was cut.
        whole = sum(leaf.tokens + len(result.tree[0].segment) for leaf in result.leaves)
        assert whole <= result.usage.total.tokens <= whole + len(result.tree[0].segment) + 60
        assert reach(result, "tokens") >= whole
    comparison = summarise(results, budgets=[500, 1000, 2000])
    assert comparison.uncached == (model.name,)
    assert all(m.logical < m.used["tokens"] for m in comparison.methods)
    write_report(comparison, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "was not seen to cache prompts" in page and "tokens (logical)" in page
