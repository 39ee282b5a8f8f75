"""Prompts about whole solutions: a model criticises, rewrites or rates one, or solves the problem with notes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clew.problem import Message
from clew.sampling import Sampling
from clew.search import GENERATE, Search
from clew.tree import Node

CRITIC = (
    "Provide a detailed and constructive critique to improve the answer. "
    "Highlight specific areas that need refinement or correction."
)
REWRITER = (
    "Refine the answer based on the critique. Respond with a complete solution and its answer, in the same form. "
    "Do not discuss the critique and do not repeat the problem."
)
RATER = (
    "Rate the quality of the answer from -100 to 100, using very strict standards. "
    "Do not give a full score above 95. Return only the score, an integer."
)
CEILING, PENALTY = 95.0, 5.0
"""A rating above the ceiling is lowered by the penalty, in points of 100: models give full scores too easily
(arXiv:2406.07394, section 3.3)."""


def advised(search: Search, heading: str, notes: Sequence[str]) -> tuple[Message, ...]:
    """The problem's messages, with notes under a heading before its question.

    search: the search, whose problem it is.
    heading: what the notes are.
    notes: the notes, one text each.
    """
    said = "\n\n".join(note.strip() for note in notes)
    return search.problem.asking(f"{heading}\n\n{said}\n\n{search.problem.question}")


def _about(search: Search, *rounds: tuple[str, str]) -> str:
    """The problem, and then each solution with its critique ('' for none)."""
    parts = [f"<problem>\n{search.problem.question}\n</problem>"]
    for solution, critique in rounds:
        parts.append(f"<answer>\n{solution}\n</answer>")
        if critique:
            parts.append(f"<critique>\n{critique}\n</critique>")
    return "\n".join(parts)


async def review(search: Search, order: str, solutions: Sequence[str], *, max_tokens: int | None = None) -> str:
    """What the judge replies to an instruction about solutions.

    search: the search, whose judge is asked.
    order: the instruction.
    solutions: the texts of the solutions.
    max_tokens: the most tokens that the reply may have; None: as many as a solution.
    """
    about = _about(search, *((solution, "") for solution in solutions))
    (reply,) = await search.ask((Message("system", order), Message("user", about)), max_tokens=max_tokens)
    return reply.solution


async def criticise(search: Search, solution: str) -> str:
    """What the judge finds wrong with a solution."""
    return await review(search, CRITIC, [solution])


async def rewrite(
    search: Search,
    solution: str,
    critique: str,
    *,
    before: Sequence[tuple[str, str]] = (),
    sampling: Sampling | None = None,
) -> Node:
    """Let the generating model rewrite a solution according to a critique.

    search: the search, whose generating model writes.
    solution: the text of the solution.
    critique: what is wrong with it.
    before: earlier solutions with their critiques, the oldest first.
    sampling: how tokens are drawn; None: as the search says.
    """
    turns = (Message("system", REWRITER), Message("user", _about(search, *before, (solution, critique))))
    (reply,) = await search.ask(turns, role=GENERATE, sampling=sampling)
    return reply


async def rate(search: Search, solution: str) -> float:
    """The judge's rating of a solution, from -100 to 100 (see `rating`)."""
    (reply,) = await search.ask((Message("system", RATER), Message("user", _about(search, (solution, "")))))
    return rating(reply.solution)


def rating(reply: str) -> float:
    """The rating that a reply gives: its last number, clipped to [-100, 100] and lowered above the ceiling.

    A reply without a number rates -100.
    """
    numbers = re.findall(r"-?\d+(?:\.\d+)?", reply)
    if not numbers:
        return -100.0
    value = max(-100.0, min(100.0, float(numbers[-1])))
    return value - PENALTY if value > CEILING else value
