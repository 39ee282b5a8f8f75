"""`first_finish` (First Finish Search): write n solutions in parallel and take the one that ends first."""

from __future__ import annotations

from clew.needs import Capability
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import END, tokens
from clew.search import Search
from clew.tree import leave

CHUNK = 16
"""Tokens by which every solution is extended before the method looks which of them have ended. At most so many tokens
of each are written in vain."""


@method(
    "first_finish",
    family="sample",
    paper="arXiv:2505.18149",
    needs={"text"},
    proof="tests/methods/sample/test_sampled.py::test_first_finish_is_decided_by_tokens_not_by_arrival",
    departs="The first solution is the one with the fewest tokens, not the one that comes back first, which depends on "
    "what else the machine does. All solutions are extended together, 16 tokens at a time, or, by a model that cannot "
    "continue a text, to their ends. A truncated solution has not ended.",
)
async def first_finish(search: Search, *, n: Count = 4, temperature: Temperature | None = None) -> Answer:
    """Write n solutions at once, answer with the one that ends after the fewest tokens, and give up the others.

    n: the number of solutions; what was written of those that are given up is charged.
    """
    chunk = tokens(CHUNK) if Capability.CONTINUE in search.model.capabilities else END
    nodes = [search.root] * n
    try:
        while not any(node.complete for node in nodes) and not all(node.finished for node in nodes):
            nodes = await search.extend_each(nodes, until=chunk, sampling=search.at(temperature))
    finally:
        # Also where the budget ends inside an extension during which some have ended. Among equally short solutions the
        # nodes' random streams decide, so that timing decides nothing.
        ended = [node for node in search.tree.nodes if node.complete]
        first = min(ended, key=lambda node: (node.tokens, node.stream.key), default=None)
        if first is not None:
            search.propose(search.answer(first))
    leave((node for node in nodes if not node.complete), "not the first to end")
    return Answer(None) if first is None else search.answer(first)
