"""Why a branch of a search tree ended, as the viewer and the terminal show it."""

from __future__ import annotations

from clew.problem import Status
from clew.tree import Finish


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
