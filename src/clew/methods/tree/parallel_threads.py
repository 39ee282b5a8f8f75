"""`parallel_threads` (adaptive parallel reasoning): the model spawns threads, and reads their results."""

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
    """The tasks of the last spawn in a text: one on each line after it."""
    _, _, listed = text.rpartition(OPEN)
    return [line.strip() for line in listed.splitlines() if line.strip()]


@method(
    "parallel_threads",
    family="tree",
    paper="arXiv:2504.15466",
    needs={"text"},
    proof="tests/methods/tree/test_parallel_threads.py",
    departs="The model is asked to spawn threads instead of being trained to. Child threads do not see the text of "
    "their parent, and do not spawn threads themselves.",
)
async def parallel_threads(
    search: Search,
    *,
    threads: Count = 4,
    rounds: Annotated[int, Range(low=0)] = 4,
    temperature: Temperature | None = None,
) -> Answer:
    """A parent thread that spawns up to `threads` children at a time, up to `rounds` times, and joins their results.

    A model that spawns no threads simply answers.

    threads: the most threads that are spawned at once; further tasks are left out.
    rounds: the most times that threads are spawned and joined.
    """
    sampling = search.at(temperature)
    turns = (Message("system", PARENT), *search.problem.messages)
    stopped = Until(stop=(CLOSE,))
    (parent,) = await search.ask(turns, role=GENERATE, sampling=sampling, until=stopped if rounds else Until())
    # In each round: the tasks run at once, the parent reads their results, and it writes on, up to the next spawn.
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
    """Whether a text of the parent ended with a spawn, and not with an answer."""
    return node.finish is Finish.STOP and OPEN in node.segment.text


async def _child(search: Search, task: str, sampling: Sampling) -> str:
    """The result of one thread, on one line."""
    (reply,) = await search.ask((Message("system", CHILD), Message("user", task)), role=GENERATE, sampling=sampling)
    return " ".join(reply.solution.split())
