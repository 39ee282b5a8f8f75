"""Graph of Thoughts: its operations, its fixed order, and the policy model's choice."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest

from clew.methods.tree.graph_of_thought import Graph, graph_of_thought
from clew.models.toy import ToyModel
from clew.problem import Message
from clew.testing import check_method
from clew.testing.toys import run, search
from clew.testing.toys.steps import ByText
from clew.testing.toys.talkers import asked, talker

QUESTION = (Message("user", "dbca"),)
ORDERED = ByText(lambda text: sum(a <= b for a, b in pairwise(text)) - len(text))


@pytest.mark.parametrize(
    "spec", ["graph_of_thought", "graph_of_thought?policy=judge&actions=4", "graph_of_thought?parts=1"]
)
def test_conformance(spec: str) -> None:
    check_method(spec)


def sorter(orders: str = "") -> ToyModel:
    """Sorts letters: two of them well two times in three, four of them almost never, and merges sorted halves well.

    As a policy it names the operations in `orders`, one after the other as the graph grows.
    """

    def replies(messages: tuple[Message, ...], text: str) -> str | dict[str, float]:
        prompt = asked(messages)
        body = messages[-1].text
        if "Split the problem" in prompt:
            return f"1. {body[:2]}\n2. {body[2:]}"
        if "Combine their solutions" in prompt:
            halves = [line.removeprefix("Solution: ") for line in body.splitlines() if line.startswith("Solution: ")]
            return {
                "".join(sorted(body.splitlines()[0]))
                if all(h == "".join(sorted(h)) for h in halves)
                else "".join(halves): 1.0
            }
        if "Conclude in the last line" in prompt:
            solved, whole = "→ not solved" not in body, "none yet" not in body
            if "Part 1" not in body:
                return "split" if not whole else "stop"
            return "solve" if not solved else "merge" if not whole else "stop"
        if "constructive critique" in prompt:
            return "ok"
        if "Refine the answer" in prompt:
            return "".join(sorted(prompt.split("<answer>\n")[1].splitlines()[0]))
        task = body.splitlines()[0]
        options = ["".join(p) for p in permutations(task)]
        good = "".join(sorted(task))
        return {o: (2.0 if o == good and len(task) == 2 else 1.0) for o in options}

    return talker(replies, "abcd12. \nsplitolvemergrefinstopk")


def test_operations_one_by_one() -> None:
    async def work() -> None:
        given = search(sorter(), messages=QUESTION)
        graph = Graph(given, parts=2, tries=4, scorer=ORDERED)
        assert graph.possible == ["split", "solve"]
        await graph.split()
        assert [p.question for p in graph.parts] == ["db", "ca"]
        assert graph.possible == ["solve"]
        await graph.solve()
        assert [p.text for p in graph.parts] == ["bd", "ac"]
        assert graph.possible == ["merge"]
        await graph.merge()
        assert graph.whole.text == "abcd" and graph.possible == ["merge", "refine", "stop"]
        assert graph.found.answer.value == "abcd"
        assert "Part 1: db → bd" in graph.state()

    run(work())


@pytest.mark.parametrize("policy", ["fixed", "judge"])
def test_splitting_solves_what_one_attempt_does_not(policy: str) -> None:
    """The claim: parts that are easy are solved and merged where the whole is too hard."""

    def right(parts: int) -> int:
        return sum(
            run(
                graph_of_thought(
                    search(sorter(), messages=QUESTION, seed=s),
                    parts=parts,
                    tries=2,
                    refinements=0,
                    policy=policy,  # type: ignore[arg-type]
                    scorer=ORDERED,
                )
            ).value
            == "abcd"
            for s in range(20)
        )

    assert right(2) >= 14
    if policy == "fixed":
        assert right(1) <= 6, "with one part the whole problem is solved directly"


def test_refining_keeps_the_better_one() -> None:
    given = search(sorter(), messages=QUESTION)
    answer = run(graph_of_thought(given, parts=1, tries=1, refinements=1, scorer=ORDERED))
    assert answer.value == "abcd"
    given = search(sorter(), messages=QUESTION)
    worse = ByText(lambda text: float(text != "abcd"))
    answer = run(graph_of_thought(given, parts=1, tries=1, refinements=1, scorer=worse))
    assert answer.value != "abcd"
