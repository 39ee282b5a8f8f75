"""`parallel_distill_refine`: drafts are distilled into a bounded workspace, from which new drafts start, in rounds."""

from __future__ import annotations

from typing import Literal

from clew.methods.common.rewriting import advised, review
from clew.methods.common.solutions import revised
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import GENERATE, Search
from clew.tasks.answers import visible
from clew.tree import Node

DISTIL = (
    "Several attempts at the problem follow. Do not solve it. Write notes for the next attempt, briefly: what the "
    "attempts agree on, where they contradict each other, which results are certain, and what is still to be done."
)
START = "Work that was done on the question below before. It may be wrong: check it, and write a complete solution."


@method(
    "parallel_distill_refine",
    family="sequential",
    paper="arXiv:2510.01123",
    needs={"text"},
    proof="tests/methods/sequential/test_parallel_distill_refine.py",
    departs="Only the abstract and reports of the paper could be consulted; the prompts are our own. Its top-k "
    "workspace, for which the model grades its drafts, is left out. The summary is written by the judge, by default "
    "the same model. A last draft that states no answer does not replace the vote of the round before.",
)
async def parallel_distill_refine(
    search: Search,
    *,
    drafts: Count = 4,
    rounds: Count = 2,
    workspace: Literal["summary", "random"] = "summary",
    bound: Count = 256,
    k: Count = 2,
    temperature: Temperature | None = None,
) -> Answer:
    """Write drafts at once, distil them into a bounded workspace, write new drafts from that; one draft in the end.

    Round r samples M_r drafts S = {M(x, C)} and replaces the workspace by C = D(x, S); nothing else is kept. M_r is
    `drafts`, and 1 in the last round. With one draft in every round this is sequential refinement, in which the
    workspace is the draft itself.

    drafts: the number of drafts that are written at once in a round.
    rounds: the number of rounds.
    workspace: what the next drafts start from.
        `summary`: a summary of all drafts, the same for every new draft. `random`: for each new draft some drafts,
        chosen by chance, without their thinking.
    bound: the most tokens that a summary may have.
    k: how many drafts a random workspace holds.
    """
    sampling = search.at(temperature)

    async def spaces(made: list[Node], n: int) -> list[list[str]]:
        """The workspaces of the next n drafts, each a list of notes."""
        if len(made) > 1 and workspace == "summary":
            return [[await review(search, DISTIL, [_shown(node) for node in made], max_tokens=bound)]] * n
        chosen = [search.rng.choice(len(made), min(k, len(made)), replace=False) for _ in range(n)]
        return [[_shown(made[i]) for i in sorted(few)] for few in chosen]

    async def refine(notes: list[str]) -> Node:
        """Write one draft from a workspace."""
        (node,) = await search.ask(advised(search, START, notes), role=GENERATE, sampling=sampling)
        return node

    made = await search.extend(search.root, drafts if rounds > 1 else 1, sampling=sampling)
    answer = revised(search, search.pick(made), Answer(None))
    for left in reversed(range(rounds - 1)):
        made = await search.together(*(refine(notes) for notes in await spaces(made, drafts if left else 1)))
        answer = revised(search, search.pick(made), answer)
    return answer


def _shown(node: Node) -> str:
    """What a draft puts into a workspace: its text without its thinking, or its thinking where there is no other."""
    return (visible(node.solution) or node.solution).strip()
