"""`greedy` and `sample`: a single solution, the baselines that other methods are compared with."""

from __future__ import annotations

from clew.parameters import Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search


@method(
    "greedy",
    family="sample",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_greedy_takes_the_mode",
)
async def greedy(search: Search) -> Answer:
    """Write one solution by always taking the most probable token."""
    return await _one(search, temperature=0.0)


@method(
    "sample",
    family="sample",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_sample_is_one_draw",
)
async def sample(search: Search, *, temperature: Temperature | None = None) -> Answer:
    """Write one solution by sampling its tokens."""
    return await _one(search, temperature)


async def _one(search: Search, temperature: float | None) -> Answer:
    (leaf,) = await search.extend(search.root, sampling=search.at(temperature))
    answer = search.answer(leaf)
    search.propose(answer)
    return answer
