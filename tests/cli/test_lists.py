"""`clew list`: what there is, parameters, and papers; as one pipes it and as a terminal shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from clew.cli import tools
from clew.cli.main import cli
from clew.errors import UsageError
from clew.lab.papers import all_papers
from clew.registry import methods


def listed(*arguments: str) -> str:
    ran = CliRunner().invoke(cli, ["list", *arguments], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def lines(*arguments: str) -> list[list[str]]:
    return [line.split("\t") for line in listed(*arguments).splitlines()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of 100 columns in the place of standard output."""
    console = Console(force_terminal=True, width=100, emoji=False, record=True)
    monkeypatch.setattr(tools, "to_stdout", lambda: console)
    return console


@pytest.mark.parametrize("kind", ["methods", "scorers", "tasks", "models", "papers"])
def test_in_a_pipe_each_thing_is_one_whole_line(kind: str) -> None:
    rows = json.loads(listed(kind, "--json"))
    piped = lines(kind)
    assert len(piped) == len(rows) > 3
    assert len({len(line) for line in piped}) == 1
    summary = "what" if kind == "papers" else "summary"
    for line, row in zip(piped, rows, strict=True):
        assert " ".join(row[summary].split()) in line


def test_a_name_lists_its_parameters_with_what_they_take_their_default_and_their_meaning() -> None:
    told = {name: (takes, default, meaning) for name, takes, default, meaning in lines("methods", "best_of_n")}
    assert set(told) == set(methods["best_of_n"].parameters)
    takes, default, meaning = told["scorer"]
    assert "scorer" in takes and default == "self_certainty" and meaning
    assert told["n"][0].startswith("a whole number, at least 1")
    row = json.loads(listed("methods", "best_of_n", "--json"))
    assert row["name"] == "best_of_n" and [p["parameter"] for p in row["parameters"]] == list(told)


@pytest.mark.parametrize("kind", ["methods", "scorers", "tasks", "models"])
def test_every_name_that_is_listed_can_be_asked_for(kind: str) -> None:
    for row in json.loads(listed(kind, "--json")):
        assert json.loads(listed(kind, row["name"], "--json"))["summary"] == row["summary"]


def test_a_family_of_reasoning_gym_lists_its_options() -> None:
    pytest.importorskip("reasoning_gym")
    told = {name: (takes, default) for name, takes, default, _ in lines("tasks", "rg:gcd")}
    assert told["max_value"] == ("int", "1000") and "seed" not in told
    row = json.loads(listed("tasks", "rg:gcd?max_value=5+rename", "--json"))
    assert row["name"] == "rg:gcd" and "Divisor" in row["summary"]
    with pytest.raises(UsageError, match=r"no family 'gdc'. Did you mean .*rg:gcd"):
        listed("tasks", "rg:gdc")


def test_a_file_lists_how_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"ID": 1, "Problem": "1+1?", "Answer": 2}\n')
    ((name, summary, count),) = lines("tasks", str(path))
    assert name == str(path) and "the shape of AIME; prompt: Problem, gold: Answer (number)" in summary and count == "1"
    with pytest.raises(UsageError, match="no field 'gold'"):
        listed("tasks", f"{path}?answer=gold")


def test_papers_are_found_by_words_and_status() -> None:
    (line,) = lines("papers", "arXiv:2505.18149")
    assert line[0] == "works" and "method first_finish" in line[6] and "pytest tests/" in line[8]
    assert {line[0] for line in lines("papers", "--status", "absent")} == {"absent"}
    assert len(lines("papers")) == len(all_papers())


def test_a_terminal_shows_a_line_a_paper_and_all_of_a_single_one(terminal: Console) -> None:
    listed("papers", "particle")
    many = terminal.export_text()
    assert "particle_filter" in many and "works" in many
    assert len(many.splitlines()) == len(json.loads(listed("papers", "particle", "--json"))) + 1
    listed("papers", "2505.18149")
    assert "::test_first_finish_prefers_short_solutions" in terminal.export_text().replace("\n", "").replace(" ", "")
    listed("papers", "2502.01618")
    assert "::test_particles_survive_a_score_that_misleads_a_beam" in re.sub(r"\s", "", terminal.export_text())


def test_a_terminal_shows_what_is_known_of_a_method_and_its_parameters(terminal: Console) -> None:
    listed("methods", "beam")
    shown = terminal.export_text()
    for word in ("arXiv:2408.03314", "parameter", "takes", "default", "meaning", "width", "a whole number, at least 1"):
        assert word in shown, word


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["papers", "nonsense", "--status", "works"], "no paper has 'nonsense' in it and is 'works'"),
        (["papers", "--status", "works", "nonsense", "more"], "has 'nonsense' and 'more' in it"),
        (["methods", "bem"], "Did you mean 'beam'"),
        (["methods", "beam", "dfs"], "select papers only"),
        (["tasks", "--status", "works"], "select papers only"),
    ],
)
def test_what_is_not_there_is_one_clear_line(arguments: Sequence[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(cli, ["list", *arguments], catch_exceptions=False)
