"""Backspace: a model that asks for its last token to be deleted has it deleted."""

from __future__ import annotations

from clew.parameters import Count, Temperature, Text
from clew.problem import Answer
from clew.registry import method
from clew.sampling import Until
from clew.search import Search

DELETIONS = "backspace_deletions"
"""The score of the final leaf that says how many tokens it deleted."""


@method(
    "backspace",
    family="token",
    paper="arXiv:2306.05426",
    needs={"text", "continue"},
    proof="tests/methods/token/test_backspace.py",
    departs="The marker is a text, of one token or several, so that any model can be told to use it.",
)
async def backspace(
    search: Search, *, marker: Text = "<backspace>", limit: Count = 256, temperature: Temperature | None = None
) -> Answer:
    """Write one solution; each `marker` in it deletes itself and the token before, and writing goes on from there.

    The model never sees what it deleted, as in the paper's state. limit: deletions; a marker after that ends the
    solution before itself.

    marker: the text that undoes the token before it.
    """
    node, deletions = search.root, 0
    while not node.finished:
        before = len(node.solution)
        (grown,) = await search.extend(node, until=Until(delimiters=(marker,)), sampling=search.at(temperature))
        text = grown.solution
        at = text.find(marker, before)
        if at < 0:
            node = grown
            continue
        node = search.rewind(grown, chars=len(text) - at)
        if deletions == limit:
            break
        if node.tokens:
            node = search.rewind(node, tokens=1)
            deletions += 1
    node.scores[DELETIONS] = float(deletions)
    return search.answer(node)
