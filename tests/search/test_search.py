"""The primitives, on a model whose every probability is known."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from clew.budget import Budget
from clew.errors import BudgetExhausted, UsageError
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.sampling import GREEDY, STEP, Sampling, Until, tokens
from clew.search import Search
from clew.testing.toys import geometric, letters, problem, run, search
from clew.tree import Finish, Node, Origin


def test_children_are_draws_of_the_model() -> None:
    s = search(letters(length=1))
    leaves = run(s.extend(s.root, 2000))
    counts = Counter(n.solution for n in leaves)
    assert {n.finish for n in leaves} == {Finish.END}
    for letter, p in {"a": 0.5, "b": 0.3, "c": 0.2}.items():
        assert abs(counts[letter] / 2000 - p) < 5 * (p * (1 - p) / 2000) ** 0.5


def test_the_same_seed_grows_the_same_tree_however_it_is_asked_for() -> None:
    one, many = search(), search()
    together = [n.solution for n in run(one.extend(one.root, 6))]

    async def apart() -> list[str]:
        return [(await many.extend(many.root))[0].solution for _ in range(6)]

    assert run(apart()) == together
    assert len(set(together)) > 1


def test_what_follows_an_inserted_text_does_not_depend_on_what_has_come_back_before_it() -> None:
    async def grown(inserts_first: bool) -> list[str]:
        s = search(letters(length=12))
        texts = list[Node]()
        if not inserts_first:
            await s.extend(s.root, 3)
        texts += [await s.insert(s.root, "a"), *await s.force([s.root], "a")]
        return [(await s.extend(node))[0].solution for node in texts]

    assert run(grown(True)) == run(grown(False))


def test_the_prompt_is_charged_once_and_then_reused() -> None:
    s = search(letters(length=3))
    prompt = len(s.root.segment)
    run(s.extend(s.root, 3))
    total = s.ledger.usage.total
    assert (total.prefilled, total.reused, total.generated, total.calls) == (prompt, 2 * prompt, 3 * 4, 3)


def test_questions_that_begin_alike_are_charged_for_their_beginning_once() -> None:
    characters = sorted(set("user: assistant: \nis it good? so why not!"))
    yes = [float(c == "o") for c in characters]
    model = ToyModel(characters, lambda _, ids, __: [*yes, 0.0] if not ids else [0.0 for _ in yes] + [1.0])

    def spent(*questions: Sequence[Message] | str) -> tuple[int, int]:
        s = search(model)
        for question in questions:
            run(s.ask(question))
        part = s.ledger.usage.parts[model.name, "judge"]
        assert part.prefilled + part.reused == sum(len(root.segment) for root in s.tree.roots[1:])
        return part.prefilled, part.reused

    def size(text: str) -> int:
        return len(f"user: {text}\nassistant: ")

    assert spent("is it good?", "is it so?") == (size("is it good?") + size("so?") - len("user: "), len("user: is it "))
    assert spent("is it good?", "is it good?") == (size("is it good?"), size("is it good?"))
    assert spent("why not!", "is it good?", "why not!", "is it so?")[1] == size("why not!") + len("user: user: is it ")
    turns = (Message("user", "is it good?"), Message("assistant", "o"), Message("user", "why not!"))
    assert spent("is it good?", turns)[1] == size("is it good?") + 1  # what the model replied is held as well


def test_an_inserted_text_is_prefilled_once_and_stays_in_the_tree() -> None:
    async def go() -> Search:
        s = search(letters(length=5))
        (first,) = await s.extend(s.root, until=tokens(2))
        hint = await s.insert(first, "ab", label="hint")
        left, right = await s.extend(hint, 2)
        assert hint.origin is Origin.INSERTED
        for leaf in (left, right):
            assert leaf.solution.startswith(first.solution + "ab") and len(leaf.solution) == 5
        return s

    s = run(go())
    assert s.ledger.usage.total.prefilled == len(s.root.segment) + 2


def test_an_ended_solution_is_reopened_without_its_end() -> None:
    async def go() -> None:
        s = search(letters(length=3))
        (leaf,) = await s.extend(s.root)
        assert leaf.finish is Finish.END and len(leaf.segment) == 4
        again = await s.insert(leaf, "c")
        assert again.solution == leaf.solution + "c"
        assert s.tree.distinct_tokens == len(s.root.segment) + 4 + 1
        with pytest.raises(ValueError, match="has ended"):
            await s.extend(leaf)

    run(go())


def test_a_stopped_solution_is_reopened_where_the_text_was_cut() -> None:
    async def go() -> None:
        s = search(ToyModel(["ab", "c"], lambda _, ids, __: [0, 1, 0] if ids else [1, 0, 0]))
        (leaf,) = await s.extend(s.root, until=Until(stop=("b",)))
        assert (leaf.solution, leaf.finish, leaf.segment.cut) == ("a", Finish.STOP, 1)
        assert (await s.insert(leaf, "c")).solution == "ac"

    run(go())


@pytest.mark.parametrize(
    ("unit", "amount", "left"),
    [("tokens", 0, "abcabc"), ("tokens", 1, "abcab"), ("tokens", 3, "abc"), ("tokens", 5, "a"), ("chars", 2, "abca")],
)
def test_rewinding_goes_back_inside_and_across_steps(unit: str, amount: int, left: str) -> None:
    async def go() -> None:
        s = search(ToyModel(list("abc"), lambda _, ids, __: [float(i == len(ids) % 3) for i in range(4)]))
        (first,) = await s.extend(s.root, until=tokens(3))
        (second,) = await s.extend(first, until=tokens(3))
        before = s.ledger.usage.total.tokens
        back = s.rewind(second, **{unit: amount})
        assert back.solution == left
        assert s.rewind(second, **{unit: amount}) is back, "the same place twice is one node, so draws differ"
        assert s.ledger.usage.total.tokens == before
        assert s.rewind(second, steps=1) is first and s.rewind(second, tokens=6) is s.root
        with pytest.raises(ValueError, match="beyond the prompt"):
            s.rewind(second, tokens=7)

    run(go())


def test_rewinding_by_characters_lands_on_a_token_boundary_at_or_before() -> None:
    async def go() -> None:
        s = search(ToyModel(["long", "er"], lambda _, ids, __: [1, 0, 0] if not ids else [0, 1, 0]))
        (node,) = await s.extend(s.root, until=tokens(2))
        assert node.solution == "longer"
        assert s.rewind(node, chars=1).solution == "long"
        assert s.rewind(node, chars=3) is s.root

    run(go())


def test_after_a_rewind_other_tokens_are_drawn_and_nothing_is_prefilled() -> None:
    async def go() -> None:
        s = search(letters(length=8))
        (leaf,) = await s.extend(s.root)
        back = s.rewind(leaf, tokens=5)
        before = s.ledger.usage.total.prefilled
        others = await s.extend(back, 12)
        assert s.ledger.usage.total.prefilled == before
        assert all(o.solution.startswith(back.solution) for o in others)
        assert len({o.solution for o in others}) > 3

    run(go())


def test_extend_each_lets_ended_nodes_stand_and_gives_twins_different_children() -> None:
    async def go() -> None:
        s = search(letters(length=6))
        (ended,) = await s.extend(s.root)
        (open_,) = await s.extend(s.root, until=tokens(1))
        spent = s.ledger.usage.total.calls
        grown = await s.extend_each([ended, open_, open_, ended])
        assert grown[0] is ended and grown[3] is ended
        assert grown[1].parent is open_ and grown[2].parent is open_ and grown[1] is not grown[2]
        assert s.ledger.usage.total.calls == spent + 2

    run(go())


def test_a_step_ends_with_the_token_that_completes_the_delimiter() -> None:
    s = search(
        ToyModel(["a", ".\n", "b"], lambda _, ids, __: [float(i == (len(ids) % 3)) for i in range(4)]), steps=("\n",)
    )
    (step,) = run(s.extend(s.root, until=STEP))
    assert (step.solution, step.finish, step.finished) == ("a.\n", Finish.STEP, False)


def test_the_limit_on_a_solution_holds_over_several_extensions() -> None:
    async def go() -> None:
        s = search(letters(length=50), max_tokens=10)
        (first,) = await s.extend(s.root, until=tokens(6))
        (second,) = await s.extend(first)
        assert (second.tokens, second.finish, second.complete) == (10, Finish.LENGTH, False)

    run(go())


def test_a_budget_cuts_inside_an_extension_and_keeps_what_there_was() -> None:
    s = search(letters(length=50), tokens=10)
    with pytest.raises(BudgetExhausted):
        run(s.extend(s.root, 4))
    cut = s.tree.nodes[1:]
    assert {n.finish for n in cut} == {Finish.CANCELLED}
    assert s.ledger.usage.total.generated == sum(len(n.segment) for n in cut)
    assert 10 <= s.ledger.usage.total.generated <= 10 + 4


def test_cancelling_keeps_and_charges_what_was_generated() -> None:
    async def go() -> Search:
        s = search(letters(length=10**6), max_tokens=10**6)
        task = asyncio.ensure_future(s.extend(s.root, 3))
        while s.ledger.usage.total.generated < 30:  # noqa: ASYNC110 (each turn of the loop is a token)
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return s

    s = run(go())
    cut = [n for n in s.tree.nodes if n.finish is Finish.CANCELLED]
    assert len(cut) == 3
    assert s.ledger.usage.total.generated == sum(len(n.segment) for n in cut) >= 30


def test_rollouts_under_a_budget_are_the_longest_run_of_numbers_that_fits() -> None:
    async def go(limit: int) -> tuple[list[str], int]:
        s = search(geometric(), tokens=limit)
        return [n.solution async for n in s.rollouts()], s.ledger.usage.total.generated

    async def free() -> list[Node]:
        s = search(geometric())
        return [n async for n in s.rollouts(n=60)]

    every = run(free())
    costs = np.cumsum([n.tokens for n in every])
    for limit in (1, 7, 30, 64, 65, 150):
        texts, spent = run(go(limit))
        fits = int((costs <= limit).sum())
        assert texts == [n.solution for n in every[:fits]]
        assert spent <= limit + 1


def test_rollouts_without_number_or_budget_are_refused() -> None:
    async def go() -> None:
        async for _ in search().rollouts():
            pass

    with pytest.raises(UsageError, match="never ends"):
        run(go())


def test_a_number_of_rollouts_that_the_budget_cannot_pay_raises_after_those_it_can() -> None:
    async def go() -> int:
        s = search(letters(length=4), tokens=12)
        seen = 0
        with pytest.raises(BudgetExhausted):
            async for _ in s.rollouts(n=8):
                seen += 1
        return seen

    assert run(go()) == 2


def test_scores_are_recorded_under_the_scorers_name() -> None:
    class Length:
        name = "length_of_text"

        async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
            return [float(len(n.solution)) for n in nodes]

    async def go() -> None:
        s = search()
        leaves = await s.extend(s.root, 2)
        assert await s.score(leaves, Length()) == [4.0, 4.0]
        assert leaves[0].scores == {"length_of_text": 4.0}

    run(go())


def test_questions_to_a_judge_are_side_trees_charged_to_the_judge() -> None:
    async def go() -> None:
        toy, judge = letters(), letters({"y": 0.9, "n": 0.1}, length=1, name="judge")
        s = Search(problem(), {"generate": toy, "judge": judge}, Budget(), sampling=Sampling(temperature=1.0))
        replies = await s.ask("good?", n=3)
        assert {r.solution for r in replies} <= {"y", "n"}
        assert s.ledger.usage.parts["judge", "judge"].generated == 6
        assert s.ledger.usage.parts["judge", "judge"].calls == 3
        assert ("letters", "generate") not in s.ledger.usage.parts
        (draft,) = await s.ask("quick", role="draft")
        assert draft.solution.strip("abc") == ""
        assert s.ledger.usage.parts["letters", "draft"].calls == 1

    run(go())


def test_proposals_are_stamped_with_what_had_been_spent() -> None:
    async def go() -> Search:
        s = search()
        for _ in range(3):
            (leaf,) = await s.extend(s.root)
            s.propose(s.answer(leaf))
        return s

    s = run(go())
    prompt = len(s.root.segment)
    assert [p.usage.total.tokens for p in s.proposals] == [prompt + 5, prompt + 10, prompt + 15]


def test_the_vote_counts_weights_and_silent_solutions() -> None:
    async def go() -> None:
        s = search(letters(length=1), extract=lambda t: None if t == "c" else t)
        leaves = await s.extend(s.root, 40)
        counts = Counter(n.solution for n in leaves)
        answer = s.pick(leaves)
        assert answer.value == max("ab", key=counts.__getitem__)
        assert answer.confidence == pytest.approx(counts[answer.value] / 40)
        heavy = s.pick(leaves, [100.0 if n.solution == "b" else 1.0 for n in leaves])
        assert heavy.value == "b" and heavy.node is not None and heavy.node.solution == "b"

    run(go())


def test_together_waits_for_all_and_puts_failures_above_the_end_of_the_budget() -> None:
    finished: list[int] = []

    async def work(i: int, error: Exception | None) -> None:
        await asyncio.sleep(0)
        finished.append(i)
        if error:
            raise error

    async def go() -> None:
        s = search()
        with pytest.raises(KeyError):
            await s.together(work(0, BudgetExhausted()), work(1, KeyError("x")), work(2, None))

    run(go())
    assert sorted(finished) == [0, 1, 2]


def test_greedy_is_greedy() -> None:
    s = search(letters())
    (leaf,) = run(s.extend(s.root, sampling=GREEDY))
    assert leaf.solution == "aaaa"
