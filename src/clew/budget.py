"""Budgets and usage: what a search may spend, and what it has spent.

Usage is logical: what this search would have cost alone, with a perfect cache of its own prefixes. Where a model has no
such cache (`Cost.caches`), every call is charged for its whole context, as it is billed, and the logical count stands
beside it (`Spend.distinct`). What an engine really computed to prefill is counted too (`Spend.computed`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple

from clew.errors import UsageError


class Axis(NamedTuple):
    """One way to measure spending.

    unit: the unit's name, as it is printed ("accuracy at equal generated tokens").
    whole: whether amounts are whole numbers.
    """

    unit: str
    whole: bool = False


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        "generated": Axis("generated tokens", whole=True),
        "tokens": Axis("tokens", whole=True),
        "calls": Axis("calls", whole=True),
        "seconds": Axis("seconds"),
        "flops": Axis("FLOPs"),
        "usd": Axis("US dollars"),
    }
)
"""Name → axis that a comparison can be drawn over; the name is an attribute of `Spend`."""


def check_axis(axis: str) -> Axis:
    """The axis of this name. Raises UsageError where there is none."""
    if axis not in AXES:
        raise UsageError(f"{axis!r} is not an axis to compare over", f"Choose one of {', '.join(AXES)}")
    return AXES[axis]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on one search; None is no limit.

    tokens: generated plus prefilled tokens (each prompt or inserted token counts once, reused ones do not count, but
        where a model caches nothing, each call's whole context counts), over all models and roles.
    calls: continuations sampled or scored.
    seconds: wall time of the search.
    flops: floating-point operations, as `Cost.flops` counts them.
    usd: US dollars, where the model's prices are known.
    generated: tokens that models write, over all models and roles.

    Raises UsageError for a limit that is not a finite number above zero.
    """

    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None
    flops: float | None = None
    usd: float | None = None
    generated: int | None = None

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(
                    f"a budget of {value} {f.name} is not possible", "Give a finite number above zero, such as 2000"
                )

    def __str__(self) -> str:
        parts = [f"{getattr(self, f.name):g} {f.name}" for f in fields(self) if getattr(self, f.name) is not None]
        return ", ".join(parts) or "unlimited"

    @staticmethod
    def along(axis: str, amount: float) -> Budget:
        """The budget that allows `amount` on one axis of `AXES`.

        amount: in the axis's unit; a fraction of a token or call is dropped. Raises UsageError as `Budget` does.
        """
        limit: dict[str, Any] = {axis: int(amount) if AXES[axis].whole and math.isfinite(amount) else amount}
        return Budget(**limit)

    def as_dict(self) -> dict[str, float]:
        """The limits that are set."""
        return {k: v for k, v in asdict(self).items() if v is not None}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a token of a model costs.

    params: weights used for each token.
    layers, width: the model's layers and the width of its hidden states, for the attention term of `flops`.
    usd_input, usd_cached, usd_output: US dollars per million tokens that are prefilled, reused from the server's cache,
        and generated; None where unknown.
    caches: whether a prefix that the search has computed before is not charged again.
    batches: for a model that caches nothing: whether the continuations of one call pay for their context once.
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

        fresh: its tokens that are new to the search.
        reused: its tokens that the search has computed before.
        beside: whether another continuation of the same call has paid for this context already.
        """
        return fresh if self.caches or (beside and self.batches) else fresh + reused

    def flops(self, tokens: int, context: int) -> float:
        """FLOPs to compute `tokens` tokens after `context` earlier ones: 2·params a token, and 4·layers·width for each
        earlier token attended to (QKᵀ and AV; arXiv:2001.08361, table 1)."""
        attended = tokens * context + tokens * (tokens - 1) / 2
        return 2 * self.params * tokens + 4 * self.layers * self.width * attended

    def usd(self, *, prefilled: int = 0, reused: int = 0, generated: int = 0) -> float:
        """US dollars for these numbers of prefilled, reused and generated tokens; 0 where no price is known."""
        cached = self.usd_cached if self.usd_cached is not None else self.usd_input
        million = prefilled * (self.usd_input or 0) + reused * (cached or 0) + generated * (self.usd_output or 0)
        return million / 1e6


@dataclass(slots=True)
class Spend:
    """What one model did in one role.

    generated: tokens that the model wrote.
    prefilled: tokens of contexts that were charged.
    reused: tokens of contexts that were not charged, because the search had computed them before.
    distinct: what `prefilled` would be with a perfect cache of the search's own prefixes (logical); it differs from
        `prefilled` only for a model that caches nothing.
    computed: tokens that the engine really prefilled for this search (physical).
    calls: continuations sampled or scored.
    flops: floating-point operations, as `Cost.flops` counts them.
    seconds: time in which at least one call was in flight.
    usd: US dollars; 0 where no price is known.
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
    """What a search has spent.

    parts: (model, role) → what that model did in that role.
    seconds: wall time of the search.
    peak: the most continuations that were in flight at once; no search exceeds its budget by more tokens than this.
    """

    parts: dict[tuple[str, str], Spend] = field(default_factory=dict)
    seconds: float = 0.0
    peak: int = 0

    @property
    def total(self) -> Spend:
        """The sum over models and roles; its `seconds` is the search's wall time."""
        total = Spend()
        for part in self.parts.values():
            total += part
        total.seconds = self.seconds
        return total

    def along(self, axis: str) -> float:
        """The amount on one of `AXES`."""
        return float(getattr(self.total, axis))

    def copy(self) -> Usage:
        """An independent copy, which later spending does not change."""
        copied = {}
        for key, part in self.parts.items():
            copied[key] = Spend()
            copied[key] += part
        return Usage(copied, self.seconds, self.peak)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `clew.store` reads it."""
        return {
            "seconds": self.seconds,
            "peak": self.peak,
            "parts": [{"model": m, "role": r, **asdict(s)} for (m, r), s in self.parts.items()],
        }
