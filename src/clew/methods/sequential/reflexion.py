"""Reflexion: try, say in words why it failed, and try again with that in mind."""

from __future__ import annotations

import math
import re
from collections import deque

from clew.methods.common.rewriting import advised, review
from clew.methods.common.solutions import Scoring, revised, worths
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
    """1 where the last verdict of a reply is `right`, else 0."""
    found = re.findall(r"\b(?:right|wrong)\b", reply.lower())
    return float(bool(found) and found[-1] == "right")


@method(
    "reflexion",
    family="sequential",
    paper="arXiv:2303.11366",
    needs={"text"},
    proof="tests/methods/sequential/test_reflexion.py",
    departs="For solutions without actions: there is no trajectory beside the solution. The prompts are general and "
    "without examples. The answer is the best attempt's, not the last's, where the evaluator tells them apart.",
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

    Algorithm 1. trials: attempts in all. memory: reflections that are kept, the latest (the paper's Ω, 1 to 3).
    scorer: the evaluator M_e; by default the problem's verifier or, where it has none, the judge's verdict (1 or 0).
    good: the score with which an attempt passes. The judge also writes the reflections (M_sr).
    """
    kept: deque[str] = deque(maxlen=memory)
    sampling = search.at(temperature)
    answer, best = Answer(None), -math.inf
    for left in reversed(range(trials)):
        if kept:
            (node,) = await search.ask(advised(search, REMEMBER, kept), role=GENERATE, sampling=sampling)
        else:
            (node,) = await search.extend(search.root, sampling=sampling)
        if answer.value is None:
            # Whoever evaluates it may spend the rest of the budget.
            answer = revised(search, search.answer(node), answer)
        value = await _evaluate(search, node, scorer)
        if value >= best and search.answer(node).value is not None:
            best = value
            answer = answer if answer.node is node else revised(search, search.answer(node), answer)
        if value >= good or not left:
            break
        leave([node], "failed")
        kept.append(await review(search, REFLECT.format(value=value, good=good), [node.solution]))
    return answer


async def _evaluate(search: Search, node: Node, scorer: Scoring | None) -> float:
    if scorer is None and search.problem.verifier is None:
        return judged_right(await review(search, JUDGE, [node.solution]))
    (value,) = await worths(search, [node], scorer or "verifier")
    return value
