"""Why nobody went on from a node, for all who show trees."""

from __future__ import annotations

from clew.problem import Status
from clew.tree import Finish


def fate(said: str, finish: str, status: str, *, best: bool, leaf: bool, rewound: bool) -> str:
    """Why nobody went on from a node: what the method says, else what can be seen; '' where there is nothing to say.

    status: of the search's answer. best: whether the answer goes through it. leaf: whether nothing follows. rewound:
    whether another node repeats its beginning.
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
