"""`reflexion`: the model reflects on a failed attempt in words, which stand in the prompt of the next attempt."""

from __future__ import annotations

import math
import re
from collections import deque

from clew.methods.common.rewriting import advised, review
from clew.methods.common.solutions import Scoring, comparable_scores, revised
from clew.parameters import Count, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import GENERATE, Search
from clew.tree import Node, leave

JUDGE = "Check the answer. Conclude in the last line with one word: right or wrong."
REFLECT = (
    "The answer below was judged {value:g}, and {good:g} is wanted. In a few sentences, say what most likely went "
    "wrong and what to do differently in the next attempt. Do not solve the problem."
)
REMEMBER = "Earlier attempts at the question below failed. What was learnt from them:"


def judged_right(reply: str) -> float:
    """1 where the last of the words `right` and `wrong` in a reply is `right`, else 0."""
    found = re.findall(r"\b(?:right|wrong)\b", reply.lower())
    return float(bool(found) and found[-1] == "right")


@method(
    "reflexion",
    family="sequential",
    paper="arXiv:2303.11366",
    needs={"text"},
    proof="tests/methods/sequential/test_reflexion.py",
    departs="An attempt is a solution without actions, so there is no trajectory beside it. The prompts are general "
    "and without examples. The answer is that of the best attempt, not of the last one.",
)
async def reflexion(
    search: Search,
    *,
    trials: Count = 4,
    memory: Count = 3,
    good: float = 1.0,
    scorer: Scoring | None = None,
    temperature: Temperature | None = None,
) -> Answer:
    """Attempt, evaluate, reflect, and attempt again with the reflections in the prompt, until an attempt is good.

    Algorithm 1 of the paper. The judge writes the reflections (M_sr of the paper).

    trials: the most attempts.
    memory: how many reflections are kept, the latest ones (Ω of the paper, 1 to 3).
    good: the score with which an attempt passes.
    scorer: the evaluator (M_e of the paper). Unless it is given, the problem's verifier, or, without a verifier, the
        judge's verdict (1 or 0).
    """
    kept: deque[str] = deque(maxlen=memory)
    sampling = search.at(temperature)
    answer, best = Answer(None), -math.inf
    for left in reversed(range(trials)):
        # 1. Attempt, with the reflections that are kept.
        if kept:
            (node,) = await search.ask(advised(search, REMEMBER, kept), role=GENERATE, sampling=sampling)
        else:
            (node,) = await search.extend(search.root, sampling=sampling)
        # 2. Evaluate it. A first answer is proposed before, as the evaluation may spend the rest of the budget.
        if answer.value is None:
            answer = revised(search, search.answer(node), answer)
        value = await _evaluate(search, node, scorer)
        if value >= best and search.answer(node).value is not None:
            best = value
            answer = answer if answer.node is node else revised(search, search.answer(node), answer)
        if value >= good or not left:
            break
        # 3. Reflect on the failure.
        leave([node], "failed")
        kept.append(await review(search, REFLECT.format(value=value, good=good), [node.solution]))
    return answer


async def _evaluate(search: Search, node: Node, scorer: Scoring | None) -> float:
    """The score of an attempt; -inf for NaN."""
    if scorer is None and search.problem.verifier is None:
        return judged_right(await review(search, JUDGE, [node.solution]))
    (value,) = await comparable_scores(search, [node], scorer or "verifier")
    return value
