"""`rethink_mcts` (RethinkMCTS): tree search over thoughts; a thought is rewritten when the solution from it fails."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated

from clew.methods.common.arms import RULES, Arm, prior, puct, select
from clew.methods.common.solutions import SCORER, Bounds, Final, Scoring, Solutions, distinct, path_share
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer, Message
from clew.registry import method
from clew.sampling import STEP, Sampling
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
NEXT = (
    "Continue the thoughts with the one that comes after the last, and avoid what the feedback names. "
    "Write only that thought, in one step of the same form."
)
EVALUATE = (
    "The solution below passes the check that is there, and may be wrong all the same. "
    "Rate from -1 to 1 how sure you are that it is right. Conclude in the last line with the number alone."
)
PASSED, RATED = 0.8, 0.2
"""The weights of the score and of the judge's rating in the dual value of a solution that passes (the authors')."""


@dataclass(frozen=True, slots=True)
class Run:
    """A solution that was written from a thought.

    end: its leaf.
    value: its score, or its dual value if it passes.
    passed: whether its score is good.
    """

    end: Node
    value: float
    passed: bool


@method(
    "rethink_mcts",
    family="tree",
    paper="arXiv:2409.09584",
    needs={"text", "continue"},
    proof="tests/methods/tree/test_rethink_mcts.py",
    departs="The judge gives the feedback, instead of an executor that traces blocks of code, and it is on the last "
    "thought (the authors' code can also ask which thought is at fault). Selection is PUCT over scaled values, with "
    "the greatest value as Q. The search ends early at a solution whose dual value is good.",
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

    The value of a solution that passes is 0.8 · its score + 0.2 · the judge's rating, from -1 to 1 (the dual value).
    After one that fails, the prompt for further thoughts contains the feedback on it.

    simulations: how many thoughts are selected in all.
    expand: how many further thoughts are proposed below a thought that was selected.
    rethinks: how often one thought may be rewritten; the new one replaces it in the tree.
    good: the score with which a solution passes; one whose dual value is at least this ends the search.
    """
    async with Solutions(search, final, scorer, stands_for=path_share) as found:
        bounds = Bounds()
        root = Arm(search.root)
        sampling = search.at(temperature)

        async def write(thought: Node) -> Run:
            """Write the solution from a thought, and evaluate it."""
            (end,) = await search.extend_each([thought], sampling=sampling, label="rollout")
            found.add_unscored([end])
            (score,) = await search.score([end], scorer)
            passed = score >= good
            value = PASSED * score + RATED * await _rating(search, end) if passed else score
            found.add([end], [-math.inf if math.isnan(value) else value])
            return Run(end, value, passed)

        for _ in range(simulations):
            # 1. Select a thought, and write the solution from it.
            arm = select(root, puct, RULES["puct"][1], bounds, "max")
            run, feedback = await write(arm.node), ""
            # 2. While it fails, ask why, and replace the last thought by a better one.
            for left in reversed(range(rethinks + 1)):
                if run.passed:
                    break
                feedback = await _feedback(search, arm.node, run.end)
                if not left or arm.parent is None:
                    break
                arm.node = await _repaired(search, arm.node, run.end, feedback, sampling)
                run = await write(arm.node)
            # 3. Back up the value of the last solution.
            arm.back_up(bounds.admit(run.value))
            if found.best >= good:
                break
            # 4. Propose further thoughts below the thought. One that ends a solution is not selected again.
            if arm.node.finished:
                arm.close()
            else:
                told = "" if run.passed else feedback
                arm.children += [
                    Arm(thought, arm, p) for thought, p in await _proposed(search, arm, run, told, expand, sampling)
                ]
                arm.reopen()
            if root.closed:
                break
    return found.answer


async def _proposed(
    search: Search, arm: Arm, run: Run, feedback: str, n: int, sampling: Sampling
) -> list[tuple[Node, float]]:
    """Further thoughts below a node of the tree, each with the probability that the model gives it.

    Without feedback they are drawn as continuations of the partial solution. With feedback they are replies to a prompt
    that contains it, which are inserted below the partial solution. Thoughts that are there already are left out.
    """
    known = [child.step for child in arm.children]
    if not feedback:
        drawn = await search.extend(arm.node, n, until=STEP, sampling=sampling)
        return [(thought, prior(thought)) for thought in distinct(drawn, known)]
    turns = (Message("system", NEXT), Message("user", f"{_account(search, arm.node, run.end)}\nFeedback:\n{feedback}"))
    replies = await search.ask(turns, role=GENERATE, n=n, until=STEP, sampling=sampling)
    chances = {_as_step(search, reply.solution, arm.node): prior(reply) for reply in replies if reply.solution.strip()}
    there = {thought.segment.text for thought in known}
    return [
        (await search.insert(arm.node, text, label="after feedback"), chance)
        for text, chance in chances.items()
        if text not in there
    ]


async def _feedback(search: Search, thought: Node, end: Node) -> str:
    """What the judge finds wrong with a thought, given the failed solution that was written from it."""
    turns = (Message("system", FAULT), Message("user", _account(search, thought, end)))
    (reply,) = await search.ask(turns)
    return reply.solution


async def _rating(search: Search, end: Node) -> float:
    """How sure the judge is that a solution that passes is right, in [-1, 1]; 0 where it does not say."""
    turns = (Message("system", EVALUATE), Message("user", f"{search.problem.question}\n\nSolution:\n{end.solution}"))
    (reply,) = await search.ask(turns)
    numbers = re.findall(r"-?\d+(?:\.\d+)?", reply.solution)
    return max(-1.0, min(1.0, float(numbers[-1]))) if numbers else 0.0


async def _repaired(search: Search, thought: Node, end: Node, feedback: str, sampling: Sampling) -> Node:
    """Rewrite a thought by the feedback on it, and insert the new one in its place."""
    assert thought.parent is not None
    turns = (Message("system", REPAIR), Message("user", f"{_account(search, thought, end)}\nFeedback:\n{feedback}"))
    (reply,) = await search.ask(turns, role=GENERATE, until=STEP, sampling=sampling)
    leave([thought], "rethought")
    return await search.insert(thought.parent, _as_step(search, reply.solution, thought), label="rethought")


def _account(search: Search, thought: Node, end: Node) -> str:
    """The part of a prompt that shows the problem, the thoughts up to one, and the solution written from it."""
    before, last = ("", "") if thought.parent is None else (thought.parent.solution, thought.segment.text)
    return f"{search.problem.question}\n\nThoughts before:\n{before}\nLast thought:\n{last}\nSolution:\n{end.solution}"


def _as_step(search: Search, text: str, like: Node) -> str:
    """The text of a thought, completed by the delimiter of a step where it has none: that of the thought `like`."""
    marks = search.problem.steps
    if not marks or text.endswith(marks):
        return text
    return text + next((mark for mark in marks if like.segment.text.endswith(mark)), marks[0])
