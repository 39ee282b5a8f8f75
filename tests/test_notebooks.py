"""What a notebook shows and lets one do: an event loop runs already, and the last value of a cell is drawn."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import clew
from clew.errors import UsageError
from clew.lab.experiment import Outcome
from clew.store import Reader
from clew.testing import check_method, check_scorer


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    path = str(tmp_path_factory.mktemp("runs") / "run.db")  # a plain string
    return clew.compare(
        "add",
        model="toy:arithmetic?skill=0.6",
        methods=["sample", "self_consistency"],
        budgets=[300],
        count=4,
        out=path,
    )


def test_everything_works_where_a_loop_is_running() -> None:
    async def cell() -> None:
        assert clew.solve("What is 20 + 22?", model="toy:arithmetic?skill=1").answer.value == "42"
        check_method("greedy")
        check_scorer("length")

    asyncio.run(cell())


def test_a_result_is_short_as_text_and_whole_as_html() -> None:
    result = clew.solve("What is 1 < 2 & 20 + 22?", model="toy:arithmetic?skill=0.6", budget=900)
    text, page = repr(result), result._repr_html_()
    assert text.startswith("<Result '42', confidence 0.") and "consensus" in text and len(text) < 120
    assert f"{len(result.tree)} nodes" in text
    assert "<th>votes</th>" in page and "★" in page and "1 &lt; 2 &amp; 20" in page and "more</li>" in page


def test_a_comparison_is_short_as_text_and_a_table_and_a_report_as_html(outcome: Outcome) -> None:
    text = repr(outcome.comparison)
    assert text == "<Comparison of sample, self_consistency at 300 tokens: 4 problems × 1 seeds>"
    assert "<td>self_consistency</td>" in outcome.comparison._repr_html_()
    assert text in repr(outcome) and str(outcome.path) in repr(outcome)
    page = outcome._repr_html_()
    assert page.startswith("<iframe srcdoc=") and "&lt;svg" in page and "To run it again" in page


def test_paths_may_be_strings(outcome: Outcome, tmp_path: Path) -> None:
    with Reader.open(str(outcome.path)) as reader:
        assert len(reader.finished()) == 8
    one = clew.solve("What is 2 + 3?", model="toy:arithmetic", out=str(tmp_path / "one.db"))
    with Reader.open(str(tmp_path / "one.db")) as reader:
        assert next(reader.results(reader.kept_problems())).answer.value == one.answer.value


def test_data_frames_come_by_one_call(outcome: Outcome) -> None:
    try:
        import pandas
    except ImportError:
        with pytest.raises(UsageError, match=r"needs pandas.*\[pandas\]"):
            outcome.to_pandas()
        return
    searches, rows = outcome.to_pandas(), outcome.comparison.to_pandas()
    assert isinstance(searches, pandas.DataFrame) and len(searches) == 8 and searches["tokens"].max() <= 300
    assert set(rows["method"]) == {"sample", "self_consistency"}
