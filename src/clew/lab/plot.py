"""Draws accuracy against budget, as a file or as SVG in the colours of the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clew.budget import AXES
from clew.errors import StoreError, UsageError, how_to_install
from clew.lab.comparison import Comparison, Row, amount
from clew.lab.notes import cut_text, notes
from clew.lab.palette import on_both

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# (on light, on dark). Told apart with every common colour blindness (after Okabe and Ito), and at least 3:1 against the
# page; the baseline is grey.
SERIES = tuple(zip(*on_both("series"), strict=True))
BASELINE = on_both("baseline")
INK = {name: on_both(name) for name in ("ink", "muted", "grid")}
PAGE = on_both("page")
_MARKERS = "os^DvPX"


def colours(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Method → its colour on a light and on a dark page. The baseline is grey."""
    others = [m for m in comparison.names if m != comparison.baseline]
    found = {m: SERIES[i % len(SERIES)] for i, m in enumerate(others)}
    return found | {comparison.baseline: BASELINE}


def drawable() -> bool:
    """Whether matplotlib is installed, without which there is no plot."""
    return find_spec("matplotlib") is not None


def write_plot(comparison: Comparison, path: str | Path) -> None:
    """Write the plot to a file.

    comparison: what `summarise` returned. path: its ending (.png, .svg, .pdf, …) chooses the format.

    Raises UsageError without matplotlib or for an unknown ending, StoreError where the file cannot be written.
    """
    path = Path(path)
    figure = _draw(comparison, title=True)
    endings = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix.lstrip(".") not in endings:
        raise UsageError(f"{path.name} does not have the ending of a picture", f"Choose one of {', '.join(endings)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=200)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror})", "Name another file") from error


def inline_svgs(comparison: Comparison) -> tuple[str, str]:
    """Two plots as `<svg>` elements: all methods in one, and a small one for each method, the others in grey.

    Their colours are the CSS variables `--ink`, `--muted`, `--grid`, `--page`, `--baseline` and `--s0` … of the page.

    Raises UsageError without matplotlib.
    """
    return _themed(_draw(comparison, title=False)), _themed(_draw_each(comparison))


def _themed(figure: Figure) -> str:
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "clew"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, count=1, flags=re.DOTALL)
    names = {light: f"--{name}" for name, (light, _) in INK.items()} | {PAGE[0]: "--page", BASELINE[0]: "--baseline"}
    names |= {light: f"--s{i}" for i, (light, _) in enumerate(SERIES)}
    # Replaced within style attributes only: the text of a label may look like a colour.
    return re.sub(
        r'(?<=style=")[^"]*',
        lambda style: re.sub(r"#[0-9a-f]{6}\b", lambda c: f"var({names[c[0]]})" if c[0] in names else c[0], style[0]),
        text,
    )


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a plot needs matplotlib, which is not installed", how_to_install("report")) from None
    return Figure(figsize=(width, height), facecolor=PAGE[0])


def _draw(comparison: Comparison, *, title: bool) -> Figure:
    c = comparison
    figure = _figure(9, 5.0 if title else 4.6)
    axes = figure.add_axes((0.065, 0.12, 0.66, 0.74 if title else 0.84))
    _scale(axes, c)
    ends: list[tuple[str, Row]] = []
    for i, method in enumerate(c.names):
        reached = [r for r in c.of(method) if r.reached]
        if reached:
            colour, dashed = colours(c)[method][0], method == c.baseline
            _line(axes, reached, colour, dashed, marker=_MARKERS[i % len(_MARKERS)], ms=6.5, mec=PAGE[0], mew=1.2)
            _band(axes, reached, colour, 0.07)
            ends.append((method, reached[-1]))
    front = [r for r in c.rows if r.pareto]
    axes.plot(
        [r.budget for r in front],
        [_percent(r.accuracy) for r in front],
        "o",
        ms=13,
        mfc="none",
        mec=INK["ink"][0],
        mew=1.1,
        zorder=5,
        clip_on=False,
    )
    _label_ends(axes, c, ends)
    if title:
        said = notes(c)
        figure.text(0.012, 0.955, said.title, size=14, weight="bold", color=INK["ink"][0])
        figure.text(0.012, 0.905, said.subtitle, size=9.5, color=INK["muted"][0], parse_math=False)
        key = f"○ Pareto front   shaded: {c.level:.0%} interval, clustered by problem"
        figure.text(0.988, 0.022, key, size=8.5, color=INK["muted"][0], ha="right")
    return figure


def _percent(value: float | None) -> float:
    return np.nan if value is None else 100 * value


def _scale(axes: Axes, c: Comparison) -> None:
    muted, grid = INK["muted"][0], INK["grid"][0]
    if _geometric(c.budgets):
        axes.set_xscale("log")
    pad = 1.06 if axes.get_xscale() == "log" else 1.0
    axes.set_xlim(
        c.budgets[0] / pad, c.budgets[-1] * pad if pad > 1 else c.budgets[-1] + 0.02 * np.ptp(c.budgets) + 1e-9
    )
    axes.set_xticks(c.budgets, [amount(b) for b in c.budgets])
    axes.minorticks_off()
    axes.set_xlabel(f"budget for one search, {AXES[c.axis].unit}", color=muted, size=9.5)
    axes.set_ylabel("accuracy, %", color=muted, size=9.5)
    axes.tick_params(colors=muted, length=0, pad=6, labelsize=9)
    axes.grid(axis="y", color=grid, lw=0.8)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(grid)
    highs = [r.interval.high for r in c.rows if r.interval] or [1.0]
    lows = [r.interval.low for r in c.rows if r.interval] or [0.0]
    axes.set_ylim(100 * max(0.0, min(lows) - 0.03), 100 * min(1.02, max(highs) + 0.03))


def _geometric(budgets: Sequence[float]) -> bool:
    """Whether the budgets are more evenly spaced on a logarithmic axis."""
    if len(budgets) < 3:
        return False

    def unevenness(values: Any) -> float:
        gaps = np.diff(values)
        return float(gaps.std() / gaps.mean())

    return unevenness(np.log(budgets)) < unevenness(budgets)


def _draw_each(comparison: Comparison) -> Figure:
    c = comparison
    columns = min(3, len(c.names))
    rows = -(-len(c.names) // columns)
    height = 2.35 * rows + 0.4
    figure = _figure(9, height)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(0.055, 0.3 / height, 0.985, 1 - 0.5 / height, wspace=0.1, hspace=0.42)
    lines = {m: [r for r in c.of(m) if r.reached] for m in c.names}
    for i, axes in enumerate(grid.flat):
        if i >= len(c.names):
            axes.set_visible(False)
            continue
        method = c.names[i]
        colour, dashed = colours(c)[method][0], method == c.baseline
        _scale(axes, c)
        axes.set_xlabel("")
        axes.set_ylabel("")
        axes.tick_params(labelsize=8, labelbottom=i + columns >= len(c.names))
        for other in c.names:
            if other != method:
                axes.plot(*_points(lines[other]), color=INK["muted"][0], alpha=0.35, lw=1, zorder=1)
        if lines[method]:
            _band(axes, lines[method], colour, 0.22)
            _line(axes, lines[method], colour, dashed)
        name, params = _short(method, 40)
        axes.set_title(
            name, loc="left", size=10, weight="bold", color=colour, pad=17 if params else 5, parse_math=False
        )
        axes.text(0, 1.03, params, transform=axes.transAxes, size=8, color=INK["muted"][0], parse_math=False)
    return figure


def _points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [r.budget for r in rows], [_percent(r.accuracy) for r in rows]


def _line(axes: Axes, rows: Sequence[Row], colour: str, dashed: bool, **marker: Any) -> None:
    style: Any = (0, (5, 2)) if dashed else "-"
    axes.plot(*_points(rows), color=colour, lw=2.2, ls=style, zorder=3, clip_on=False, **marker)


def _band(axes: Axes, rows: Sequence[Row], colour: str, alpha: float) -> None:
    low = [100 * r.interval.low for r in rows if r.interval]
    high = [100 * r.interval.high for r in rows if r.interval]
    axes.fill_between([r.budget for r in rows], low, high, color=colour, alpha=alpha, lw=0, zorder=1)


def _label_ends(axes: Axes, c: Comparison, ends: Sequence[tuple[str, Row]]) -> None:
    """Write each method's name at the end of its line, moved apart where names would touch, with a thin leader."""
    from scipy.optimize import isotonic_regression

    low, high = axes.get_ylim()
    order = sorted(ends, key=lambda e: e[1].accuracy or 0.0)
    gap = 0.085 * (high - low)
    wanted = np.array([_percent(r.accuracy) for _, r in order])
    steps = gap * np.arange(len(order))
    # The smallest moves that keep the order and leave a gap between names: an isotonic regression.
    room = np.clip(isotonic_regression(wanted - steps).x, low, max(low, high - (steps[-1] if len(order) else 0)))
    for (method, row), y, at in zip(order, wanted, room + steps, strict=True):
        colour = colours(c)[method][0]
        axes.annotate(
            "",
            xy=(row.budget, y),
            xycoords="data",
            xytext=(1.045, (at - low) / (high - low)),
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8, "alpha": 0.6, "shrinkA": 1, "shrinkB": 7},
            annotation_clip=False,
        )
        name, params = _short(method, 17)
        name += " (baseline)" if method == c.baseline else ""
        below = "  ".join(filter(None, [_figures(row), params]))
        for text, offset, size, shade in ((name, 0.022, 10.0, colour), (below, -0.022, 8.5, INK["muted"][0])):
            axes.text(
                1.05,
                (at - low) / (high - low) + offset,
                text,
                transform=axes.transAxes,
                color=shade,
                size=size,
                weight="bold" if shade == colour else "normal",
                va="center",
                parse_math=False,
            )


def _short(method: str, width: int) -> tuple[str, str]:
    """A method's name and its parameters, each cut to what fits beside a line."""
    name, _, params = method.partition("?")
    return cut_text(name, 24), cut_text(params.replace("&", ", ").replace('"', ""), width)


def _figures(row: Row) -> str:
    if row.interval is None:
        return ""
    return f"{_percent(row.accuracy):.0f} %  [{100 * row.interval.low:.0f}–{100 * row.interval.high:.0f}]"
