"""`consensus`: a vote where answers are short, and minimum Bayes risk where they are free text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.parameters import Samples, Temperature
from clew.problem import Answer, Problem
from clew.registry import method
from clew.search import Search
from clew.tree import Node
from clew.vote import vote

SHORT = 4
"""The most words of a short answer, one that two samples may well state in the same words."""


def free_text(answers: Mapping[str, float]) -> bool:
    """Whether a vote would decide nothing, because no two answers are equal and most are long.

    answers: the number of votes for each answer.
    """
    long = sum(len(answer.split()) > SHORT for answer in answers)
    return len(answers) > 1 and max(answers.values()) <= 1 and 2 * long > len(answers)


def agreed(problem: Problem, leaves: Sequence[Node], params: Mapping[str, Any]) -> Answer:
    """The majority answer; for free text, the whole sample that has the greatest mean overlap with the others.

    problem: says how an answer is found in a text.
    leaves: the solutions.
    params: the parameters of `consensus`, none of which matters here.
    """
    voted = vote(problem, leaves)
    if not free_text(voted.votes):
        return voted
    # Minimum Bayes risk (arXiv:2310.01387, eq. 2): argmax over samples of the mean gain against all the others.
    gains = overlaps([leaf.solution for leaf in leaves])
    np.fill_diagonal(gains, 0.0)
    mean = gains.sum(axis=1) / (len(leaves) - 1)
    best = int(np.argmax(mean.round(9)))  # rounded, so that equal samples are equal and the first of them is taken
    text = leaves[best].solution.strip()
    return Answer(text, text, float(mean[best]), leaves[best])


def overlaps(texts: Sequence[str]) -> NDArray[np.float64]:
    """The F1 of the words of each two texts, a word counting as often as it occurs, float64[N, N], in [0, 1].

    texts: the N texts.
    """
    from scipy.sparse import csr_array

    words = [Counter(re.findall(r"\w+", text.lower())) for text in texts]
    column = {word: i for i, word in enumerate(dict.fromkeys(word for counts in words for word in counts))}
    rows = [i for i, counts in enumerate(words) for _ in counts]
    columns = [column[word] for counts in words for word in counts]
    times = np.array([times for counts in words for times in counts.values()], np.float64)
    # Two texts share min(a, b) occurrences of a word that occurs a and b times in them: the sum of [a ≥ t]·[b ≥ t] over
    # t. So one product of sparse matrices for each count t that occurs gives all pairs at once.
    shared = np.zeros((len(texts), len(texts)))
    for t, step in zip(levels := np.unique(times), np.diff(levels, prepend=0.0), strict=True):
        enough = csr_array(((times >= t).astype(np.float64), (rows, columns)), shape=(len(texts), len(column)))
        enough.eliminate_zeros()
        shared += step * (enough @ enough.T).toarray()
    sizes = np.array([counts.total() for counts in words], np.float64)
    return np.asarray(2 * shared / np.maximum(sizes[:, None] + sizes, 1.0), np.float64)


@method(
    "consensus",
    family="sample",
    paper="Bertsch et al. 2023, arXiv:2310.01387",
    needs={"text"},
    proof="tests/methods/sample/test_consensus.py::test_of_free_text_the_sample_nearest_to_the_others_is_taken",
    departs="Where two samples agree or most answers are short, the gain is equality, which is a vote; otherwise it is "
    "the F1 of the words.",
    aggregate=agreed,
)
async def consensus(search: Search, *, n: Samples | None = None, temperature: Temperature | None = None) -> Answer:
    """Sample n solutions and answer what most say; for free text, the one that shares most words with the others."""
    return await search.aggregate(n, partial(agreed, search.problem, params={}), temperature=temperature)
