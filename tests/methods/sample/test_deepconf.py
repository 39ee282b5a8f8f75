"""DeepConf's offline filter: only the most confident solutions vote."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clew.budget import Budget
from clew.errors import UsageError
from clew.models.toy import ToyModel
from clew.runner import Trial, run_trial
from clew.sampling import Sampling
from clew.scorers.confidence import most_confident
from clew.testing import check_method
from clew.testing.toys import problem, run


@pytest.mark.parametrize("spec", ["deepconf?n=6", "deepconf?keep=0.9&scorer=(group_confidence?kind=bottom)"])
def test_conformance(spec: str) -> None:
    check_method(spec)


def test_the_filter_by_hand() -> None:
    ten = [float(i) for i in range(10)]
    assert [i for i, kept in enumerate(most_confident(ten, 0.1)) if kept] == [9]
    assert [i for i, kept in enumerate(most_confident(ten, 0.5)) if kept] == [5, 6, 7, 8, 9]
    assert all(most_confident(ten, 1.0))
    assert most_confident([1.0, 3.0, 3.0, math.nan], 0.1) == [False, True, True, False], "equals stay, NaN does not"
    assert most_confident([math.nan], 0.5) == [False] and most_confident([], 0.5) == []


def unsure() -> ToyModel:
    """Mostly begins with `u` and then guesses among wrong answers, w most often; after an `s` it is sure of r."""

    def source(_: object, ids: tuple[int, ...], __: str) -> list[float]:
        # s, u, r, w, v, end
        if not ids:
            return [0.25, 0.75, 0.0, 0.0, 0.0, 0.0]
        if len(ids) == 1:
            return [0.0, 0.0, 0.97, 0.02, 0.01, 0.0] if ids[0] == 0 else [0.0, 0.0, 0.1, 0.5, 0.4, 0.0]
        return [0.0] * 5 + [1.0]

    return ToyModel(["s", "u", "r", "w", "v"], source)


def test_the_confident_minority_wins_where_the_vote_is_lost() -> None:
    """The paper's claim, on a model that is right when it is sure: in a quarter of its solutions."""

    def right(method: str) -> float:
        given = problem(extract=lambda text: text[-1:] or None)
        trials = (Trial(given, method, seed) for seed in range(30))
        work = (run_trial(c, {"generate": unsure()}, Budget(), sampling=Sampling(temperature=1.0)) for c in trials)
        return float(np.mean([run(w).answer.value == "r" for w in work]))

    assert right("deepconf?n=32&keep=0.1") > 0.9
    assert right("self_consistency?n=32") < 0.5
    assert right("deepconf?n=32&keep=1") < 0.7, "weights alone do not do it: the filter does"


def test_what_cannot_be_is_refused() -> None:
    for spec in ("deepconf?n=2&keep=0", "deepconf?n=2&keep=1.5", "deepconf?n=2&scorer=vote_share"):
        with pytest.raises(UsageError):
            run(run_trial(Trial(problem(), spec, 0), {"generate": unsure()}, Budget(tokens=500)))
