"""Consensus: a vote where answers are short, minimum Bayes risk where they are free text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from clew.parameters import Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

SHORT = 4
"""The most words of an answer that two samples are likely to state alike."""


def free_text(answers: Mapping[str, float]) -> bool:
    """Whether a vote over these answers (answer → weight) counts nothing: no two are equal, and most are long."""
    long = sum(len(answer.split()) > SHORT for answer in answers)
    return len(answers) > 1 and max(answers.values()) <= 1 and 2 * long > len(answers)


def agreed(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The majority answer; of free text the whole sample with the greatest mean overlap with the others."""
    voted = vote(problem, leaves)
    if not free_text(voted.votes):
        return voted
    # Minimum Bayes risk (arXiv:2310.01387, eq. 2): argmax over samples of the mean gain against all the others.
    words = [Counter(re.findall(r"\w+", leaf.solution.lower())) for leaf in leaves]
    gains = [sum(_overlap(mine, other) for other in words if other is not mine) for mine in words]
    best = max(range(len(leaves)), key=gains.__getitem__)
    text = leaves[best].solution.strip()
    return Answer(text, text, gains[best] / (len(leaves) - 1), leaves[best])


def _overlap(a: Counter[str], b: Counter[str]) -> float:
    """F1 of the words of two texts, each as often as it occurs: in [0, 1]."""
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 0.0


@method(
    "consensus",
    family="sample",
    paper="Bertsch et al. 2023, arXiv:2310.01387",
    needs={"text"},
    proof="tests/methods/sample/test_consensus.py::test_of_free_text_the_sample_nearest_to_the_others_is_taken",
    departs="The gain is equality (a vote) wherever two samples agree or most answers are short, else F1 of the words.",
    aggregate=agreed,
)
async def consensus(search: Search, *, n: Samples | None = None, temperature: Temperature | None = None) -> Answer:
    """Sample n solutions: the majority answer; of free text, the one that shares most words with the others."""
    return await search.aggregate(n, partial(agreed, search.problem, params={}), temperature=temperature)
