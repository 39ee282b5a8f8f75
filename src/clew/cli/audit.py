"""The command that measures scorers on the solutions of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clew.cli.options import RUN, Examples
from clew.cli.output import echo, print_json, to_stderr, to_stdout

if TYPE_CHECKING:
    from rich.table import Table

    from clew.lab.audit import Audit, Audited, Estimate


@click.command(
    cls=Examples,
    examples=(
        "clew audit self_certainty group_confidence length random --run runs/demo.db",
        "clew audit p_true 'expected_score?levels=10' pairwise --run runs/demo.db --model smollm2-135m",
        "clew audit vote_share self_certainty --run runs/demo.db --json",
    ),
)
@click.argument("scorers", nargs=-1, required=True)
@click.option("--run", required=True, type=RUN, help="A run with searches that drew independent solutions.")
@click.option("-m", "--model", default=None, help="Whose opinion judges ask (default: the run's own model).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def audit(scorers: tuple[str, ...], run: Path, model: str | None, as_json: bool) -> None:
    """Measure what scorers are worth inside a search, on the solutions of a run, and what they cost.

    Every solution of searches such as self_consistency and best_of_n is scored anew; the run file stays as it is. A
    problem is a cluster in every interval. Accuracy is that of best-of-N and of the weighted vote, for as many
    solutions as can be scored with the tokens of all N, beside the plain vote that spends them all on solutions."""
    from clew.lab.audit import audit as audited
    from clew.lab.drawn import gather

    with to_stderr().status("scoring") as status:
        drawn = gather(run, scorers, model=model, on_progress=lambda i, n: status.update(f"scored {i} of {n} searches"))
    found = audited(run, drawn)
    if as_json:
        print_json(as_data(found))
        return
    console = to_stdout()
    console.print(_opinions(found))
    console.print(_answers(found))
    for line in _lines(found):
        echo(line)


def as_data(found: Audit) -> dict[str, Any]:
    """Plain data for JSON."""
    return asdict(found) | {"run": str(found.run)}


def _percent(estimate: Estimate, *, signed: bool = False) -> str:
    if estimate.value is None or estimate.interval is None:
        return "–"
    low, high = (100 * bound for bound in estimate.interval)
    sign = "+" if signed else ""
    return f"{100 * estimate.value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _opinions(found: Audit) -> Table:
    """How well each scorer tells right from wrong."""
    from rich.text import Text

    table = _empty(
        f"{found.run}: {found.problems} problems, {found.n} solutions each. Right above wrong, in percent of pairs",
        ("AUROC", "pooled", "length taken out", "ρ length", "ECE", "passes wrong", "fails right", "missing"),
    )
    for each in found.scorers:
        table.add_row(
            Text(each.scorer),
            _percent(each.auroc),
            _plain(each.pooled),
            _plain(each.auroc_without_length.value),
            "–" if each.length.value is None else f"{each.length.value:+.2f}",
            "–" if each.ece is None else f"{each.ece:.2f}",
            _plain(each.false_positives),
            _plain(each.false_negatives),
            _plain(each.missing),
        )
    return table


def _answers(found: Audit) -> Table:
    """What each scorer makes of the tokens."""
    from rich.text import Text

    table = _empty(
        f"Accuracy in percent for the tokens of {found.n} solutions",
        ("tokens each", "best", "weighted", "vote", "gain", "q", "would show", "needs"),
    )
    for each in found.scorers:
        table.add_row(
            Text(each.scorer),
            f"{each.price:.0f}",
            _plain(each.best.value),
            _plain(each.weighted.value),
            _plain(each.vote.value),
            _percent(each.gain, signed=True),
            f"{each.q:.2f}",
            f"{100 * each.effect:.1f}" if each.effect else "–",
            f"{each.problems:,}" if each.problems else "–",
        )
    return table


def _empty(title: str, headings: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(header_style="dim", box=None, title=title, title_justify="left")
    table.add_column("scorer", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def _plain(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _lines(found: Audit) -> list[str]:
    lines = [
        f"Without a scorer: one solution {_percent(found.random)}, the vote of all {_percent(found.vote)}. "
        f"One that is never wrong: {_percent(found.oracle)}.",
        "gain: the better one of best and weighted, over the vote that spends the scorer's tokens on more solutions. "
        "would show: the least gain, in points, that so many problems show in four of five audits; "
        "needs: how many problems would show this gain.",
    ]
    lines += [_resampling(each) for each in found.scorers if each.limit is not None]
    if found.advice is None:
        return [*lines, "No advice: it takes 4 problems to choose on one half and measure on the other."]
    advice = found.advice
    return [
        *lines,
        f"Advice, chosen on one half of the problems and measured on the other: {advice.rule}, "
        f"{_percent(advice.accuracy)}; the vote {_percent(advice.vote)}.",
    ]


def _resampling(each: Audited) -> str:
    """What sampling until the scorer passes a solution comes to."""
    told = (
        f"{cost:g}: {'without end' if tries is None else 'none' if tries == 0 else tries}"
        for cost, tries in each.tries.items()
    )
    return (
        f"{each.scorer}: sampling until it passes a solution (resample_until_pass) tends to {_plain(each.limit)} "
        f"percent right. Best number of tries where a wrong answer costs so many right ones: {', '.join(told)}."
    )
