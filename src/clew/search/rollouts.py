"""Independent solutions, as many in flight as the budget could pay for, handed out in the order of their numbers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from clew.errors import BudgetExhausted
from clew.ledger import Gauge
from clew.sampling import END, Sampling
from clew.search.calls import Calls
from clew.tree import Node

WIDTH = 64
"""The most independent solutions of one search in flight: what an engine's batch can use."""


async def rollouts(
    calls: Calls, start: Node, n: int | None, *, sampling: Sampling, role: str, width: int
) -> AsyncIterator[Node]:
    """See `Search.rollouts`."""
    waiting: list[asyncio.Task[list[Node]]] = []
    gauges: list[Gauge] = []
    asked = 0
    cut = False
    try:
        while True:
            # 1. Start as many as could all be paid for if each grew to full length: at least one, so that a budget
            #    below one full length still buys what it can, and none after one that the budget refused.
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
            # 2. Wait for any of them: what it left unspent may pay for another one before the next in line is done.
            pending = [task for task in waiting if not task.done()]
            if waiting[0] in pending:
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            # 3. Hand out those that are done, but none before an earlier one. One that was cut is the last.
            while waiting and waiting[0].done():
                done = waiting.pop(0)
                try:
                    yield done.result()[0]
                except BudgetExhausted:
                    cut = True
    finally:
        # 4. The loop was left early, or failed: give up what is in flight, and wait until it is recorded.
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for gauge in gauges:
            gauge.release()
    if cut and n is not None:
        raise BudgetExhausted
