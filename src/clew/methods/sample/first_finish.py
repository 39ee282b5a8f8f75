"""First Finish Search: the first of n parallel solutions to end is the answer."""

from __future__ import annotations

import asyncio

from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search


@method(
    "first_finish",
    family="sample",
    paper="arXiv:2505.18149",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_first_finish_charges_what_it_cancels",
    departs="A solution that is truncated has not finished.",
)
async def first_finish(search: Search, *, n: Count = 4, temperature: Temperature | None = None) -> Answer:
    """Run n solutions at once, answer with the first to end, and give up the others (which is charged).

    n: solutions in flight.
    """
    tasks = [asyncio.ensure_future(search.extend(search.root, sampling=search.at(temperature))) for _ in range(n)]
    try:
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            ended = [task.result()[0] for task in tasks if task in done and task.result()[0].complete]
            if ended:
                # Several may end before this task has its turn; the shortest was the first.
                answer = search.answer(min(ended, key=lambda leaf: leaf.tokens))
                search.propose(answer)
                return answer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return Answer(None)
