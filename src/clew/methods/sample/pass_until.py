"""`pass_until` (PassUntil): sample until r solutions pass, which measures pass rates too small for a fixed number."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from clew.parameters import Range, Samples, Temperature
from clew.problem import Answer, Status
from clew.registry import method
from clew.search import Search

WIDTH = 8
"""The most solutions in flight: those that are given up when the last one passes are paid for in vain."""


@method(
    "pass_until",
    family="sample",
    paper="arXiv:2310.03262",
    needs={"text", "verifier"},
    proof="tests/methods/sample/test_sampled.py::test_pass_until_is_unbiased",
    departs="The estimate from K samples is (r-1)/(K-1) (Haldane 1945), which is unbiased; the paper's r/K is not.",
)
async def pass_until(
    search: Search,
    *,
    passes: Annotated[int, Range(low=2)] = 2,
    n: Samples | None = None,
    temperature: Temperature | None = None,
) -> Answer:
    """Sample until the verifier passed `passes` solutions; the confidence is the unbiased estimate of the pass rate.

    When the samples or the budget end before the last pass, the confidence is the share of solutions that passed.

    passes: r, the number of solutions that have to pass.
    n: the most solutions that are drawn; as many as the budget pays for unless it is given.
    """
    verifier = search.problem.verifier
    assert verifier is not None  # a declared need
    passed, drawn = 0, 0
    found = Answer(None, status=Status.ABSTAINED)
    async for leaf in search.rollouts(n=n, sampling=search.at(temperature), width=WIDTH):
        drawn += 1
        answer = search.answer(leaf)
        if answer.value is not None and verifier(answer.value) >= 1.0:
            passed += 1
            found = answer if passed == 1 else found
        rate = (passes - 1) / (drawn - 1) if passed == passes else passed / drawn
        found = replace(found, confidence=rate)
        search.propose(found)
        if passed == passes:
            break
    return found
