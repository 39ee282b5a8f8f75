"""Two runs side by side, each method with itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clew.errors import UsageError
from clew.lab.across import Across, across, notes
from clew.store import Reader
from clew.viewer.pages import Pages
from support.runs import real_run

VOTE = "self_consistency?n=4"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of a bad player and one of a good one, with more problems and another method."""
    folder = tmp_path_factory.mktemp("across")
    first = real_run(folder / "first.db", "greedy", VOTE, count=12, model="toy:arithmetic?skill=0.3")
    second = real_run(folder / "second.db", VOTE, "sample", count=14, model="toy:arithmetic?skill=0.9")
    return first, second


def compared(first: Path, second: Path) -> Across:
    with Reader.open(first) as before, Reader.open(second) as after:
        return across(before, after)


def test_a_method_is_compared_with_itself_on_the_problems_of_both(runs: tuple[Path, Path]) -> None:
    found = compared(*runs)
    (change,) = found.changes
    assert (change.method, change.searches, found.problems) == (VOTE, 12, 12)
    assert set(found.unpaired) == {"greedy", "sample"}
    pages = Pages(runs)
    grades = []
    for run in (0, 1):
        rows = pages.answer(f"runs/{run}/results?after=-1")
        vote = pages.answer("runs")[run]["methods"].index(VOTE)
        searches = zip(rows["problem"], rows["method"], rows["grade"], strict=True)
        grades.append({problem: grade for problem, method, grade in searches if method == vote})
    gained = np.mean([grades[1][problem] - grade for problem, grade in grades[0].items()])
    last = change.after[-1]
    assert last.difference == pytest.approx(gained) and gained > 0
    assert (
        last.difference_interval is not None and last.difference_interval.low <= gained <= last.difference_interval.high
    )
    # The first run has no other problems: its accuracy is that of its own report, at every budget.
    own = [row["accuracy"] for row in pages.answer("runs/0/report")["rows"] if row["method"] == VOTE]
    assert [row.accuracy for row in change.before] == pytest.approx(own)
    told = pages.answer("runs/0/against/1")
    assert json.dumps(told) and told["changes"][0]["after"][-1]["difference"] == pytest.approx(gained)
    said = notes(found)
    assert VOTE in said.finding and "the second run differs" in said.finding and "greedy, sample" in said.left_out
    pages.close()


def test_a_run_does_not_differ_from_itself(runs: tuple[Path, Path]) -> None:
    found = compared(runs[0], runs[0])
    assert {row.difference for change in found.changes for row in change.after} == {0.0} and not found.unpaired
    assert "do not tell the two runs apart" in notes(found).finding


def test_runs_without_anything_in_common_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = real_run(tmp_path / "other.db", "greedy", count=2, task="puzzle:countdown", model="toy:countdown")
    with pytest.raises(UsageError, match="no problem in common"):
        compared(runs[0], other)
    lone = real_run(tmp_path / "lone.db", "first_finish", count=2)
    with pytest.raises(UsageError, match="no method in common"):
        compared(runs[0], lone)
    pages = Pages([runs[0], other])
    told = pages.answer("runs/0/against/1")
    assert "no problem in common" in told["error"] and told["cure"]
    pages.close()
