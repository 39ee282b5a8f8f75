"""Sampling independent solutions: as many in flight as the budget can pay for, handed out in a fixed order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from clew.errors import BudgetExhausted
from clew.ledger import Gauge
from clew.sampling import END, Sampling
from clew.search.calls import Calls
from clew.tree import Node

WIDTH = 64
"""The most independent solutions of one search in flight: as many sequences as an engine's batch makes good use of."""


async def rollouts(
    calls: Calls, start: Node, n: int | None, *, sampling: Sampling, role: str, width: int
) -> AsyncIterator[Node]:
    """The loop behind `Search.rollouts`, which describes it.

    calls: carries out the calls to the models.
    start: the partial solution that all of them continue.
    n: the number of solutions; None: as many as the budget pays for.
    sampling: how tokens are drawn.
    role: the role whose model writes.
    width: the most solutions in flight.

    Raises BudgetExhausted when the budget is spent before the n-th solution.
    """
    # Solutions that were started and not handed out yet, in the order of their numbers; and the gauges of those that
    # are still growing, by which the most that they may still cost is known.
    waiting: list[asyncio.Task[list[Node]]] = []
    gauges: list[Gauge] = []
    asked = 0
    cut = False
    try:
        while True:
            # 1. Start as many as could all be paid for if each grew to full length. So none of them can be cut for the
            #    sake of another, and timing decides nothing. If none is in flight, start one all the same: a budget
            #    below one full length still buys a short solution. Once the budget has cut or refused one, start none.
            gauges = [g for g in gauges if not g.released]
            while (
                not cut
                and (n is None or asked < n)
                and (not waiting or (len(gauges) < width and calls.affords(gauges, start, role)))
            ):
                try:
                    extension = calls.open(start, start.reserve(1), END, sampling, role=role)
                except BudgetExhausted:
                    cut = True
                    break
                gauges.append(extension.gauges[0])
                waiting.append(asyncio.ensure_future(calls.run(extension)))
                asked += 1
            if not waiting:
                break
            # 2. Wait for any of them, not for the next in order: one that ended early leaves tokens unspent, which may
            #    pay for another one now.
            pending = [task for task in waiting if not task.done()]
            if waiting[0] in pending:
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            # 3. Hand out those that are done, but none before an earlier one. One that the budget cut is not handed out
            #    (it stays in the tree), and those started before that was known still are.
            while waiting and waiting[0].done():
                done = waiting.pop(0)
                try:
                    yield done.result()[0]
                except BudgetExhausted:
                    cut = True
    finally:
        # 4. The caller left the loop early, or something failed: cancel what is in flight, and wait until it is
        #    recorded and charged.
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for gauge in gauges:
            gauge.release()
    if cut and n is not None:
        raise BudgetExhausted
