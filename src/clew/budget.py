"""What a search may spend, what it has spent, and the one place where the two meet.

Usage is logical: what this search would have cost alone, with a perfect cache of its own prefixes. Where a model has no
such cache (`Cost.caches`), every call is charged for its whole context, as it is billed, and the logical count stands
beside it (`Spend.distinct`). What an engine really computed to prefill is counted too (`Spend.computed`).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from clew.errors import BudgetExhausted, UsageError

AXES = ("generated", "tokens", "calls", "seconds", "flops", "usd")
"""The axes that a comparison can be drawn over."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on one search; None is no limit.

    tokens: generated plus prefilled tokens (each prompt or inserted token counts once, reused ones do not count, but
        where a model caches nothing, each call's whole context counts), over all models and purposes.
    calls: continuations sampled or scored. seconds: wall time of the search.
    flops: as `Cost.flops` counts them. usd: dollars, where a price is known.

    Raises UsageError for a limit that is not above zero.
    """

    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    flops: float | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"a budget of {value} {f.name} buys nothing", f"Give {f.name} a number above zero")

    def __str__(self) -> str:
        parts = [f"{getattr(self, f.name):g} {f.name}" for f in fields(self) if getattr(self, f.name) is not None]
        return ", ".join(parts) or "unlimited"

    def as_dict(self) -> dict[str, float]:
        """The limits that are set."""
        return {k: v for k, v in asdict(self).items() if v is not None}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a token of a model costs.

    caches: whether a prefix that the search has computed is not charged again. batches: where it is, whether the
    continuations of one call share their context's charge.
    params: weights used for each token. layers, width: for the attention term. The prices are dollars per million
    tokens; None where unknown.
    """

    params: float = 0.0
    layers: int = 0
    width: int = 0
    usd_input: float | None = None
    usd_cached: float | None = None
    usd_output: float | None = None
    caches: bool = True
    batches: bool = False

    def billed(self, fresh: int, reused: int, *, beside: bool = False) -> int:
        """How many tokens of a context are charged as prefilled.

        fresh, reused: its tokens that are new to the search, and those that are not. beside: whether another
        continuation of the same call has paid for it already.
        """
        return fresh if self.caches or (beside and self.batches) else fresh + reused

    def flops(self, tokens: int, context: int) -> float:
        """FLOPs to compute `tokens` tokens after `context` earlier ones: 2·params a token, and 4·layers·width for each
        earlier token attended to (QKᵀ and AV; arXiv:2001.08361, table 1)."""
        attended = tokens * context + tokens * (tokens - 1) / 2
        return 2 * self.params * tokens + 4 * self.layers * self.width * attended

    def usd(self, *, prefilled: int = 0, reused: int = 0, generated: int = 0) -> float:
        """Dollars for these tokens; 0 where no price is known."""
        cached = self.usd_cached if self.usd_cached is not None else self.usd_input
        million = prefilled * (self.usd_input or 0) + reused * (cached or 0) + generated * (self.usd_output or 0)
        return million / 1e6


@dataclass(slots=True)
class Spend:
    """What one model did for one purpose.

    generated: tokens. prefilled: context tokens that were charged; reused: those that were not. distinct: what
    `prefilled` would be with a perfect cache of the search's own prefixes (logical; the same but for models that cache
    nothing). computed: tokens that the engine really prefilled for it (physical).
    seconds: time in which at least one call was in flight.
    """

    generated: int = 0
    prefilled: int = 0
    reused: int = 0
    distinct: int = 0
    computed: int = 0
    calls: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    usd: float = 0.0

    def __iadd__(self, other: Spend) -> Spend:
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))
        return self

    @property
    def tokens(self) -> int:
        """Generated plus prefilled."""
        return self.generated + self.prefilled

    @property
    def logical(self) -> int:
        """Generated plus distinct: what `tokens` would be with a perfect cache."""
        return self.generated + self.distinct


@dataclass(slots=True)
class Usage:
    """What a search has spent, per (model, purpose), and its wall time in seconds.

    peak: the most continuations that were in flight at once; no search passes its budget by more than so many tokens.
    """

    parts: dict[tuple[str, str], Spend] = field(default_factory=dict)
    seconds: float = 0.0
    peak: int = 0

    @property
    def total(self) -> Spend:
        """The sum over models and purposes; its `seconds` is the search's wall time."""
        total = Spend()
        for part in self.parts.values():
            total += part
        total.seconds = self.seconds
        return total

    def along(self, axis: str) -> float:
        """The amount on one of `AXES`."""
        return float(getattr(self.total, axis))

    def copy(self) -> Usage:
        """A snapshot."""
        copied = {}
        for key, part in self.parts.items():
            copied[key] = Spend()
            copied[key] += part
        return Usage(copied, self.seconds, self.peak)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `Usage.from_dict` reads it."""
        return {
            "seconds": self.seconds,
            "peak": self.peak,
            "parts": [{"model": m, "purpose": p, **asdict(s)} for (m, p), s in self.parts.items()],
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Usage:
        """The inverse of `as_dict`."""
        parts = {}
        for row in data["parts"]:
            row = dict(row)
            key = (row.pop("model"), row.pop("purpose"))
            parts[key] = Spend(**row)
        return Usage(parts, data["seconds"], data["peak"])


class Ledger:
    """Budget and usage of one search. Thread-safe: an engine charges each token from its worker thread."""

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.perf_counter) -> None:
        self.budget = budget
        self._usage = Usage()
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        self._busy: dict[tuple[str, str], tuple[int, float]] = {}
        # The running sums of what the budget limits, so that the check after each token stays cheap.
        self._tokens = 0
        self._flops = 0.0
        self._usd = 0.0
        self._calls = 0
        self._closed = False

    @property
    def usage(self) -> Usage:
        """A snapshot of what has been spent until now."""
        with self._lock:
            snapshot = self._usage.copy()
        snapshot.seconds = self._clock() - self._start
        return snapshot

    @property
    def tokens_left(self) -> int | None:
        """Tokens until the token budget is spent; None without one."""
        return None if self.budget.tokens is None else max(0, self.budget.tokens - self._tokens)

    @property
    def tokens(self) -> int:
        """Tokens spent until now."""
        return self._tokens

    def affords(self, cost: Cost, context: int, tokens: int) -> bool:
        """Whether `tokens` more generated tokens, and one more call, would stay within every limit but time.

        context: tokens that the search has computed before, and that the call goes on from.
        """
        b = self.budget
        billed = cost.billed(0, context)
        return (
            self.calls_left != 0
            and (b.tokens is None or self._tokens + billed + tokens <= b.tokens)
            and (b.flops is None or self._flops + cost.flops(billed + tokens, context - billed) <= b.flops)
            and (
                b.usd is None
                or self._usd + cost.usd(prefilled=billed, reused=context - billed, generated=tokens) <= b.usd
            )
            and not self.spent
        )

    @property
    def calls_left(self) -> int | None:
        """Calls until the call budget is spent; None without one."""
        return None if self.budget.calls is None else max(0, self.budget.calls - self._calls)

    @property
    def spent(self) -> bool:
        """Whether some limit has been reached (calls aside: they are checked before a call)."""
        b = self.budget
        return (
            (b.tokens is not None and self._tokens >= b.tokens)
            or (b.flops is not None and self._flops >= b.flops)
            or (b.usd is not None and self._usd >= b.usd)
            or (b.seconds is not None and self._clock() - self._start >= b.seconds)
        )

    @property
    def over(self) -> bool:
        """Whether the search will ask for nothing more."""
        return self._closed or self.spent

    def close(self) -> None:
        """Say that the search is over."""
        self._closed = True

    def check(self) -> None:
        """Raise BudgetExhausted when nothing more may be started."""
        if self.spent or self.calls_left == 0:
            raise BudgetExhausted

    def open(self, model: str, purpose: str, cost: Cost, *, fresh: int, reused: int, beside: bool = False) -> Gauge:
        """Charge one continuation's context, of which `fresh` tokens are new to this search and `reused` are not, and
        return the gauge that its generated tokens are charged to.

        beside: whether it is a further one of a call whose context is charged already (see `Cost.billed`).

        Raises BudgetExhausted, with nothing charged, when the context and one token more would pass the budget.
        """
        self.check()
        left = self.tokens_left
        billed = cost.billed(fresh, reused, beside=beside)
        free = fresh + reused - billed
        if left is not None and billed + 1 > left:
            raise BudgetExhausted
        usd = cost.usd(prefilled=billed, reused=free)
        flops = cost.flops(billed, free)
        b = self.budget
        if (b.flops is not None and self._flops + flops >= b.flops) or (b.usd is not None and self._usd + usd >= b.usd):
            raise BudgetExhausted
        with self._lock:
            part = self._usage.parts.setdefault((model, purpose), Spend())
            part.prefilled += billed
            part.reused += free
            part.distinct += fresh
            part.calls += 1
            part.flops += flops
            part.usd += usd
            self._tokens += billed
            self._flops += flops
            self._usd += usd
            self._calls += 1
            count, since = self._busy.get((model, purpose), (0, 0.0))
            self._busy[model, purpose] = (count + 1, since if count else self._clock())
            self._usage.peak = max(self._usage.peak, sum(count for count, _ in self._busy.values()))
        return Gauge(self, (model, purpose), cost, fresh + reused)

    def _take(self, gauge: Gauge, count: int) -> None:
        flops = gauge.cost.flops(count, gauge.context)
        usd = gauge.cost.usd(generated=count)
        with self._lock:
            part = self._usage.parts[gauge.key]
            part.generated += count
            part.flops += flops
            part.usd += usd
            self._tokens += count
            self._flops += flops
            self._usd += usd
        gauge.context += count

    def _computed(self, gauge: Gauge, count: int) -> None:
        with self._lock:
            self._usage.parts[gauge.key].computed += count

    def _release(self, key: tuple[str, str]) -> None:
        with self._lock:
            count, since = self._busy[key]
            self._busy[key] = (count - 1, since)
            if count == 1:
                self._usage.parts[key].seconds += self._clock() - since


class Gauge:
    """The meter of one continuation. The model calls `take` for every token it generates and stops when it says so."""

    __slots__ = ("_callbacks", "_closed", "_ledger", "_released", "context", "cost", "generated", "key")

    def __init__(self, ledger: Ledger, key: tuple[str, str], cost: Cost, context: int) -> None:
        self._ledger = ledger
        self.key = key
        self.cost = cost
        self.context = context
        self.generated = 0
        self._closed = False
        self._released = False
        self._callbacks: list[Callable[[], None]] = []

    def take(self, count: int = 1) -> bool:
        """Charge `count` generated tokens. False: generate no more (the budget is spent, or the caller gave up)."""
        self._ledger._take(self, count)
        self.generated += count
        return not (self._closed or self._ledger.spent)

    def computed(self, count: int) -> None:
        """Tell that `count` tokens of context were really prefilled for this continuation (physical count)."""
        if count:
            self._ledger._computed(self, count)

    @property
    def closed(self) -> bool:
        """Whether the continuation was given up or the budget is spent."""
        return self._closed or self._ledger.spent

    @property
    def over(self) -> bool:
        """Whether the search that the continuation belongs to will ask for nothing more."""
        return self._ledger.over

    @property
    def left(self) -> int | None:
        """Tokens until the token budget is spent, over all that is in flight; None without one."""
        return self._ledger.tokens_left

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the time budget is spent; None without one."""
        ledger = self._ledger
        limit = ledger.budget.seconds
        return None if limit is None else max(0.0, limit - (ledger._clock() - ledger._start))

    def close(self) -> None:
        """Give the continuation up: the model ends it at its next token, finish `cancelled`."""
        self._closed = True
        for callback in self._callbacks:
            callback()

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the continuation is given up (at once if it already is)."""
        if self._closed:
            callback()
        self._callbacks.append(callback)

    @property
    def released(self) -> bool:
        """Whether the continuation has ended."""
        return self._released

    def release(self) -> None:
        """The continuation has ended; its time no longer counts."""
        if not self._released:
            self._released = True
            self._ledger._release(self.key)
