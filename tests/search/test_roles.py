"""Any model of a search may go on from any node, at its own price and in its own tokens."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from clew.budget import Budget, Cost
from clew.errors import BudgetExhausted
from clew.models.toy import ToyModel
from clew.sampling import Sampling, tokens
from clew.search import Search
from clew.testing.toys import letters, problem, run
from clew.tree import Origin

ABC = "abc"
PAIRS = sorted({a + b for a in ABC for b in ABC})


def wide(name: str = "wide") -> ToyModel:
    """A model whose tokens are pairs of letters; it writes `ab` until its text has six letters."""

    def next_token(_: object, __: object, text: str) -> list[float]:
        return [float(pair == "ab" and len(text) < 6) for pair in PAIRS] + [0.0] * 3 + [float(len(text) >= 6)]

    return ToyModel([*PAIRS, *ABC], next_token, name=name)


def searching(budget: Budget | None = None, **roles: ToyModel) -> Search:
    return Search(problem(), roles, budget, sampling=Sampling(temperature=1.0))


def test_a_draft_writes_and_the_target_goes_on_in_its_own_tokens() -> None:
    target, draft = wide(), letters(length=4, name="draft")
    s = searching(generate=target, draft=draft)

    async def go() -> None:
        (step,) = await s.extend(s.root, until=tokens(4), role="draft")
        assert (step.role, step.origin, len(step.segment)) == ("draft", Origin.SAMPLED, 4)
        (leaf,) = await s.extend(step)
        assert leaf.role == "generate" and leaf.solution == step.solution + "ab"

    run(go())
    parts = s.ledger.usage.parts
    drafted, written = parts["draft", "draft"], parts["wide", "generate"]
    # Each model reads the prompt in its own tokens; four letters of the draft are two tokens of the target.
    assert drafted.prefilled == len(draft.render(s.problem.messages))
    assert drafted.generated == 4
    assert written.prefilled == len(target.render(s.problem.messages)) + 2
    assert written.generated == 2  # `ab`, and the end


def test_the_same_vocabulary_is_read_without_encoding_anew() -> None:
    # Both know `ab` as a token, and as two; a draft that spells it as two tokens is read so.
    spell = ToyModel(["ab", "a", "b"], lambda _, ids, __: [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]][len(ids)])
    seen: list[tuple[int, ...]] = []

    def look(_: object, ids: object, __: str) -> list[float]:
        seen.append(tuple(ids))  # type: ignore[call-overload]
        return [0, 0, 0, 1]

    s = searching(generate=ToyModel(["ab", "a", "b"], look), draft=spell)

    async def go() -> None:
        (step,) = await s.extend(s.root, until=tokens(2), role="draft")
        await s.extend(step)

    run(go())
    assert seen == [(1, 2)]


def test_what_one_model_has_read_is_not_charged_to_it_again_and_is_to_another() -> None:
    s = searching(generate=letters(length=6, name="one"), draft=letters(length=6, name="two"))
    prompt = len(s.root.segment)

    async def go() -> None:
        (step,) = await s.extend(s.root, until=tokens(2), role="draft")
        await s.extend(step, 2)
        await s.extend(s.root, role="draft")
        await s.extend(step, role="draft")

    run(go())
    one, two = s.ledger.usage.parts["one", "generate"], s.ledger.usage.parts["two", "draft"]
    assert (one.prefilled, one.reused) == (prompt + 2, prompt + 2)
    assert (two.prefilled, two.reused) == (prompt, prompt + prompt + 2)


def test_a_role_without_a_model_shares_what_the_generating_one_has_read() -> None:
    s = searching(generate=letters(length=6, name="one"))

    async def go() -> None:
        (step,) = await s.extend(s.root, until=tokens(2))
        await s.extend(step, role="draft")

    run(go())
    part = s.ledger.usage.parts["one", "draft"]
    assert (part.prefilled, part.reused) == (0, len(s.root.segment) + 2)


def test_a_rewound_node_is_read_by_another_model_once() -> None:
    s = searching(generate=letters(length=9, name="one"), draft=letters(length=9, name="two"))

    async def go() -> None:
        (step,) = await s.extend(s.root, until=tokens(4), role="draft")
        await s.extend(step, until=tokens(1))  # the target has read all four
        await s.extend(s.rewind(step, tokens=1), until=tokens(1))
        back = s.rewind(step, tokens=2)
        assert back.role == "draft"
        await s.extend(back, until=tokens(1))

    run(go())
    assert s.ledger.usage.parts["one", "generate"].prefilled == len(s.root.segment) + 4


def test_solutions_of_a_role_are_as_many_as_its_price_allows() -> None:
    cheap, dear = letters(length=3, name="cheap"), letters(length=3, name="dear")
    cheap.cost, dear.cost = Cost(usd_input=0.0, usd_output=1e6), Cost(usd_input=0.0, usd_output=10e6)

    def drawn(role: str | None) -> int:
        s = searching(Budget(usd=85), generate=dear, draft=cheap)

        async def go() -> int:
            return len([leaf async for leaf in s.rollouts(role=role)])

        return run(go())

    # Four tokens each with the end of the text; one that the budget cuts is not handed out.
    assert (drawn(None), drawn("draft")) == (2, 21)


def test_stop_strings_of_the_problem_end_what_any_role_writes_there() -> None:
    stopped = problem(stop=("b",))
    only_b = letters({"b": 1.0}, length=5, name="draft")
    s = Search(stopped, {"generate": letters(), "draft": only_b}, sampling=Sampling(temperature=1.0))

    async def go() -> None:
        (leaf,) = await s.extend(s.root, role="draft")
        (reply,) = await s.ask("well?", role="draft")
        assert (leaf.solution, reply.solution) == ("", "bbbbb")

    run(go())


def test_all_of_a_batch_are_written_by_the_role() -> None:
    s = searching(generate=letters(name="one"), draft=letters(name="two"))

    async def go() -> None:
        grown = await s.extend_each([s.root, s.root, s.root], until=tokens(1), role="draft")
        assert {node.role for node in grown} == {"draft"}
        assert len({id(node) for node in grown}) == 3

    run(go())


class TestForce:
    """Teacher forcing: what a model thinks of a text that it did not choose."""

    def test_options_are_told_apart_by_their_likelihood(self) -> None:
        s = searching(generate=letters({"a": 0.5, "b": 0.3, "c": 0.2}, length=2))
        options = run(s.force([s.root] * 3, ["aa", "ab", "cc"], label="option"))
        found = [float(np.exp(node.segment.logprob.sum())) for node in options]  # type: ignore[union-attr]
        assert found == pytest.approx([0.25, 0.15, 0.04])
        assert {(n.origin, n.label, n.role) for n in options} == {(Origin.INSERTED, "option", "generate")}
        total = s.ledger.usage.total
        # One prompt for all three, and every token of the texts.
        assert (total.prefilled, total.generated, total.calls) == (len(s.root.segment) + 6, 0, 3)

    def test_a_node_that_is_read_again_is_gone_on_from_at_no_further_charge(self) -> None:
        s = searching(generate=letters(length=6, name="one"), draft=letters(length=6, name="two"))

        async def go() -> None:
            (step,) = await s.extend(s.root, until=tokens(3), role="draft")
            (read,) = await s.force([s.root], step)
            assert read.role == "generate" and read.segment.text == step.segment.text
            before = s.ledger.usage.parts["one", "generate"].prefilled
            await s.extend(step, until=tokens(1))
            await s.extend(read, until=tokens(1))
            assert s.ledger.usage.parts["one", "generate"].prefilled == before == len(s.root.segment) + 3

        run(go())

    def test_a_text_of_another_vocabulary_is_read_in_the_readers_tokens(self) -> None:
        s = searching(generate=wide(), draft=letters(length=4, name="draft"))

        async def go() -> None:
            (step,) = await s.extend(s.root, until=tokens(4), role="draft")
            (read,) = await s.force([s.root], step)
            assert (read.segment.text, len(read.segment), len(step.segment)) == (step.segment.text, 2, 4)

        run(go())

    def test_all_are_read_or_none_is_charged(self) -> None:
        prompt = len(letters().render(problem().messages))
        s = searching(Budget(tokens=prompt + 5), generate=letters())
        with pytest.raises(BudgetExhausted):
            run(s.force([s.root] * 2, ["abc", "abc"]))
        assert s.ledger.usage.total.tokens == 0
        # What was not read is still new to the search.
        run(s.force([s.root], ["abc"]))
        assert s.ledger.usage.total.tokens == prompt + 3

    def test_nothing_follows_a_text_that_has_ended(self) -> None:
        s = searching(generate=letters(length=1))

        async def go() -> None:
            (leaf,) = await s.extend(s.root)
            with pytest.raises(ValueError, match="has ended"):
                await s.force([leaf], "a")

        run(go())

    def test_reading_that_is_given_up_leaves_what_was_read(self) -> None:
        s = searching(generate=letters(length=400))

        async def go() -> None:
            reading = asyncio.ensure_future(s.force([s.root], "a" * 300))
            for _ in range(50):
                await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            (read,) = s.root.children
            assert 0 < len(read.segment) < 300 and read.finished

        run(go())
