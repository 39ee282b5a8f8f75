"""What commands leave in a run for the page to show: anchors, edited searches; and the colours that both share."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clew.analysis.rules import BEHAVIOURS
from clew.cli.tree import solution_tree
from clew.lab.palette import palette
from clew.store import Store, stored_problems
from clew.tree import Finish, Origin
from clew.viewer.pages import Pages
from support.runs import real_run

TASK = {"task": "puzzle:countdown", "model": "toy:countdown?skill=0.6"}


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    methods = ("self_consistency?n=4", "beam?scorer=step_verifier")
    return real_run(tmp_path_factory.mktemp("kept") / "run.db", *methods, count=2, budgets=[1500], **TASK)


def clew(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clew", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def first_problem(run: Path) -> str:
    pages = Pages([run])
    found = pages.answer("runs/0/problems?after=-1")["id"][0]
    pages.close()
    return str(found)


def tokens_of(pages: Pages, number: int) -> dict[int, list[Any]]:
    """Node → the importance of its tokens."""
    ids = pages.answer(f"runs/0/results/{number}/nodes?after=-1")["id"]
    asked = {i: pages.answer(f"runs/0/results/{number}/nodes/{i}?from=0")["tokens"]["importance"] for i in ids}
    return {i: found for i, found in asked.items() if found is not None}


def test_anchors_are_kept_and_colour_the_text(run_file: Path) -> None:
    problem = first_problem(run_file)
    method = "beam?scorer=step_verifier"
    done = clew("anchors", run_file, problem, "--method", method, "--rollouts", 12, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with Store.open(run_file) as store:
        (result,) = store.results(stored_problems(store), problem=problem, method=method)
        (row,) = store.rows("anchors")
    assert json.loads(row["sentences"]) == found["sentences"] and row["rollouts"] == 12
    solution = result.tree[found["node"]].solution
    assert [solution[s["start"] : s["end"]].strip() for s in found["sentences"]] == [
        s["sentence"] for s in found["sentences"]
    ]
    pages = Pages([run_file])
    rows = pages.answer("runs/0/results?after=-1")
    for number, of, kind in zip(rows["id"], rows["problem"], rows["method"], strict=True):
        with_anchors = (of, kind) == (0, 1)
        assert pages.answer(f"runs/0/results/{number}")["has"]["importance"] is with_anchors
        told = tokens_of(pages, number)
        if not with_anchors:
            assert not told
            continue
        path = result.tree[found["node"]].solution_path
        assert list(told) == [n.id for n in path]
        # Every token of the solution that says something has the importance of the sentence that it stands in.
        at = 0
        for node in path:
            for offset, importance in zip(node.segment.offsets.tolist(), told[node.id], strict=True):
                if offset < len(node.segment.text):
                    inside = [s for s in found["sentences"] if s["start"] <= at + offset < s["end"]]
                    assert importance == inside[0]["counterfactual"]
            at += len(node.segment.text)
    pages.close()


def test_anchors_are_printed_as_a_table_and_found_again_the_same(tmp_path: Path) -> None:
    run = real_run(tmp_path / "run.db", "greedy", count=1, budgets=[1500], **TASK)
    problem = first_problem(run)
    done = clew("anchors", run, problem, "-n", 12)
    assert done.returncode == 0 and "importance" in done.stdout and "kept in" in done.stdout
    first, second = (json.loads(clew("anchors", run, problem, "-n", 12, "--json").stdout) for _ in range(2))
    assert first == second
    with Store.open(run) as store:
        assert len(list(store.rows("anchors"))) == 1, "new anchors take the place of the old ones"


def test_a_trace_that_is_not_there_has_no_anchors(run_file: Path) -> None:
    done = clew("anchors", run_file, "nowhere")
    assert done.returncode == 2 and "no trace" in done.stderr and done.stderr.count("\n") == 1


def test_an_edited_search_is_a_run_beside_the_one_it_changed(run_file: Path, tmp_path: Path) -> None:
    problem = first_problem(run_file)
    out = tmp_path / "edited.db"
    done = clew("edit", run_file, problem, "--step", 1, "--action", "delete", "-n", 3, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    with Store.open(out) as store:
        before, after = store.results(stored_problems(store))
        with Store.open(run_file) as run:
            assert store.made_by == run.made_by != []
    assert before.method == "self_consistency?n=4" and after.method == "edit?step=1&action=delete"
    assert [leaf.solution for leaf in after.leaves] == [t["text"] for t in told["after"]] and len(after.leaves) == 3
    assert after.usage.total.tokens == told["tokens"]
    pages = Pages([out])
    assert pages.answer("runs")[0]["problems"] == 1
    assert pages.answer("runs/0/results?after=-1")["method"] == [0, 1]
    assert "rows" in pages.answer("runs/0/report")
    pages.close()
    again = clew("edit", run_file, problem, "--step", 1, "--action", "delete", "--out", out)
    assert again.returncode == 2 and "exists" in again.stderr


def test_the_terminal_shows_the_colours_of_the_page(run_file: Path) -> None:
    with Store.open(run_file) as store:
        result = next(r for r in store.results(stored_problems(store)) if r.method.startswith("beam"))
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="truecolor", width=200).print(solution_tree(result))
    text = out.getvalue()

    def painted(colour: str) -> str:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return "\n".join(re.findall(rf"38;2;{red};{green};{blue}m([^\x1b]*)", text))

    colours = palette()
    assert painted(colours["best"]).count("★") >= 1
    assert "calculation" in painted(colours["behaviours"]["calculation"])
    assert "pruned" in painted(colours["bad"]) and "duplicate" in painted(colours["bad"])
    high, low = painted(colours["scale"][-1]), painted(colours["scale"][0])
    assert "step_verifier 1" in high and "step_verifier 0" in low and "entropy" in high


def test_the_star_of_the_terminal_is_that_of_the_page(run_file: Path) -> None:
    with Store.open(run_file) as store:
        votes = [r for r in store.results(stored_problems(store)) if r.method.startswith("self_consistency")]
    pages = Pages([run_file])
    rows = pages.answer("runs/0/results?after=-1")
    names = pages.runs[0].plan.methods
    number = next(n for n, m in zip(rows["id"], rows["method"], strict=True) if names[m] == votes[0].method)
    first = pages.answer(f"runs/0/results/{number}")["node"]
    pages.close()
    out = io.StringIO()
    Console(file=out, width=200).print(solution_tree(votes[0]))
    starred, explained = [line for line in out.getvalue().splitlines() if "★" in line]
    assert re.search(rf"★ (\d+–)?{first} ", starred) and "answer was read from here first" in explained


@pytest.mark.parametrize("theme", ["0;15", "15;0", ""])
def test_there_is_a_colour_for_everything_that_is_coloured(monkeypatch: pytest.MonkeyPatch, theme: str) -> None:
    monkeypatch.setenv("COLORFGBG", theme)
    palette.cache_clear()
    colours = palette()
    palette.cache_clear()
    assert set(colours["behaviours"]) == set(BEHAVIOURS)
    assert set(colours["finishes"]) == set(Finish) and set(colours["origins"]) == set(Origin)
