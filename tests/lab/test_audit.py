"""The audit of scorers: known judges are recovered, what they cost is charged, what cannot be audited is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clew.cli.main import cli
from clew.errors import UsageError
from clew.lab.audit import Audit, affordable, audit
from clew.lab.drawn import Drawn, gather
from clew.lab.stats import maj_at_k
from support.runs import real_run

KNOWN = "step_verifier?false_positive=0.2&false_negative=0.1"


@pytest.fixture(scope="module")
def queens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 puzzles, 16 solutions each, half of the steps right."""
    return real_run(
        tmp_path_factory.mktemp("audit") / "queens.db",
        "self_consistency?n=16",
        task="puzzle:queens",
        model="toy:queens?skill=0.5",
        budgets=[4000],
        count=30,
    )


@pytest.fixture(scope="module")
def audited(queens: Path) -> Audit:
    return audit(queens, gather(queens, ["step_verifier", KNOWN, "random", "p_true"]))


def test_a_judge_of_known_errors_is_recovered(audited: Audit) -> None:
    perfect, known, useless, _ = audited.scorers
    assert perfect.auroc.value == 1.0 and perfect.false_positives == perfect.false_negatives == 0.0
    assert known.false_positives == pytest.approx(0.2, abs=0.06) and known.false_negatives == pytest.approx(
        0.1, abs=0.08
    )
    assert known.auroc.interval is not None and 0.5 < known.auroc.interval.low < known.auroc.interval.high < 1
    assert perfect.limit is not None and known.limit is not None and perfect.limit > known.limit + 0.2
    assert perfect.tries == {0.5: None, 1.0: None, 2.0: None} and known.tries[2.0] is not None
    assert useless.auroc.interval is not None and useless.auroc.interval.low < 0.5 < useless.auroc.interval.high
    assert 0.3 < useless.false_positives < 0.7, "each solution has a number of its own"  # type: ignore[operator]


def test_a_perfect_judge_finds_what_is_there_and_a_useless_one_what_a_single_sample_finds(audited: Audit) -> None:
    perfect, known, useless, _ = audited.scorers
    assert perfect.best.value == audited.oracle.value
    assert perfect.gain.interval is not None and perfect.gain.interval.low > 0 and perfect.q < 0.05
    assert known.curves["best"][4] < perfect.curves["best"][4] - 0.02
    assert useless.best.value == pytest.approx(audited.random.value, abs=0.1)
    assert audited.advice is not None and "step_verifier" in audited.advice.rule
    curve = list(perfect.curves["best"].values())
    assert curve == sorted(curve) and list(perfect.curves["best"]) == [1, 2, 4, 8, 16]


def test_a_judge_that_asks_pays_for_it_in_solutions(audited: Audit) -> None:
    *_, asking = audited.scorers
    assert asking.price > 0 and audited.scorers[0].price == 0
    values: list[str | None] = ["a"] * 3 + ["b"] * 5
    grades = np.array([1.0] * 3 + [0.0] * 5)
    drawn = Drawn("p", values, grades, np.full(8, 10.0), {"length": np.zeros(8)}, {"length": 10.0})
    assert affordable([drawn], "length", 8) == 4, "each score costs as much as a solution"
    found = audit(Path("run"), [drawn])
    assert found.scorers[0].vote.value == pytest.approx(maj_at_k(values, grades.tolist(), 8))


def test_the_run_file_stays_as_it_is_and_searches_that_share_samples_count_once(tmp_path: Path) -> None:
    path = real_run(tmp_path / "run.db", "self_consistency?n=6", "best_of_n?n=4", "greedy", count=5, seeds=2)
    before = path.read_bytes()
    drawn = gather(path, ["logprob", "vote_share"])
    assert path.read_bytes() == before
    assert len(drawn) == 10 and {len(d.values) for d in drawn} == {6}
    found = audit(path, drawn)
    assert (found.searches, found.problems, found.n) == (10, 5, 6)


def test_what_cannot_be_audited_is_one_line(tmp_path: Path, queens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="holds no search that drew several"):
        gather(real_run(tmp_path / "greedy.db", "greedy", count=2), ["length"])
    with pytest.raises(UsageError, match="no scorer is called"):
        gather(queens, ["lenght"])
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path / "elsewhere"))
    foreign = Path(shutil.copy(queens, tmp_path / "foreign.db"))
    with pytest.raises(UsageError, match="was not begun here"):
        gather(foreign, ["p_true"])
    assert gather(foreign, ["length"]), "what asks no model needs no trust"


def test_the_command_prints_tables_and_json(queens: Path) -> None:
    shown = CliRunner().invoke(cli, ["audit", "step_verifier", "length", "--run", str(queens)], terminal_width=200)
    assert shown.exit_code == 0 and "step_verifier" in shown.output and "Advice" in shown.output
    told = CliRunner().invoke(cli, ["audit", "step_verifier", "--run", str(queens), "--json"])
    data = json.loads(told.stdout)
    assert data["problems"] == 30 and data["scorers"][0]["auroc"]["value"] == 1.0


def test_the_price_of_a_scorer_does_not_depend_on_the_others(queens: Path) -> None:
    alone = gather(queens, ["p_true"])[0].price["p_true"]
    (after,) = [d.price["p_true"] for d in gather(queens, ["decision", "p_true"])[:1]]
    assert alone == after > 0
