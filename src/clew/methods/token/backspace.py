"""`backspace`: a model that writes a marker has the token before it deleted."""

from __future__ import annotations

from clew.parameters import Count, Temperature, Text
from clew.problem import Answer
from clew.registry import method
from clew.sampling import Until
from clew.search import Search

DELETIONS = "backspace_deletions"
"""The score of the final leaf under which the number of deleted tokens is recorded."""


@method(
    "backspace",
    family="token",
    paper="arXiv:2306.05426",
    needs={"text", "continue"},
    proof="tests/methods/token/test_backspace.py",
    departs="The marker is a text of one or more tokens, instead of a token of its own, so that any model can be told "
    "to use it.",
)
async def backspace(
    search: Search, *, marker: Text = "<backspace>", limit: Count = 256, temperature: Temperature | None = None
) -> Answer:
    """Write one solution; each `marker` in it deletes itself and the token before, and writing goes on from there.

    As in the paper, the model never sees what was deleted.

    marker: the text that deletes the token before it.
    limit: the most deletions; a marker after that ends the solution.
    """
    node, deletions = search.root, 0
    while not node.finished:
        # 1. Write up to the next marker, or to the end.
        before = len(node.solution)
        (grown,) = await search.extend(node, until=Until(delimiters=(marker,)), sampling=search.at(temperature))
        text = grown.solution
        at = text.find(marker, before)
        if at < 0:
            node = grown
            continue
        # 2. Delete the marker, and then the token before it.
        node = search.rewind(grown, chars=len(text) - at)
        if deletions == limit:
            break
        if node.tokens:
            node = search.rewind(node, tokens=1)
            deletions += 1
    node.scores[DELETIONS] = float(deletions)
    return search.answer(node)
