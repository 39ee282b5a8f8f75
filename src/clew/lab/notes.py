"""The words of a comparison: its title, its finding, and the notes above its tables, in the report and the viewer."""

from __future__ import annotations

from dataclasses import dataclass

from clew.budget import AXES
from clew.lab.comparison import Comparison, amount
from clew.lab.stats import Interval


@dataclass(frozen=True, slots=True)
class Notes:
    """The sentences about one comparison.

    title, subtitle: of the report.
    finding: the result at the greatest budget.
    figure: the explanation of the plot.
    accuracy, difference, spent, samples: the explanation of each table.
    searches: how many problems, seeds and searches were compared.
    reading: how the figures were computed, a sentence each.
    """

    title: str
    subtitle: str
    finding: str
    figure: str
    accuracy: str
    difference: str
    spent: str
    samples: str
    searches: str
    reading: tuple[str, ...]


def notes(c: Comparison) -> Notes:
    """The sentences about this comparison."""
    unit = AXES[c.axis].unit
    return Notes(
        title=f"Accuracy at equal {unit}",
        subtitle=subtitle(c),
        finding=finding(c),
        figure=f"Accuracy against budget, with {c.level:.0%} intervals, clustered by problem. Ringed: the Pareto "
        f"front; no method is as accurate for fewer {unit}, or more accurate for as many. Grey: the baseline.",
        accuracy=f"Percent, with {c.level:.0%} intervals. Ringed: on the Pareto front. –: the recordings do not reach "
        "this budget; nothing is extrapolated.",
        difference=f"Percentage points on the same problems and seeds, with {c.level:.0%} intervals. The dashed line "
        f"is no difference, the bars span ±{100 * reach(c):.0f} points. Bold: the interval leaves zero out.",
        spent=f"Mean of a whole search. Tokens are generated plus prefilled ones, {_prompts(c)}. Prefill: tokens that "
        "the engine really prefilled over those that a perfect cache of the search’s own prefixes would have. Curve: "
        "how its points were made, see below.",
        samples="pass@k: at least one of k samples is right (unbiased estimator, arXiv:2107.03374, eq. 1). "
        "maj@k: the expected grade of the plain majority answer of k samples, ties shared.",
        searches=_searches(c),
        reading=_reading(c),
    )


def finding(c: Comparison) -> str:
    """The result at the greatest budget, and whether it is clear of chance."""
    unit = AXES[c.axis].unit
    at = [b for b in c.budgets if any(r.reached for r in c.rows if r.budget == b)]
    if not at:
        return "No recording reaches any of these budgets."
    rows = [r for r in c.rows if r.budget == at[-1] and r.accuracy is not None]
    best = max(rows, key=lambda r: r.accuracy or 0.0)
    text = (
        f"With {amount(best.budget)} {unit} a search, {best.method} solves {percent(best.accuracy)} % of the problems"
    )
    if best.difference is None or best.difference_interval is None:
        return f"{text}; no method does better." if len(rows) > 1 else f"{text}."
    low, high = best.difference_interval
    text += (
        f", {percent(best.difference, '+')} points against {c.baseline} "
        f"({c.level:.0%} interval {span(best.difference_interval, '+')})."
    )
    if low > 0 or high < 0:
        return text
    return f"{text} On {c.problems} problems the data do not tell the two apart."


def subtitle(c: Comparison) -> str:
    """What was run on what, in one line."""
    size = f"{count(c.problems, 'problem')} × {count(c.seeds, 'seed')}"
    return " · ".join([cut_text(", ".join(c.models), 60), cut_text(", ".join(c.families), 60), size])


def reach(c: Comparison) -> float:
    """The half-width of the scale of differences, so that all intervals fit; at least 0.1."""
    intervals = [r.difference_interval for r in c.rows if r.difference_interval]
    return max([0.1, *(abs(x) for interval in intervals for x in interval)])


def percent(value: float | None, sign: str = "") -> str:
    """A share as whole percent; sign: `+` shows the sign of positive values too."""
    return "–" if value is None else f"{round(100 * value):{sign}d}".replace("-", "−")


def span(interval: Interval, sign: str = "") -> str:
    """An interval of shares in percent."""
    between = " to " if sign else "–"
    return f"{percent(interval.low, sign)}{between}{percent(interval.high, sign)}"


def count(n: int, one: str, many: str = "") -> str:
    """A number with its noun, in the plural where it is not 1 (`many`, or `one` with an s)."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def cut_text(text: str, width: int) -> str:
    """The text, cut to at most `width` characters, the last of them an ellipsis where something is missing.

    Halves of surrogate pairs, which a model may write and no file can hold, become question marks.
    """
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= width else text[: width - 1] + "…"


def _prompts(c: Comparison) -> str:
    """How prompts are charged."""
    if not c.uncached:
        return "each prompt once"
    return (
        f"as billed: {', '.join(c.uncached)} was not seen to cache prompts, so each call pays for its whole context. "
        "The logical tokens beside them are those of a perfect cache: each prompt once"
    )


def _searches(c: Comparison) -> str:
    left = f" {c.left_out} more were left out, because some method has not finished them." if c.left_out else ""
    size = f"{count(c.problems, 'problem')}, {count(c.seeds, 'seed')}, {count(c.searches, 'search', 'searches')}"
    return f"{size} for each method.{left}"


def _reading(c: Comparison) -> tuple[str, ...]:
    return (
        "Accuracy is the mean over problems of the mean grade over seeds; no answer counts as wrong.",
        "Resampled curves: the recorded samples are taken in random orders as long as they fit the budget (the prompt "
        "is paid once), and the method answers from those. That is unbiased; the order in which samples finish is not.",
        "Curves from proposals: the answer at a budget is the last one that the method had proposed within it.",
        f"Intervals ({c.level:.0%}): bootstrap over problems, whose seeds stay together (expanded percentile, "
        "arXiv:1411.5279). Where all problems agree: Wilson’s. Each is for one comparison by itself: the best of "
        "several methods looks a little better than it is.",
    )
