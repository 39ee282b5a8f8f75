"""`tot_bfs` (Tree of Thoughts): breadth-first search in which a judge evaluates the steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from clew.methods.common.beams import beam_search
from clew.methods.common.solutions import Final, Solutions, path_share
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import Node

VALUES = {"impossible": 0.001, "likely": 1.0, "sure": 20.0}
"""The value of each of the judge's words, as in the authors' code."""

VALUE_PROMPT = """{question}

A solution, so far:
{solution}

Can this become a right solution? Conclude in the last line with one word: sure, likely or impossible."""

VOTE_PROMPT = """{question}

Several partial solutions:

{choices}

Decide which choice is most promising. Analyze each choice, then conclude in the last line "The best choice is {{s}}", \
where s is the number of the choice."""


@method(
    "tot_bfs",
    family="tree",
    paper="arXiv:2305.10601",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_tot.py",
    departs="The prompts are general, not the paper's for its three tasks. Equal steps of one parent are merged: they "
    "are extended as one, and count in the vote as often as they were drawn. A finished solution stays among the best "
    "until better ones replace it.",
)
async def tot_bfs(
    search: Search,
    *,
    breadth: Count = 5,
    expand: Count = 5,
    evaluate: Literal["value", "vote"] = "value",
    asks: Count = 3,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Keep the `breadth` best partial solutions of each depth, as the judge values them or votes.

    Algorithm 1 of the paper. The judge is the model of the role `judge`.

    breadth: b of the paper, how many solutions of a depth are kept.
    expand: k of the paper, how many steps are drawn below each partial solution.
    evaluate: what the judge is asked.
        `value`: about each partial solution on its own. `vote`: which of all partial solutions of a depth is the best.
    asks: how many replies the judge gives each time, whose values or votes are added up.
    """
    async with Solutions(search, final, stands_for=path_share) as found:

        async def values(nodes: Sequence[Node]) -> list[float]:
            return list(await search.together(*(_value(search, node, asks) for node in nodes)))

        async def votes(nodes: Sequence[Node]) -> list[float]:
            return await _votes(search, nodes, asks)

        await beam_search(
            search,
            breadth,
            expand,
            values if evaluate == "value" else votes,
            found,
            search.at(temperature),
            first=expand,
        )
    return found.answer


async def _value(search: Search, node: Node, asks: int) -> float:
    """The sum of the values that several replies of the judge give a partial solution; recorded as `tot_value`."""
    prompt = VALUE_PROMPT.format(question=search.problem.question, solution=node.solution)
    value = sum(value_of(reply.solution) for reply in await search.ask(prompt, n=asks))
    node.scores["tot_value"] = value
    return value


async def _votes(search: Search, nodes: Sequence[Node], asks: int) -> list[float]:
    """How many replies of the judge vote for each partial solution; recorded as `tot_votes`."""
    choices = "\n\n".join(f"Choice {i}:\n{node.solution}" for i, node in enumerate(nodes, 1))
    prompt = VOTE_PROMPT.format(question=search.problem.question, choices=choices)
    counts = [0.0] * len(nodes)
    for reply in await search.ask(prompt, n=asks):
        choice = chosen(reply.solution)
        if 1 <= choice <= len(nodes):
            counts[choice - 1] += 1
    for node, count in zip(nodes, counts, strict=True):
        node.scores["tot_votes"] = count
    return counts


def value_of(reply: str) -> float:
    """The value of the last of the judge's words in a reply; 0 for a reply without one of them."""
    found = re.findall("|".join(VALUES), reply.lower())
    return VALUES[found[-1]] if found else 0.0


def chosen(reply: str) -> int:
    """The number of the choice that a reply votes for; 0 for a reply that votes for none."""
    found = re.findall(r"best choice is\D*(\d+)", reply, re.IGNORECASE)
    return int(found[-1]) if found else 0
