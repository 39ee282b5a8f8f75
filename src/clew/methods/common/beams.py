"""Step-level beam search: the loop behind `beam`, `lookahead`, `dvts`, `alphamath` and `tot_bfs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from clew.methods.common.solutions import Solutions, distinct
from clew.parameters import Count
from clew.sampling import STEP, Sampling
from clew.search import Search
from clew.tree import Node, leave

Widths = Count | Sequence[Count]
"""One number for all depths, or one for each depth; the last one holds from there on."""

Evaluate = Callable[[Sequence[Node]], Awaitable[list[float]]]
"""The partial solutions of one depth → what each of them is worth."""


async def climb(
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
    """From the root to finished solutions, the best `width` partial solutions of each depth at a time.

    search: grows its tree from the root.
    width: how many partial solutions of a depth go on.
    expand: how many steps are drawn below each of them.
    evaluate: what the partial solutions of one depth are worth.
    found: takes in the solutions that end.
    sampling: how steps are drawn.
    first: the number of steps drawn from the root; width·expand by default.
    shrink: whether a finished solution that is kept leaves the beam, which is narrower by one from then on. Otherwise
        it keeps its place until better ones take it.
    """
    open_nodes = [search.root]
    ended: dict[Node, float] = {}
    gone = 0
    depth = 0
    while open_nodes:
        # 1. Draw steps below what is open, and merge equal ones.
        kept, each = _at(width, depth) - gone, _at(expand, depth)
        children = (first or each * kept) if depth == 0 else each
        grown = distinct(
            await search.extend_each([n for n in open_nodes for _ in range(children)], until=STEP, sampling=sampling)
        )
        # 2. Evaluate them. What has ended is known before, since that may spend the rest of the budget.
        found.met(grown)
        values = await evaluate(grown)
        found.add(grown, values)
        # 3. Keep the best, finished solutions of earlier depths among them.
        candidates = {**ended, **dict(zip(grown, values, strict=True))}
        ranked = sorted(candidates, key=lambda n: -candidates[n])
        beam = ranked[:kept]
        leave(ranked[kept:], "pruned")
        open_nodes = [n for n in beam if not n.finished]
        # 4. Finished solutions either leave with their places, or compete for them again at the next depth.
        if shrink:
            gone += len(beam) - len(open_nodes)
        else:
            ended = {n: candidates[n] for n in beam if n.finished}
        depth += 1


def _at(widths: Widths, depth: int) -> int:
    """The width of a depth."""
    if isinstance(widths, int):
        return widths
    return widths[min(depth, len(widths) - 1)]
