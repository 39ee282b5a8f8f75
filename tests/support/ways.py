"""A toy whose every sentence has a known effect on the answer."""

from __future__ import annotations

from clew.analysis.trace import Trace
from clew.models.toy import ToyModel
from clew.models.toy.script import scripted
from clew.problem import Message, Problem
from clew.sampling import Sampling
from clew.search import Search
from clew.tasks.answers import extractor, grader
from clew.testing.toys import run

GOOD, BAD = 0.9, 0.2
"""The chance of the right answer, 1, with the way A and with the way B. Each way is taken half the time."""


def ways() -> ToyModel:
    """Begins with a phrase that does not matter, takes way A or B, says another empty phrase, answers 1 or 2."""

    def lines(before: str) -> dict[str, float]:
        count = before.count("\n")
        if count == 0:
            return {"Well, hello.\n": 0.5, "Good morning.\n": 0.5}
        if count == 1:
            return {"We take way A.\n": 0.5, "We take way B.\n": 0.5}
        if count == 2:
            return {"That is it.\n": 0.5, "Here we go.\n": 0.5}
        right = GOOD if "way A" in before else BAD
        return {"#### 1": right, "#### 2": 1 - right}

    return scripted("ways", lambda question: lines)


def which(**changes: object) -> Problem:
    """The problem whose answer is 1."""
    given = {"id": "which", "messages": (Message("user", "Which?"),), "extract": extractor("number")}
    return Problem(
        **(given | {"grader": grader("1", "number"), "reference": "1", "max_tokens": 80, "steps": ("\n",)} | changes)
    )  # type: ignore[arg-type]


def written(model: ToyModel, text: str, seed: int = 0) -> tuple[Search, Trace]:
    """A trace that the model wrote, found among its samples, and a fresh search to continue it in."""
    s = Search(which(), {"generate": model}, seed=seed, sampling=Sampling(temperature=1.0))
    leaf = next(n for n in run(s.extend(s.root, 60)) if text in n.solution)
    fresh = Search(which(), {"generate": model}, seed=seed + 1, sampling=Sampling(temperature=1.0))
    return fresh, Trace(which(), leaf, model.name)
