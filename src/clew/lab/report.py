"""Writes a comparison as one HTML file that needs neither a network nor a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

from clew.budget import AXES
from clew.errors import StoreError, how_to_install
from clew.lab.comparison import Comparison, Estimate, Row, amount
from clew.lab.notes import cut_text, notes, percent, reach, span
from clew.lab.palette import on_both
from clew.lab.plot import SERIES, drawable, inline_svgs
from clew.lab.power import told
from clew.problem import is_right
from clew.result import Result

EXAMPLES = 5
_LONGEST = 4000


def write_report(
    comparison: Comparison,
    path: str | Path,
    *,
    results: Sequence[Result] = (),
    again: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the report: the tables of a comparison, its plot, and some problems with the answer of each method.

    Without matplotlib the report has no plot, and says so. The file appears whole or not at all.

    comparison: what `summarise` returned. path: of the HTML file.
    results: searches from which examples are taken; without them the report has none.
    again: what it takes to run this again (`clew.lab.reproduce.reproduction`).

    Raises StoreError where it cannot be written.
    """
    path = Path(path)
    whole = page(comparison, results, again)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(whole, encoding="utf-8", errors="replace")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise StoreError(f"{path} cannot be written ({error.strerror})", "Name another file by --report") from error


def page(c: Comparison, results: Sequence[Result] = (), again: Sequence[tuple[str, str]] = ()) -> str:
    """The report as HTML (see `write_report`)."""
    said = notes(c)
    sections = [
        f"<h1>{escape(said.title)}</h1>",
        f'<p class="sub">{escape(said.subtitle)}</p>',
        f'<p class="finding">{escape(said.finding)}</p>',
        *_plots(c, said.figure),
        "<h2>Accuracy</h2>",
        _note(said.accuracy),
        _table(["method", *_budget_heads(c)], [[_name(c, m), *map(_accuracy, c.of(m))] for m in c.names]),
        _differences(c, said.difference),
        _list(told(c)) if len(c.names) > 1 else "",
        "<h2>What was spent</h2>",
        _note(said.spent),
        _spent(c),
        _per_k(c, said.samples),
        "<h2>What was held equal</h2>",
        _list(c.held_equal),
        f"<p>{escape(said.searches)}</p>",
        _examples(c, results),
        _again(again),
        "<h2>How to read this</h2>",
        _list(said.reading),
        "<footer>Written by clew. This file is self-contained.</footer>",
    ]
    css = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(said.subtitle)} – clew</title><style>{_variables()}{css}</style></head>\n"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _again(facts: Sequence[tuple[str, str]]) -> str:
    if not facts:
        return ""
    rows = [[escape(what), f"<code>{escape(fact)}</code>"] for what, fact in facts]
    return "<h2>To run it again</h2>" + _table(["", ""], rows)


def _variables() -> str:
    names = ("ink", "muted", "grid", "page", "baseline", "raised", "rule", "good", "bad")
    pairs = {f"--{name}": on_both(name) for name in names} | {f"--s{i}": pair for i, pair in enumerate(SERIES)}
    light, dark = ("".join(f"{k}:{v[i]};" for k, v in pairs.items()) for i in (0, 1))
    return f":root{{{light}}}@media (prefers-color-scheme: dark){{:root{{{dark}}}}}"


def _budget_heads(c: Comparison) -> list[str]:
    return [amount(b) for b in c.budgets]


def _plots(c: Comparison, caption: str) -> list[str]:
    if not drawable():
        return [f'<p class="note">Without a plot, which needs matplotlib. {escape(how_to_install("report"))}</p>']
    together, each = inline_svgs(c)
    more = [_figure(each, "Each method with its interval; the others in grey.")] if len(c.names) > 1 else []
    return [_figure(together, caption), *more]


def _figure(svg: str, caption: str) -> str:
    svg = svg.replace("<svg ", f'<svg class="clew-plot" role="img" aria-label="{escape(caption)}" ', 1)
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML. heads: plain text. rows: cells of HTML that is escaped already."""
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _colour(c: Comparison, method: str) -> str:
    if method == c.baseline:
        return "var(--baseline)"
    others = [m for m in c.names if m != c.baseline]
    return f"var(--s{others.index(method) % len(SERIES)})"


def _name(c: Comparison, method: str) -> str:
    note = "<small>baseline</small>" if method == c.baseline else ""
    return f'<span class="key" style="--c:{_colour(c, method)}"></span>{escape(method)}{note}'


def _accuracy(row: Row) -> str:
    if row.interval is None:
        return "–"
    value = f"<b>{percent(row.accuracy)}</b>"
    return (f'<span class="ring">{value}</span>' if row.pareto else value) + f"<small>{span(row.interval)}</small>"


def _differences(c: Comparison, note: str) -> str:
    others = [m for m in c.names if m != c.baseline]
    if not others:
        return ""
    widest = reach(c)

    def cell(row: Row) -> str:
        if row.difference is None or row.difference_interval is None:
            return "–"
        low, high = row.difference_interval
        x = [50 + 48 * v / widest for v in (low, row.difference, high)]
        bar = (
            f'<svg class="ci" style="--c:{_colour(c, row.method)}" viewBox="0 0 100 16" preserveAspectRatio="none" '
            f'aria-hidden="true"><line class="zero" x1="50" x2="50" y1="0" y2="16"/>'
            f'<line class="bar" x1="{x[0]:.1f}" x2="{x[2]:.1f}" y1="8" y2="8"/>'
            f'<ellipse cx="{x[1]:.1f}" cy="8" rx="3" ry="4.5"/></svg>'
        )
        shade = ' class="clear"' if low > 0 or high < 0 else ""
        value = f"<span{shade}>{percent(row.difference, '+')}</span>"
        return f"{value}{bar}<small>{span(row.difference_interval, '+')}</small>"

    rows = [[_name(c, m), *(cell(r) for r in c.of(m))] for m in others]
    return f"<h2>Difference to {escape(c.baseline)}</h2>" + _note(note) + _table(["method", *_budget_heads(c)], rows)


def _spent(c: Comparison) -> str:
    axes = [a for a in AXES if any(m.used[a] for m in c.methods)]
    rows = []
    for m in c.methods:
        ratio = "–" if m.prefill_ratio is None else f"{m.prefill_ratio:.2f}"
        how = "resampled" if m.resampled else "proposals"
        rows.append(
            [
                _name(c, m.method),
                *(amount(m.used[a]) for a in axes),
                *([amount(m.logical)] if c.uncached else []),
                f"{m.samples:.1f}" if m.samples else "–",
                ratio,
                how,
            ]
        )
    by_budget = [[_name(c, r.method), amount(r.budget), *(amount(r.used[a]) for a in axes)] for r in c.rows if r.used]
    units = [AXES[a].unit for a in axes]
    return (
        _table(["method", *units, *(["tokens (logical)"] if c.uncached else []), "samples", "prefill", "curve"], rows)
        + "<details><summary>By budget</summary>"
        + _table(["method", "budget", *units], by_budget)
        + "</details>"
    )


def _per_k(c: Comparison, note: str) -> str:
    kept = [m for m in c.methods if m.pass_at]
    if not kept:
        return ""
    ks = sorted({k for m in kept for k in m.pass_at})

    def line(name: str, values: Mapping[int, Estimate]) -> list[str]:
        cells = [values.get(k) for k in ks]
        return [
            name,
            *("–" if e is None else f"<b>{percent(e.value)}</b><small>{span(e.interval)}</small>" for e in cells),
        ]

    heads = ["method", *(f"k = {k}" for k in ks)]
    return (
        "<h2>pass@k and maj@k of the samples</h2>"
        + _note(note)
        + _table(["pass@k", *heads[1:]], [line(_name(c, m.method), m.pass_at) for m in kept])
        + _table(["maj@k", *heads[1:]], [line(_name(c, m.method), m.maj_at) for m in kept])
    )


def _examples(c: Comparison, results: Sequence[Result]) -> str:
    groups: dict[str, list[Result]] = {}
    for r in results:
        group = groups.setdefault(r.problem.id, [])
        if not r.error and r.method in c.names and (not group or group[0].seed == r.seed):
            group.append(r)
    # Problems on which the methods disagree come first: they show what the methods differ in.
    full = [g for g in groups.values() if g]
    shown = sorted(full, key=lambda g: -len({r.grade for r in g}))[:EXAMPLES]
    if not shown:
        return ""
    return "<h2>Examples</h2>" + "".join(_example(c, group) for group in shown)


def _example(c: Comparison, group: Sequence[Result]) -> str:
    problem = group[0].problem
    rows = []
    for r in sorted(group, key=lambda r: c.names.index(r.method)):
        grade = r.grade or 0.0
        mark = (
            '<span class="right">✓</span>'
            if is_right(grade)
            else '<span class="wrong">✗</span>'
            if grade <= 0
            else f"{grade:.2f}"
        )
        text = (
            f"<details><summary>its solution</summary><pre>{_cut(r.answer.text)}</pre></details>"
            if r.answer.text
            else ""
        )
        rows.append([_name(c, r.method), f"{mark} {_cut(str(r))}{text}", amount(r.usage.total.tokens)])
    reference = "" if problem.reference is None else f" · reference: {_cut(problem.reference)}"
    return (
        f'<div class="problem"><p>{_cut(problem.question)}</p>'
        f'<p class="note">{escape(problem.id)} · seed {group[0].seed}{reference}</p>'
        + _table(["method", "answer", "tokens"], rows)
        + "</div>"
    )


def _cut(text: str) -> str:
    return escape(cut_text(text, _LONGEST))


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _note(said: str) -> str:
    return f'<p class="note">{escape(said)}</p>'
