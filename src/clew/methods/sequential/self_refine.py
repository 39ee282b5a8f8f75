"""`self_refine`: a model criticises its own solution and rewrites it, until it finds nothing wrong."""

from __future__ import annotations

from contextlib import suppress

from clew.errors import ContextOverflow
from clew.methods.common.rewriting import review, rewrite
from clew.methods.common.solutions import revised
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tree import leave

FEEDBACK = (
    "Check the answer step by step. Say what is wrong in it and how to correct it, specifically and briefly. "
    "If nothing is wrong, write: It is correct."
)
STOP = "it is correct"
"""The words of the feedback that end the refinement, in any case (as in the authors' code for mathematics)."""


@method(
    "self_refine",
    family="sequential",
    paper="arXiv:2303.17651",
    needs={"text"},
    proof="tests/methods/sequential/test_self_refine.py",
    departs="The prompts are general and without examples; the paper writes them for each task. The feedback comes "
    "from the judge, by default the same model. A refinement that states no answer does not replace an answer. A "
    "history that is too long for the model's context ends the refinement.",
)
async def self_refine(
    search: Search, *, rounds: Count = 4, history: bool = True, temperature: Temperature | None = None
) -> Answer:
    """Write a solution, criticise it, and rewrite it by the critique, until the critique finds nothing wrong.

    Algorithm 1 of the paper: y₀ = M(p_gen ‖ x); fb_t = M(p_fb ‖ x ‖ y_t);
    y_{t+1} = M(p_refine ‖ x ‖ y₀ ‖ fb₀ ‖ … ‖ y_t ‖ fb_t) (eqs. 1, 2 and 4).

    rounds: the most rounds of feedback and rewriting.
    history: whether a refinement sees all earlier solutions with their feedback (eq. 4), or only the last one (eq. 3).
    """
    sampling = search.at(temperature)
    (node,) = await search.extend(search.root, sampling=sampling)
    answer = revised(search, search.answer(node), Answer(None))
    before: list[tuple[str, str]] = []
    with suppress(ContextOverflow):
        for _ in range(rounds):
            feedback = await review(search, FEEDBACK, [node.solution])
            if STOP in feedback.lower():
                break
            refined = await rewrite(
                search, node.solution, feedback, before=before if history else (), sampling=sampling
            )
            leave([node], "refined")
            before.append((node.solution, feedback))
            node = refined
            answer = revised(search, search.answer(node), answer)
    return answer
