"""Adaptive parallel reasoning: the model spawns child threads, which run at once, and reads what they found."""

from __future__ import annotations

from typing import Annotated

from clew.parameters import Count, Range, Temperature
from clew.problem import Answer, Message
from clew.registry import method
from clew.sampling import Sampling, Until
from clew.search import GENERATE, Search
from clew.tree import Finish, Node

OPEN, CLOSE = "<spawn>", "</spawn>"

PARENT = (
    "You may let threads work for you. Write <spawn>, then one task on each line, complete in itself, then </spawn>. "
    "The threads run at once, and their results follow between <join> and </join>. Then go on, and state the answer."
)
CHILD = "Work on the task alone and state the result at the end, briefly."


def tasks(text: str) -> list[str]:
    """The tasks of the last spawn in a text that ended at its close."""
    _, _, listed = text.rpartition(OPEN)
    return [line.strip() for line in listed.splitlines() if line.strip()]


@method(
    "parallel_threads",
    family="tree",
    paper="arXiv:2504.15466",
    needs={"text"},
    proof="tests/methods/tree/test_parallel_threads.py",
    departs="The model is asked to spawn, not trained to; children do not see the parent's text and do not spawn.",
)
async def parallel_threads(
    search: Search,
    *,
    threads: Count = 4,
    rounds: Annotated[int, Range(low=0)] = 4,
    temperature: Temperature | None = None,
) -> Answer:
    """A parent thread that spawns up to `threads` children at a time, up to `rounds` times, and joins their results.

    A model that spawns nothing just answers.

    threads: lines of thought at once.
    rounds: how often the threads are joined.
    """
    sampling = search.at(temperature)
    turns = (Message("system", PARENT), *search.problem.messages)
    stopped = Until(stop=(CLOSE,))
    (parent,) = await search.ask(turns, role=GENERATE, sampling=sampling, until=stopped if rounds else Until())
    for left in reversed(range(rounds)):
        if not _spawned(parent):
            break
        given = tasks(parent.solution)[:threads]
        results = await search.together(*(_child(search, task, sampling) for task in given))
        joined = "\n".join(f"{i}. {result}" for i, result in enumerate(results, 1))
        parent = await search.insert(parent, f"{CLOSE}\n<join>\n{joined}\n</join>\n", label="join")
        (parent,) = await search.extend(parent, until=stopped if left else Until(), sampling=sampling)
    answer = search.answer(parent)
    if answer.value is not None:
        search.propose(answer)
    return answer


def _spawned(node: Node) -> bool:
    return node.finish is Finish.STOP and OPEN in node.segment.text


async def _child(search: Search, task: str, sampling: Sampling) -> str:
    (reply,) = await search.ask((Message("system", CHILD), Message("user", task)), role=GENERATE, sampling=sampling)
    return " ".join(reply.solution.split())
