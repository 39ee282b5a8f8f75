"""What a comparison could have shown: the least difference that so many problems reveal, and how many it would take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from clew.lab.comparison import Comparison, Row
from clew.lab.stats import Interval

POWER = 0.8
"""How often a difference is to be found that is there: in four of five repetitions, as is usual."""


@dataclass(frozen=True, slots=True)
class Power:
    """What one difference could have shown.

    row: the method at its budget. least: the least true difference whose interval leaves zero out in `POWER` of all
    repetitions with as many problems. problems: how many problems it would take for the difference that was measured;
    None where that is zero.
    """

    row: Row
    least: float
    problems: int | None


def power(comparison: Comparison) -> list[Power]:
    """What each method's difference to the baseline could have shown, at the greatest budget that was reached."""
    reached = [b for b in comparison.budgets if any(r.reached for r in comparison.rows if r.budget == b)]
    rows = [r for r in comparison.rows if reached and r.budget == reached[-1] and r.difference_interval is not None]
    found = []
    for row in rows:
        assert row.difference_interval is not None and row.difference is not None
        least = detectable(row.difference_interval, comparison.level)
        needed = problems_needed(row.difference, least, comparison.problems)
        found.append(Power(row, least, needed))
    return found


def detectable(interval: Interval, level: float) -> float:
    """The least true difference that would be found with `POWER`, from the interval of one that was measured.

    (z_{(1+level)/2} + z_POWER) standard errors (Cohen 1988, section 2.3, paired), where the interval is taken as
    ± z_{(1+level)/2} of them.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    return (z + NormalDist().inv_cdf(POWER)) * (interval.high - interval.low) / 2 / z


def problems_needed(difference: float, least: float, problems: int) -> int | None:
    """How many problems of the same kind it takes to find `difference`, where so many find `least`: standard errors
    fall with the root of the number. None for no difference."""
    return None if difference == 0 else max(2, math.ceil(problems * (least / difference) ** 2))


def told(comparison: Comparison) -> list[str]:
    """One sentence for each method but the baseline."""
    return [_sentence(p, comparison) for p in power(comparison)]


def _sentence(p: Power, c: Comparison) -> str:
    d = p.row.difference or 0.0
    could = (
        f"{p.row.method}: {c.problems} problems show a difference of {100 * p.least:.0f} points in 4 of 5 repetitions"
    )
    if p.problems is None:
        return f"{could}; none was measured."
    more = "fewer would have done" if p.problems < c.problems else "so many are needed"
    return f"{could}; for the {100 * d:+.0f} points measured, about {p.problems:,} problems ({more})."
