"""Models for roles on the command line: `--role judge=SPEC`."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_cli import clew

SOLVE = ("solve", "What is 20 + 22?", "--model", "toy:arithmetic?skill=1", "--budget", "4000")
JUDGE = ("--role", "judge=toy:uniform")


def test_the_judge_is_charged_by_itself_with_its_share() -> None:
    ran = clew(*SOLVE, "--method", "tot_bfs", *JUDGE, "--show")
    rows = {line.split()[1]: line.split() for line in ran.stdout.splitlines() if line.startswith("toy:")}
    assert rows["generate"][0] == "toy:arithmetic" and rows["judge"][0] == "toy:uniform"
    shares = [int(row[-1].removesuffix("%")) for row in rows.values()]
    assert sum(shares) == pytest.approx(100, abs=1) and min(shares) > 0


def test_a_comparison_keeps_its_roles_and_says_which_nobody_asked(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    arguments = ("add", "--model", "toy:arithmetic", "--methods", "greedy,tot_bfs", "--budgets", "4000", "-n", "1")
    ran = clew("compare", *arguments, *JUDGE, "--role", "jugde=toy:uniform", "-o", str(path))
    assert ran.returncode == 0, ran.stderr
    assert "the role jugde" in ran.stderr and "the role judge" not in ran.stderr
    assert '"role": "judge"' in clew("show", str(path), "--json").stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["judge"], "does not give a role its model"),
        (["generate=toy:uniform"], "is given twice"),
        (["judge=toy:uniform", "judge=toy:markov"], "is given twice"),
        (["no role=toy:uniform"], "not the name of a role"),
        (["judge=toy:unknown"], "toy:unknown"),
    ],
)
def test_a_mistake_is_one_line(given: list[str], said: str) -> None:
    ran = clew(*SOLVE, *(part for one in given for part in ("--role", one)))
    assert ran.returncode == 2 and said in ran.stderr and "Traceback" not in ran.stderr
    assert ran.stdout == ""
