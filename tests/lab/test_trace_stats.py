"""`clew stats` and `clew import`, as one types them."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clew.analysis.measures import SHARES, frame
from clew.api import compare
from clew.cli.main import cli
from clew.errors import UsageError
from clew.lab.trace_stats import LENGTH, measured, records


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run.db"
    compare(
        "add",
        model="toy:arithmetic?skill=0.6",
        methods=["sample", "self_consistency?n=4"],
        budgets=[600],
        count=5,
        seeds=2,
        task_options={"difficulty": 3},
        out=path,
    )
    return path


def test_a_record_for_every_trace(run: Path) -> None:
    found = list(records(run))
    assert len(found) == 5 * 2 * (1 + 4)
    assert {r["method"] for r in found} == {"sample", "self_consistency?n=4"}
    assert all(0 <= r[name] <= 1 or math.isnan(r[name]) for r in found for name in SHARES & r.keys())
    assert all(r["forking_share"] < 0.5 for r in found)


def test_means_are_over_problems_and_lie_in_their_intervals(run: Path) -> None:
    rows = {(m.method, m.measure): m for m in measured([run])}
    told = [r for r in records(run) if r["method"] == "sample"]
    by_problem = [np.mean([r["tokens"] for r in told if r["problem"] == p]) for p in {r["problem"] for r in told}]
    tokens = rows["sample", "tokens"]
    assert tokens.mean == pytest.approx(np.mean(by_problem))
    assert tokens.low < tokens.mean < tokens.high
    assert (tokens.problems, tokens.traces) == (5, 10)
    assert rows["self_consistency?n=4", "tokens"].traces == 40
    assert rows["self_consistency?n=4", "tree_steps"].mean == 4
    assert all(m.low <= m.mean <= m.high for m in rows.values() if not math.isnan(m.low))
    assert (("sample", LENGTH) in rows) and -1 <= rows["self_consistency?n=4", LENGTH].mean <= 1


def test_stats_as_table_csv_and_json(run: Path) -> None:
    said = CliRunner().invoke(cli, ["stats", str(run), str(run), "--to", "csv"], catch_exceptions=False).output
    lines = list(csv.DictReader(io.StringIO(said)))
    rows = json.loads(CliRunner().invoke(cli, ["stats", str(run), "--json"], catch_exceptions=False).output)
    assert len(lines) == 2 * len(rows)
    assert {r["measure"] for r in rows} >= {"failed_step_fraction", "share_verification", "stated_regret", "entropy"}
    table = CliRunner().invoke(cli, ["stats", str(run), "--measure", "depth"], catch_exceptions=False).output
    assert "depth" in table
    assert "tokens" not in table


def test_an_import_has_statistics_too(tmp_path: Path) -> None:
    traces = tmp_path / "traces.jsonl"
    rows = [
        {"prompt": "2 + 2?", "trace": "2 + 2 = 5.\n\nWait, that is wrong.\n\n2 + 2 = 4.", "reference": "4"},
        {"prompt": "3 + 3?", "trace": "3 + 3 = 7.", "reference": "6"},
    ]
    traces.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "2 traces" in CliRunner().invoke(cli, ["import", str(traces)], catch_exceptions=False).output
    found = {m.measure: m for m in measured([tmp_path / "traces.db"])}
    assert found["grade"].mean == 0.5
    assert found["failed_step_fraction"].mean == pytest.approx(1 / 6)
    assert found["wrong_to_right"].mean == 0.5
    assert math.isnan(found["entropy"].mean)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stats", "none.db"], "there is no run file none.db"),
        (["stats", "RUN", "--measure", "beauty"], "there is no measure 'beauty'"),
        (["import", "none.jsonl"], "there is no file none.jsonl"),
        (["import", "none.jsonl", "--field", "x"], "a field is given as part=NAME"),
    ],
)
def test_mistakes_are_one_line(run: Path, words: list[str], message: str, tmp_path: Path) -> None:
    words = [str(run) if w == "RUN" else w for w in words]
    done = subprocess.run([sys.executable, "-m", "clew", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"clew: {message}")
    assert done.stderr.count("\n") == 1


def test_the_commands_load_nothing_heavy() -> None:
    heavy = ("scipy", "sympy", "matplotlib", "clew.analysis")
    code = f"import sys, clew.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_records_become_a_data_frame_where_pandas_is(run: Path) -> None:
    try:
        import pandas  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="pandas"):
            frame(list(records(run)))
    else:
        assert len(frame(list(records(run)))) == 50
