"""RethinkMCTS: tree search over thoughts that repairs a thought when what follows from it fails."""

from __future__ import annotations

import math
from typing import Annotated

from clew.methods.common.arms import RULES, Arm, puct, select
from clew.methods.common.solutions import SCORER, Bounds, Final, Scoring, Solutions, distinct, path_share
from clew.methods.tree.mcts import prior
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer, Message
from clew.registry import method
from clew.sampling import STEP
from clew.search import GENERATE, Search
from clew.tree import Node, leave

FAULT = (
    "The solution below is wrong. It was written from the thoughts before it. "
    "Say what is wrong with the last thought, in one or two sentences."
)
REPAIR = (
    "Revise the last thought according to the feedback. "
    "Write only the new thought that replaces it, in one step of the same form."
)


@method(
    "rethink_mcts",
    family="tree",
    paper="arXiv:2409.09584",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_rethink_mcts.py",
    departs="The feedback is the judge's, not an executor's trace of blocks, and is on the last thought (the authors' "
    "code can also ask which thought is at fault). Selection is PUCT over scaled values with the greatest as Q.",
)
async def rethink_mcts(
    search: Search,
    *,
    simulations: Count = 16,
    expand: Count = 3,
    rethinks: Annotated[int, Range(low=0)] = 1,
    good: float = 1.0,
    scorer: Scoring = SCORER,
    final: Final = "best",
    temperature: Temperature | None = None,
) -> Answer:
    """Select a thought, write the solution from it; if that is not good, rewrite the thought from feedback and go on.

    simulations: thoughts selected in all; the search ends early at a solution with a score of at least `good`.
    expand: further thoughts proposed below each. rethinks: how often one thought may be rewritten. The repaired thought
    takes the old one's place in the tree.

    good: a solution with at least this score ends the search.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        bounds = Bounds()
        root = Arm(search.root)
        sampling = search.at(temperature)

        async def follow(node: Node) -> tuple[Node, float]:
            (end,) = await search.extend_each([node], sampling=sampling, label="rollout")
            found.met([end])
            (score,) = await search.score([end], scorer)
            found.add([end], [-math.inf if math.isnan(score) else score])
            return end, score

        for _ in range(simulations):
            arm = select(root, puct, RULES["puct"][1], bounds, "max")
            end, score = await follow(arm.node)
            for _ in range(rethinks):
                if score >= good or arm.parent is None:
                    break
                arm.node = await _repaired(search, arm.node, end)
                end, score = await follow(arm.node)
            arm.back_up(bounds.admit(score))
            if found.best >= good:
                break
            if not arm.node.finished:
                thoughts = distinct(await search.extend(arm.node, expand, until=STEP, sampling=sampling))
                arm.children = [Arm(thought, arm, prior(thought)) for thought in thoughts]
    return found.answer


async def _repaired(search: Search, thought: Node, end: Node) -> Node:
    """What is to stand where `thought` stands, after the judge has said what is wrong with it."""
    assert thought.parent is not None
    said = (
        f"{search.problem.question}\n\nThoughts before:\n{thought.parent.solution}\n"
        f"Last thought:\n{thought.segment.text}\nSolution:\n{end.solution}"
    )
    (fault,) = await search.ask((Message("system", FAULT), Message("user", said)))
    turns = (Message("system", REPAIR), Message("user", f"{said}\nFeedback:\n{fault.solution}"))
    (reply,) = await search.ask(turns, role=GENERATE, until=STEP)
    text = reply.solution
    marks = search.problem.steps
    if marks and not text.endswith(marks):
        text += next((m for m in marks if thought.segment.text.endswith(m)), marks[0])
    leave([thought], "rethought")
    return await search.insert(thought.parent, text, label="rethought")
