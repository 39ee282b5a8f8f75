"""Step-level beam search: the loop behind `beam`, `lookahead`, `dvts`, `alphamath` and `tot_bfs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from clew.methods.common.solutions import Solutions, distinct
from clew.parameters import Count, Meaning
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tree import Node, leave

Widths = Count | Sequence[Count]
"""One number for all depths, or one for each depth, of which the last holds for all deeper ones."""

Width = Annotated[
    Widths,
    Meaning("How many solutions of a depth are kept: one number, or one for each depth (the last for deeper ones)."),
]
Expand = Annotated[
    Widths,
    Meaning("How many steps are drawn below each partial solution: one number, or one for each depth (as for width)."),
]

Evaluate = Callable[[Sequence[Node]], Awaitable[list[float]]]
"""From the partial solutions of one depth to the value of each of them."""


async def beam_search(
    search: Search,
    width: Widths,
    expand: Widths,
    evaluate: Evaluate,
    found: Solutions,
    sampling: Sampling,
    *,
    first: int | None = None,
    shrink: bool = False,
) -> None:
    """Extend the best partial solutions of each depth, from the root until all that are kept are finished.

    search: the search, whose tree is extended from its root.
    width: how many solutions of a depth are kept.
    expand: how many steps are drawn below each of them.
    evaluate: gives the partial solutions of one depth their values.
    found: takes in the finished solutions.
    sampling: how steps are drawn.
    first: how many steps are drawn from the root; None: width·expand.
    shrink: whether a finished solution leaves the beam together with its place, so that the beam is narrower by one
        from then on. Otherwise it stays in the beam until better ones replace it.
    """
    open_nodes = [search.root]
    ended: dict[Node, float] = {}
    left = 0
    depth = 0
    while open_nodes:
        # 1. Draw steps below the partial solutions that were kept, and merge equal ones.
        kept, each = _at(width, depth) - left, _at(expand, depth)
        children = (first or each * kept) if depth == 0 else each
        grown = distinct(
            await search.extend_each([n for n in open_nodes for _ in range(children)], until=STEP, sampling=sampling)
        )
        # 2. Evaluate them. Finished solutions are taken in before, as evaluating may spend the rest of the budget.
        found.add_unscored(grown)
        values = await evaluate(grown)
        found.add(grown, values)
        # 3. Keep the best. The finished solutions of earlier depths that were kept compete with the new steps.
        candidates = {**ended, **dict(zip(grown, values, strict=True))}
        ranked = sorted(candidates, key=lambda n: -candidates[n])
        beam = ranked[:kept]
        leave(ranked[kept:], "pruned")
        open_nodes = [n for n in beam if not n.finished]
        # 4. A finished solution that was kept either leaves the beam with its place, or competes at the next depth.
        if shrink:
            left += len(beam) - len(open_nodes)
        else:
            ended = {n: candidates[n] for n in beam if n.finished}
        depth += 1


def _at(widths: Widths, depth: int) -> int:
    """The number that holds at a depth."""
    if isinstance(widths, int):
        return widths
    return widths[min(depth, len(widths) - 1)]
