"""A comparison as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clew.budget import AXES
from clew.lab.comparison import Comparison, amount
from clew.lab.stats import Interval

if TYPE_CHECKING:
    from rich.table import Table


def render_table(comparison: Comparison) -> Table:
    """A comparison as a table for the terminal (rich).

    A row has a method's accuracy in percent at each budget with its interval below, the difference to the baseline at
    the greatest budget that both reach, and the tokens and seconds that were spent by the greatest budget.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    c = comparison
    notes = [
        f"{c.problems} problems × {c.seeds} {'seed' if c.seeds == 1 else 'seeds'}",
        f"{c.level:.0%} intervals by problem",
        "* on the Pareto front",
    ]
    if not all(r.reached for r in c.rows):
        notes.append("– not reached by what was recorded")
    if c.uncached:
        notes.append(f"tokens as billed: {', '.join(c.uncached)} was not seen to cache prompts")
    if c.left_out:
        notes.append(f"{c.left_out} pairs of problem and seed left out, because a method has not finished them")
    table = Table(
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
        title=Text(f"Accuracy in percent at equal {AXES[c.axis].unit}", "bold"),
        caption=Text("; ".join(notes)),
    )
    # A label with parameters may be longer than the line: it is folded, but never into a column of single letters.
    table.add_column("method", overflow="fold", min_width=min(26, max(map(len, c.names))))
    short = f"vs {c.baseline}" if len(c.baseline) <= 12 else "vs first" if c.baseline == c.names[0] else "vs baseline"
    for head in (*map(amount, c.budgets), short, "tokens", "seconds"):
        table.add_column(Text(head), justify="right", no_wrap=True)
    for name in c.names:
        rows = c.of(name)
        cells = [Text(name, "bold" if name == c.baseline else "")]
        for r in rows:
            cells.append(_cell(r.accuracy, r.interval, star=r.pareto))
        last = next((r for r in reversed(rows) if r.reached), None)
        compared = next((r for r in reversed(rows) if r.difference is not None), None)
        cells.append(_cell(compared.difference, compared.difference_interval, signed=True) if compared else Text("–"))
        for axis in ("tokens", "seconds"):
            cells.append(Text(amount(last.used[axis]) if last else "–"))
        table.add_row(*cells)
    return table


def _cell(value: float | None, interval: Interval | None, *, star: bool = False, signed: bool = False) -> Any:
    from rich.text import Text

    if value is None or interval is None:
        return Text("–", "dim")
    sign = "+" if signed else ""
    low, high = (f"{round(100 * x):{sign}d}" for x in interval)
    text = Text(f"{round(100 * value):{sign}d}{'*' if star else ''}", "bold" if star else "")
    return text.append(f"\n{low}…{high}", "dim not bold")
