"""Every branch that ends without an answer says why."""

from __future__ import annotations

from typing import Any

import pytest

from clew.analysis.fates import explained
from clew.viewer.pages import Pages
from support.runs import real_run

SAYS = {
    "beam?scorer=step_verifier": {"pruned", "duplicate"},
    "dfs?scorer=step_verifier&threshold=0.5": {"below the threshold", "duplicate"},
    "best_first?scorer=step_verifier&threshold=0.5": {"below the threshold", "duplicate"},
    "rebase?scorer=step_verifier": {"given no share", "duplicate"},
    "particle_filter?n=8&ess=1&scorer=step_verifier": {"resampled away"},
    "guarded?guard=problem": {"refused by the guard"},
    "mcts?scorer=step_verifier&simulations=12": {"duplicate"},
}
DERIVED = {"left", "given up", "cut by the budget", "truncated", "rewound"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Method → the skeletons of its trees."""
    path = tmp_path_factory.mktemp("fates") / "run.db"
    real_run(path, *SAYS, task="puzzle:countdown", model="toy:countdown?skill=0.6", count=6, budgets=[1500])
    pages = Pages([path])
    rows = pages.answer("runs/0/results?after=-1")
    found: dict[str, list[dict[str, Any]]] = {method: [] for method in SAYS}
    for number, method in zip(rows["id"], rows["method"], strict=True):
        skeleton = pages.answer(f"runs/0/results/{number}/nodes?after=-1")
        assert skeleton["next"] is None
        found[pages.runs[0].plan.methods[method]].append(skeleton)
    pages.close()
    return found


@pytest.mark.parametrize("method", SAYS)
def test_a_method_says_why_it_leaves_a_node(told: dict[str, list[dict[str, Any]]], method: str) -> None:
    said = {fate for tree in told[method] for fate in tree["fate"]} - {""} - DERIVED
    assert said == SAYS[method]
    assert not [fate for fate in said if explained(fate) == f"The method says: {fate}."]


def test_a_fate_of_a_plug_in_is_quoted() -> None:
    assert explained("bored") == "The method says: bored."
    assert all("The method says" not in explained(fate) for fate in DERIVED)


@pytest.mark.parametrize("method", SAYS)
def test_every_branch_that_did_not_end_says_why(told: dict[str, list[dict[str, Any]]], method: str) -> None:
    for tree in told[method]:
        goes_on = set(tree["parent"])
        for node, finish, fate, origin in zip(tree["id"], tree["finish"], tree["fate"], tree["origin"], strict=True):
            if node not in goes_on and finish not in ("end", "stop") and origin != "prompt":
                assert fate, f"node {node} ({finish}) died in silence"
