"""Resampling: sample until a scorer passes a solution, and abstain where none passes."""

from __future__ import annotations

from clew.methods.common.solutions import ScorerSpec
from clew.parameters import Samples, Share, Temperature
from clew.problem import Answer, Status
from clew.registry import method
from clew.search import Search

SCORER = "verifier"


@method(
    "resample_until_pass",
    family="sample",
    paper="arXiv:2411.17501",
    needs={"text"},
    proof="tests/methods/sample/test_resample_until_pass.py",
)
async def resample_until_pass(
    search: Search,
    *,
    n: Samples | None = None,
    scorer: ScorerSpec = SCORER,
    threshold: Share = 0.5,
    temperature: Temperature | None = None,
) -> Answer:
    """Sample one solution after the other, and answer what the first one says that the scorer passes; else abstain.

    How accurate this can become is set by how often the scorer passes wrong solutions, however much is sampled: each
    further try is more often one at a problem that the model cannot solve. `clew audit SCORER` prints the accuracy that
    it tends to, and how many tries are best where a wrong answer costs something.

    n: the most tries. threshold: the least score of a solution that passes.
    """
    async for leaf in search.rollouts(n=n, sampling=search.at(temperature), width=1):
        answer = search.answer(leaf)
        if answer.value is None:
            continue
        (score,) = await search.score([leaf], scorer)
        if score >= threshold:
            return answer
    return Answer(None, status=Status.ABSTAINED)
