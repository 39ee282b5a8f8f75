"""FOBAR: the answers that solutions state are checked backwards: does a number of the question follow from them?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from clew.methods.common.solutions import revised
from clew.parameters import Count, Share, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.search import Search
from clew.tasks.answers import as_canonical, extract
from clew.tree import Node

BACKWARD = (
    "{question}\nIf we know the answer to the above question is {answer}, what is the value of unknown variable x?"
)
"""The paper's template."""
EPSILON = 1e-8
WORDS = {
    word: str(i)
    for i, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)
}
"""The spelled-out numbers that are masked too, as in the authors' code."""
_NUMBER = re.compile(
    r"(?<![\w.,/])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w/]|[.,]\d)|(?<![\w-])(?:" + "|".join(WORDS) + r")(?![\w-])",
    re.IGNORECASE,
)


def masked(question: str) -> list[tuple[str, str]]:
    """The question with each of its numbers in turn replaced by x, and that number in canonical form."""
    found = []
    for match in _NUMBER.finditer(question):
        value = as_canonical(WORDS.get(match.group().lower(), match.group()), "number")
        if value is not None:
            found.append((f"{question[: match.start()]}x{question[match.end() :]}", value))
    return found


def combined(forward: Mapping[str, int], backward: Mapping[str, int], alpha: float) -> dict[str, float]:
    """Candidate → probability, P ∝ P_f^α · P_b^(1-α), from how many solutions state each and how many backward chains
    recovered the number from it (Z): P_f is the share of the former, P_b = (Z + ε) / Σ(Z + ε)."""
    stated = sum(forward.values())
    recovered = sum(backward.get(c, 0) + EPSILON for c in forward)
    weights = {
        c: (count / stated) ** alpha * ((backward.get(c, 0) + EPSILON) / recovered) ** (1 - alpha)
        for c, count in forward.items()
    }
    total = sum(weights.values())
    return {c: weight / total for c, weight in weights.items()}


@method(
    "backward_check",
    family="sample",
    paper="arXiv:2308.07758",
    needs={"text"},
    proof="tests/methods/sample/test_backward_check.py",
    departs="α and ε are those of the authors' code (github.com/ws-jiang/fobar-public), which draws 8 backward chains "
    "for each candidate and masked number. Of many numbers only some are masked, chosen by chance. One candidate alone "
    "is not checked. The backward question stands behind the task's own worked examples, not behind backward ones.",
)
async def backward_check(
    search: Search,
    *,
    n: Count = 8,
    masks: Count = 4,
    checks: Count = 2,
    alpha: Share = 0.5,
    temperature: Temperature | None = None,
) -> Answer:
    """Sample n solutions; mask numbers of the question and ask for them given each answer; forward and backward decide.

    The answer is the candidate with the greatest P_f^α · P_b^(1-α): see `combined`. masks: the most numbers that are
    masked, one at a time. checks: backward chains for each candidate and mask, by the judge. alpha: 1 is
    self-consistency, 0 backward chains alone. Without numbers in the question the vote decides.

    n: solutions drawn forward.
    """
    sampling = search.at(temperature)
    answer, leaves = Answer(None), list[Node]()
    async for leaf in search.rollouts(n=n, sampling=sampling):
        leaves.append(leaf)
        answer = revised(search, search.pick(leaves), answer)
    values = [search.answer(leaf).value for leaf in leaves]
    forward = Counter(value for value in values if value is not None)
    if len(forward) < 2:
        return answer
    recovered: Counter[str] = Counter()
    questions = masked(search.problem.question)
    for i in search.rng.permutation(len(questions))[:masks]:
        question, hidden = questions[i]
        # In one batch for all candidates, so that a spent budget never leaves some of them unchecked.
        found = await search.together(*(_recovered(search, question, hidden, c, checks) for c in forward))
        recovered.update(dict(zip(forward, found, strict=True)))
        worth = combined(forward, recovered, alpha)
        answer = search.pick(leaves, [0.0 if v is None else worth[v] / forward[v] for v in values])
        search.propose(answer)
    return answer


async def _recovered(search: Search, question: str, hidden: str, candidate: str, checks: int) -> int:
    """How many of the backward chains find the masked number, given the candidate."""
    asked = search.problem.asking(BACKWARD.format(question=question, answer=candidate))
    replies = await search.ask(asked, n=checks)
    return sum(extract(reply.solution, "number") == hidden for reply in replies)
