"""The ledger of a search, which compares its usage with its budget, and the meter of each continuation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from clew.budget import Budget, Cost, Spend, Usage
from clew.errors import BudgetExhausted


class Ledger:
    """What one search may spend and what it has spent.

    It is thread-safe, because an engine charges each token from its worker thread.

    budget: what the search may spend.
    clock: gives the time in seconds.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.perf_counter) -> None:
        self.budget = budget
        self._usage = Usage()
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        # By model and role: how many continuations are in flight, and since when at least one has been (in seconds).
        self._busy: dict[tuple[str, str], tuple[int, float]] = {}
        # The sums of everything that the budget limits, kept up to date so that the check after each token is cheap.
        self._tokens = 0
        self._generated = 0
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
        """Tokens that may still be generated; None without a limit on tokens."""
        limits = ((self.budget.tokens, self._tokens), (self.budget.generated, self._generated))
        return min((max(0, limit - used) for limit, used in limits if limit is not None), default=None)

    @property
    def tokens(self) -> int:
        """Tokens spent until now."""
        return self._tokens

    def affords(self, cost: Cost, context: int, tokens: int) -> bool:
        """Whether one more call that generates `tokens` tokens would stay within every limit except the time.

        cost: what the tokens of its model cost.
        context: how many tokens the call continues, all of which the search has computed before.
        tokens: how many tokens it generates.
        """
        b = self.budget
        billed = cost.billed(0, context)
        return (
            self.calls_left != 0
            and (b.tokens is None or self._tokens + billed + tokens <= b.tokens)
            and (b.generated is None or self._generated + tokens <= b.generated)
            and (b.flops is None or self._flops + cost.flops(billed + tokens, context - billed) <= b.flops)
            and (
                b.usd is None
                or self._usd + cost.usd(prefilled=billed, reused=context - billed, generated=tokens) <= b.usd
            )
            and not self.spent
        )

    @property
    def calls_left(self) -> int | None:
        """Calls until the budget of calls is spent; None without one."""
        return None if self.budget.calls is None else max(0, self.budget.calls - self._calls)

    @property
    def spent(self) -> bool:
        """Whether a limit has been reached, other than that on calls, which is checked before a call."""
        b = self.budget
        return (
            (b.tokens is not None and self._tokens >= b.tokens)
            or (b.generated is not None and self._generated >= b.generated)
            or (b.flops is not None and self._flops >= b.flops)
            or (b.usd is not None and self._usd >= b.usd)
            or (b.seconds is not None and self._clock() - self._start >= b.seconds)
        )

    @property
    def over(self) -> bool:
        """Whether the search has ended or its budget is spent: either way, it makes no more calls."""
        return self._closed or self.spent

    def close(self) -> None:
        """End the search: see `over`."""
        self._closed = True

    def check(self) -> None:
        """Raise BudgetExhausted when nothing more may be started."""
        if self.spent or self.calls_left == 0:
            raise BudgetExhausted

    def open(self, model: str, role: str, cost: Cost, *, fresh: int, reused: int, beside: bool = False) -> Gauge:
        """Charge the context of one continuation, and return the gauge that its generated tokens are charged to.

        model: the name of the model that generates.
        role: the role that the model plays.
        cost: what the model's tokens cost.
        fresh: how many tokens of the context are new to this search.
        reused: how many of them it has computed before.
        beside: whether the continuation is a further one of a call whose context is charged already (`Cost.billed`).

        Raises BudgetExhausted, with nothing charged, when the context and one more token would exceed the budget.
        """
        return self._charge((model, role), cost, [(fresh, reused)], beside=beside)[0]

    def open_all(self, model: str, role: str, cost: Cost, contexts: Sequence[tuple[int, int]]) -> list[Gauge]:
        """Charge the contexts of one batch, either all of them or none, and return a gauge for each.

        model, role, cost: as in `open`.
        contexts: for each context, how many of its tokens are new to this search, and how many it has computed before.

        Raises BudgetExhausted, with nothing charged, when all of them and one more token would exceed the budget.
        """
        return self._charge((model, role), cost, contexts) if contexts else []

    def _charge(
        self, key: tuple[str, str], cost: Cost, contexts: Sequence[tuple[int, int]], *, beside: bool = False
    ) -> list[Gauge]:
        """See `open` and `open_all`. key: model and role."""
        # 1. What all contexts cost together.
        b = self.budget
        added = Spend(calls=len(contexts))
        for fresh, reused in contexts:
            billed = cost.billed(fresh, reused, beside=beside)
            free = fresh + reused - billed
            added += Spend(
                prefilled=billed,
                reused=free,
                distinct=fresh,
                flops=cost.flops(billed, free),
                usd=cost.usd(prefilled=billed, reused=free),
            )
        with self._lock:
            # 2. Refuse them where the budget has no room for them and one generated token.
            if (
                self.spent
                or (b.calls is not None and self._calls + added.calls > b.calls)
                or (b.tokens is not None and self._tokens + added.prefilled + 1 > b.tokens)
                or (b.flops is not None and self._flops + added.flops >= b.flops)
                or (b.usd is not None and self._usd + added.usd >= b.usd)
            ):
                raise BudgetExhausted
            # 3. Charge them, and count what is in flight.
            part = self._usage.parts.setdefault(key, Spend())
            part += added
            self._tokens += added.prefilled
            self._flops += added.flops
            self._usd += added.usd
            self._calls += added.calls
            count, since = self._busy.get(key, (0, 0.0))
            self._busy[key] = (count + added.calls, since if count else self._clock())
            self._usage.peak = max(self._usage.peak, sum(count for count, _ in self._busy.values()))
        return [Gauge(self, key, cost, fresh + reused) for fresh, reused in contexts]

    def _take(self, gauge: Gauge, count: int) -> None:
        """Charge generated tokens, each of which attends to all tokens before it (see `Cost.flops`)."""
        flops = gauge.cost.flops(count, gauge.context)
        usd = gauge.cost.usd(generated=count)
        with self._lock:
            part = self._usage.parts[gauge.key]
            part.generated += count
            part.flops += flops
            part.usd += usd
            self._tokens += count
            self._generated += count
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
    """The meter of one continuation: the model charges every token that it generates to it, and stops when told to.

    ledger: the ledger of the search.
    key: the model and the role that are charged.
    cost: what the model's tokens cost.
    context: how many tokens stand before the next one.
    """

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
        """Charge `count` generated tokens, and return whether the model may generate another one.

        It may not once the budget is spent or the continuation is cancelled.
        """
        self._ledger._take(self, count)
        self.generated += count
        return not (self._closed or self._ledger.spent)

    def computed(self, count: int) -> None:
        """Record that the engine really prefilled `count` tokens of context for this continuation.

        This physical count is kept beside the logical one, which is what the budget is compared with.
        """
        if count:
            self._ledger._computed(self, count)

    @property
    def closed(self) -> bool:
        """Whether the continuation was cancelled or the budget is spent."""
        return self._closed or self._ledger.spent

    @property
    def over(self) -> bool:
        """Whether the search has ended or its budget is spent; an engine then evicts first what it cached for it."""
        return self._ledger.over

    @property
    def left(self) -> int | None:
        """Tokens that may still be generated, over all that is in flight; None without a limit on tokens."""
        return self._ledger.tokens_left

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the time budget is spent; None without a time budget."""
        ledger = self._ledger
        limit = ledger.budget.seconds
        return None if limit is None else max(0.0, limit - (ledger._clock() - ledger._start))

    def close(self) -> None:
        """Cancel the continuation: the model ends it at its next token, with the finish `cancelled`."""
        self._closed = True
        for callback in self._callbacks:
            callback()

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the continuation is cancelled, or at once if it already is."""
        if self._closed:
            callback()
        self._callbacks.append(callback)

    @property
    def released(self) -> bool:
        """Whether the continuation has ended."""
        return self._released

    def release(self) -> None:
        """Record that the continuation has ended, so that its time no longer counts. A second call does nothing."""
        if not self._released:
            self._released = True
            self._ledger._release(self.key)
