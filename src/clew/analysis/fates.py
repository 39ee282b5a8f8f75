"""Why a branch of a search tree ended, and which node held the answer first, as the viewer and the terminal show it.

The sentences that explain a fate to a reader are those of `fates.json`, which the viewer's build reads too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from clew.problem import Status
from clew.tree import Finish


@cache
def _words() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("fates.json").read_text(encoding="utf-8"))
    return found


def fate(said: str, finish: str, status: str, *, best: bool, leaf: bool, rewound: bool) -> str:
    """Why the search did not go on from a node: the method's reason, or else one that the tree shows; '' for none.

    said: the reason that the method recorded (`Node.fate`).
    finish: why the node's extension ended (a `Finish`).
    status: why the search ended (a `Status`).
    best: whether the node is on the path to the answer.
    leaf: whether the node has no children.
    rewound: whether another node repeats its beginning.
    """
    if said or best:
        return said
    if finish == Finish.CANCELLED:
        return "cut by the budget" if status == Status.EXHAUSTED else "given up"
    if finish == Finish.LENGTH:
        return "truncated"
    if rewound:
        return "rewound"
    return "left" if leaf and finish == Finish.STEP else ""


def explained(fate: str) -> str:
    """A sentence that explains a fate to a reader; a fate without an explanation of its own is quoted in one."""
    said: str = _words()["fates"].get(fate) or _words()["other"].format(fate)
    return said


def star_explained() -> str:
    """The sentence that explains the star at a node."""
    said: str = _words()["answer"]
    return said


def first_holder(
    value: str | None, chosen: int | None, proposals: Iterable[tuple[str | None, int | None]]
) -> int | None:
    """The node at which a search first held its answer, where trees show the star; None where no node states it.

    value: the answer.
    chosen: the id of the node that the method ended with, which may be a later one with the same answer.
    proposals: (value, id of the node) of each proposal, in order of time.
    """
    return next((node for held, node in proposals if held == value and held is not None and node is not None), chosen)
