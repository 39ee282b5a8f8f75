"""Parallel-distill-refine: drafts → a bounded workspace → new drafts that start from it, round after round."""

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
    "workspace, for which the model grades its drafts, is left out. The judge writes the summary: by default the same "
    "model. A last draft that states no answer does not replace the vote of the round before.",
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

    Round r samples S = {M(x, C)} with M_r drafts and replaces the workspace by C = D(x, S); nothing else is kept. M_r
    is `drafts`, in the last of the `rounds` 1. drafts=1 is sequential refinement: the workspace is the draft itself.
    workspace: `summary`: what all drafts say, in at most `bound` tokens, the same for all new drafts; `random`: for
    each of them `k` drafts chosen by chance, without their thinking.

    drafts: solutions written side by side in a round.
    rounds: of writing and distilling.
    bound: tokens that a distilled workspace may have.
    k: solutions that a random workspace holds.
    """
    sampling = search.at(temperature)

    async def spaces(made: list[Node], n: int) -> list[list[str]]:
        """The workspaces of the next n drafts."""
        if len(made) > 1 and workspace == "summary":
            return [[await review(search, DISTIL, [_shown(node) for node in made], max_tokens=bound)]] * n
        chosen = [search.rng.choice(len(made), min(k, len(made)), replace=False) for _ in range(n)]
        return [[_shown(made[i]) for i in sorted(few)] for few in chosen]

    async def refine(notes: list[str]) -> Node:
        (node,) = await search.ask(advised(search, START, notes), role=GENERATE, sampling=sampling)
        return node

    made = await search.extend(search.root, drafts if rounds > 1 else 1, sampling=sampling)
    answer = revised(search, search.pick(made), Answer(None))
    for left in reversed(range(rounds - 1)):
        made = await search.together(*(refine(notes) for notes in await spaces(made, drafts if left else 1)))
        answer = revised(search, search.pick(made), answer)
    return answer


def _shown(node: Node) -> str:
    """What a draft hands on: all but its thinking (which is all there is of one that was cut off in it)."""
    return (visible(node.solution) or node.solution).strip()
