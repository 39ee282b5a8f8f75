"""`backward_check` (FOBAR): an answer is checked by whether a masked number of the question follows from it."""

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
"""The paper's template of the backward question."""

EPSILON = 1e-8
"""ε of the backward probability, as in the authors' code: a candidate that no chain confirms keeps a little of it."""

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
    """For each number of the question: the question with x in its place, and the number in canonical form."""
    found = []
    for match in _NUMBER.finditer(question):
        value = as_canonical(WORDS.get(match.group().lower(), match.group()), "number")
        if value is not None:
            found.append((f"{question[: match.start()]}x{question[match.end() :]}", value))
    return found


def combined(forward: Mapping[str, int], backward: Mapping[str, int], alpha: float) -> dict[str, float]:
    """The probability of each candidate answer, P ∝ P_f^α · P_b^(1-α).

    P_f is the share of the solutions that state the candidate, and P_b = (Z + ε) / Σ(Z + ε).

    forward: how many solutions state each candidate.
    backward: Z, from how many backward chains the masked number followed, given the candidate.
    alpha: α, the weight of the forward probability, in [0, 1].
    """
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
    "for each candidate and masked number, where the default here is 2. Where the question has more numbers than "
    "`masks`, some of them are masked, chosen by chance. A single candidate is not checked. The backward question "
    "follows the task's own worked examples instead of examples of backward questions.",
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
    """Sample n solutions, mask numbers of the question, and ask for these given each answer; both directions decide.

    The answer is the candidate with the greatest P_f^α · P_b^(1-α) (see `combined`). Without numbers in the question
    the vote decides.

    n: the number of solutions, the forward chains.
    masks: the most numbers that are masked, one at a time.
    checks: how many backward chains the judge writes for each candidate and masked number.
    alpha: α, the weight of the forward chains: 1 is self-consistency, 0 uses the backward chains alone.
    """
    sampling = search.at(temperature)
    # 1. Forward: sample solutions; the candidates are the answers that they state.
    answer, leaves = Answer(None), list[Node]()
    async for leaf in search.rollouts(n=n, sampling=sampling):
        leaves.append(leaf)
        answer = revised(search, search.pick(leaves), answer)
    values = [search.answer(leaf).value for leaf in leaves]
    forward = Counter(value for value in values if value is not None)
    if len(forward) < 2:
        return answer
    # 2. Backward: for one masked number after another, ask for it given each candidate.
    recovered: Counter[str] = Counter()
    questions = masked(search.problem.question)
    for i in search.rng.permutation(len(questions))[:masks]:
        question, hidden = questions[i]
        # All candidates are checked in one batch, so that a spent budget never leaves some of them unchecked.
        found = await search.together(*(_recovered(search, question, hidden, c, checks) for c in forward))
        recovered.update(dict(zip(forward, found, strict=True)))
        # 3. Combine. Each solution has its share of its candidate's probability as its vote.
        probability = combined(forward, recovered, alpha)
        answer = search.pick(leaves, [0.0 if v is None else probability[v] / forward[v] for v in values])
        search.propose(answer)
    return answer


async def _recovered(search: Search, question: str, hidden: str, candidate: str, checks: int) -> int:
    """How many backward chains find the masked number, given the candidate."""
    asked = search.problem.asking(BACKWARD.format(question=question, answer=candidate))
    replies = await search.ask(asked, n=checks)
    return sum(extract(reply.solution, "number") == hidden for reply in replies)
