"""How the embedded engine decodes while other programs run: `python -m benchmarks.contention [--json] [--quick]`.

Beside each measurement k busy loops (processes that count) run on the same n cores, and 1, 16 or 64 branches are
decoded through `Search.extend`. A fair share is what n/(n+k) of the quiet throughput would be.

fair_share_1, _2, _4: with so many loops, tokens a second over the fair share, the least of the three numbers of
    branches.
quiet_ratio: tokens a second with no loop over those of the state before, the least of the three: as many threads as
    cores at any time, which wait for each other by spinning as long as libgomp spins unasked (GOMP_SPINCOUNT=300000).
    Rounds alternate; the median of the ratios.
two_models: tokens a second of each of two models that decode 16 branches in one process at once, over those of one of
    them while the other is idle; the lesser of the two.
before_1, _2, _4 (not with --quick): fair_share_1, _2, _4 of the state before.
tokens_per_second: by side, loops and branches.

The engine runs in processes of its own: libgomp reads its settings once, when it is loaded.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from benchmarks.engine import MODEL, TEMPERATURE, story
from clew.budget import Budget
from clew.errors import BudgetExhausted
from clew.models import load
from clew.models.base import Model
from clew.models.llamacpp.threads import threads_choice
from clew.sampling import Sampling, tokens
from clew.search import GENERATE, Search

LOOPS = (1, 2, 4)
BRANCHES = (1, 16, 64)
LENGTH = 64
BEFORE = {"GOMP_SPINCOUNT": "300000"}
"""What libgomp spins where nothing is set: some milliseconds at each of the thousand barriers of a step."""


async def rate(model: Model, branches: int, seconds: float, seed: int) -> float:
    """Tokens a second of `branches` branches over so many seconds, the prompt computed before."""
    problem, sampling = story(100), Sampling(temperature=TEMPERATURE)
    first = Search(problem, {GENERATE: model}, Budget(), seed=seed, sampling=sampling)
    await first.extend(first.root, branches, until=tokens(2))
    await first.close()
    begin = time.perf_counter()
    search = Search(problem, {GENERATE: model}, Budget(seconds=seconds), seed=seed, sampling=sampling)
    with suppress(BudgetExhausted):
        while True:
            await search.extend(search.root, branches, until=tokens(LENGTH))
    taken = time.perf_counter() - begin
    await search.close()
    return search.ledger.usage.total.generated / taken


async def serve(models: int, options: dict[str, Any]) -> None:
    """The engine's side: the rates of its models, all at once, or of one alone, for every line of what is wanted."""
    loaded = [load(MODEL, **options) for _ in range(models)]
    for line in sys.stdin:
        working, branches, seconds, seed = json.loads(line)
        rates = await asyncio.gather(*(rate(m, branches, seconds, seed) for m in loaded[:working]))
        print(json.dumps(rates), flush=True)
    for model in loaded:
        await model.close()


class Side:
    """The engine in a process of its own: so many models, with these options, and settings of libgomp."""

    def __init__(self, models: int, options: dict[str, Any], settings: dict[str, str]) -> None:
        command = [sys.executable, "-m", "benchmarks.contention", "--serve", json.dumps([models, options])]
        environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")} | settings
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._seeds = itertools.count()

    def rates(self, branches: int, seconds: float, working: int = 1) -> list[float]:
        """Tokens a second of each of so many models that decode at once."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([working, branches, seconds, next(self._seeds)]) + "\n")
        self._process.stdin.flush()
        return [float(r) for r in json.loads(self._process.stdout.readline())]

    def __enter__(self) -> Side:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that count while this lasts."""
    counting = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        time.sleep(0.2 if loops else 0)
        yield
    finally:
        for process in counting:
            process.kill()
            process.wait()


def two_models(rounds: int, seconds: float) -> float:
    """The figure of this name."""
    found = []
    with Side(2, {}, {}) as side:
        side.rates(16, 0.5, working=2)
        for _ in range(rounds):
            alone = side.rates(16, seconds)[0]
            found.append(min(side.rates(16, seconds, working=2)) / alone)
    return statistics.median(found)


def measured(rounds: int, seconds: float, *, whole: bool) -> dict[str, Any]:
    """The figures that the module's first lines name."""
    cores = threads_choice()
    rates: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    with Side(1, {}, {}) as now, Side(1, {"threads": cores}, BEFORE) as before:
        sides = {"now": now, "before": before}
        for side in sides.values():
            side.rates(max(BRANCHES), 0.5)
        for branches, _, loops in itertools.product(BRANCHES, range(rounds), (0, *LOOPS)):
            with busy(loops):
                for name in sides if whole or not loops else ("now",):
                    rates[name, loops, branches] += sides[name].rates(branches, seconds)
        for branches, _ in itertools.product(BRANCHES, range(2 * rounds if whole else 0)):
            for name, side in sides.items():
                rates[name, 0, branches] += side.rates(branches, seconds / 2)

    def ratios(above: tuple[str, int], below: tuple[str, int], share: float) -> float:
        """The least over the numbers of branches of the median over the rounds."""
        pairs = (zip(rates[*above, n], rates[*below, n], strict=False) for n in BRANCHES)
        return round(min(statistics.median(a / (b * share) for a, b in both) for both in pairs), 3)

    found: dict[str, Any] = {"cores": cores}
    for key, name in (("fair_share", "now"), ("before", "before")):
        for loops in LOOPS if whole or name == "now" else ():
            found[f"{key}_{loops}"] = ratios((name, loops), (name, 0), cores / (cores + loops))
    found["quiet_ratio"] = ratios(("now", 0), ("before", 0), 1)
    found["two_models"] = round(two_models(rounds, seconds), 3)
    found["tokens_per_second"] = {
        name: {
            loops: {n: round(statistics.median(rates[name, loops, n]), 1) for n in BRANCHES}
            for loops in (0, *LOOPS)
            if rates[name, loops, 1]
        }
        for name in sides
    }
    return found


def main() -> None:
    """Run what the module's first lines say."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contention", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="under a minute, without the state before beside loops")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(*json.loads(options.serve)))
        return
    found = measured(1, 1.5, whole=False) if options.quick else measured(2, 2, whole=True)
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        if key != "tokens_per_second":
            print(f"{key:16} {value}")
    for name, part in found["tokens_per_second"].items():
        for loops, rates in part.items():
            said = "  ".join(f"{n:2} branches {rate:7.1f}" for n, rate in rates.items())
            print(f"{name:6} {loops} loops  {said} tokens/s")


if __name__ == "__main__":
    main()
