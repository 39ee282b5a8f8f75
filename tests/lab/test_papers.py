"""What `papers.toml` says is so: what it names exists, and its commands would run."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from clew.api import compare
from clew.cli.main import cli
from clew.lab.experiment import make_plan, prepare
from clew.lab.papers import FAMILIES, STATUSES, Paper, all_papers, find_papers
from clew.lab.trace_stats import measured
from clew.registry import methods, scorers
from clew.tasks import load_problems
from support.commands import known_options, taken

ROOT = Path(__file__).parents[2]
PAPERS = all_papers()
PLACES = sorted({place for paper in PAPERS for place in paper.where})
COMMANDS = sorted({command for paper in PAPERS for command in paper.shows})


@pytest.fixture(scope="module")
def measures(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of all that `clew stats` measures."""
    path = tmp_path_factory.mktemp("runs") / "run.db"
    compare("add", model="toy:arithmetic", methods=["sample"], budgets=[300], count=1, out=path)
    return {row.measure for row in measured([path])}


def available(task: str) -> None:
    if task.startswith("rg:"):
        pytest.importorskip("reasoning_gym")
    if re.match("puzzle:(sudoku|queens|colouring|zebra)", task):
        pytest.importorskip("pysat")


@pytest.mark.parametrize("place", PLACES)
def test_what_a_paper_has_in_clew_is_there(place: str, measures: set[str]) -> None:
    kind, _, name = place.rpartition(" ")
    if kind in ("method", "scorer"):
        {"method": methods, "scorer": scorers}[kind].resolved(name)
    elif kind == "task":
        available(name)
        assert load_problems(name, count=1)
    elif kind == "measure":
        assert name in measures
    elif kind == "command":
        assert name in cli.commands
    else:
        assert not kind
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute) or find_spec(name)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_shows_a_claim_would_run(command: str, measures: set[str]) -> None:
    program, *rest = shlex.split(command)
    if program == "pytest":
        path, _, name = rest[0].partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    elif program == "python":
        assert rest[0] == "-m" and rest[1].startswith("benchmarks.")
        known_options(command)
    else:
        name, asked = taken(command)
        if name == "compare":
            checked(asked)
        if name == "stats":
            assert set(asked["only"]) <= measures


def test_the_page_on_traces_defines_every_measure(measures: set[str]) -> None:
    page = (ROOT / "docs/analysis.md").read_text()
    kinds = [re.sub("^(share|tree)_.*", r"\1_", name) for name in measures]
    assert not [kind for kind in kinds if f"`{kind}" not in page]


def checked(asked: dict[str, Any]) -> None:
    """Make a comparison ready as `clew compare` does, on one problem, with a toy in the embedded model's place."""
    available(str(asked["task"]))
    plan = make_plan(
        str(asked["task"]),
        model=str(asked["model"] or "toy:arithmetic"),
        methods=asked["methods"],
        axis=str(asked["axis"]),
        count=1,
        task_options={name: asked[name] for name in ("difficulty", "shots") if asked[name] is not None},
    )
    prepare(plan)


def test_each_paper_is_there_once_and_says_how_much_of_it_is_here() -> None:
    titles = [re.sub(r"\W", "", paper.title).casefold() for paper in PAPERS]
    ids = [paper.arxiv for paper in PAPERS if paper.arxiv]
    assert len(set(titles)) == len(titles) and len(set(ids)) == len(ids)
    assert [p.title for p in PAPERS] == [
        p.title for p in sorted(PAPERS, key=lambda p: (list(FAMILIES).index(p.family), p.title.casefold()))
    ]
    for paper in PAPERS:
        assert paper.status in STATUSES and paper.fit in ("core", "touched"), paper.title
        assert re.fullmatch(r"(\d{4}\.\d{5})?", paper.arxiv), paper.title
        assert 10 < len(paper.what) < 140 and paper.what.endswith(".") and "\n" not in paper.what, paper.title
        assert bool(paper.where) == (paper.status != "absent"), paper.title
        assert paper.shows or paper.status != "works", f"{paper.title} works, and no command shows it"
        assert paper.missing or paper.status == "works", f"{paper.title}: what is missing?"


@pytest.mark.parametrize("kind", ["method", "scorer"])
def test_the_paper_of_a_method_or_scorer_is_there_and_names_it(kind: str) -> None:
    by_id: dict[str, Paper] = {paper.arxiv: paper for paper in PAPERS if paper.arxiv}
    for entry in {"method": methods, "scorer": scorers}[kind]:
        if not entry.paper.startswith("arXiv:") or not entry.make.__module__.startswith("clew."):
            continue
        paper = by_id.get(entry.paper.removeprefix("arXiv:"))
        assert paper, f"{entry.paper}, the paper of {entry.name}, is not in papers.toml"
        named = {place.partition("?")[0] for place in paper.where}
        assert f"{kind} {entry.name}" in named, f"{paper.title} does not name the {kind} {entry.name}"


def test_papers_are_found_by_parts_of_their_words_and_what_works_comes_first() -> None:
    assert [p.arxiv for p in find_papers(["arxiv:2505.18149"])] == ["2505.18149"]
    assert [p.title for p in find_papers(["FIRST_finish"])] == [
        p.title for p in find_papers(["first", "finish", "search"])
    ]
    found = find_papers(["verifier"])
    assert [p.status for p in found] == sorted((p.status for p in found), key=list(STATUSES).index)
    assert {p.status for p in find_papers(status="partly")} == {"partly"}
    assert find_papers(["no such words"]) == []
