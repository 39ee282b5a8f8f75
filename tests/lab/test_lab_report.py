"""The report as a reader's browser gets it: whole, self-contained, and safe from what a model wrote."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from clew.budget import Budget
from clew.errors import StoreError, UsageError
from clew.lab.compare import summarise
from clew.lab.comparison import Comparison
from clew.lab.notes import finding
from clew.lab.plot import write_plot
from clew.lab.report import write_report
from clew.result import Result
from support.results import problem, sampled, stamped

HOSTILE = """<script>document.title="owned"</script><img src=x onerror=alert(1)> & "q" 'r' $\\frac{a}{b}$ \ud800"""


def compared(hostile: str = "") -> tuple[Comparison, list[Result]]:
    results = []
    for i in range(6):
        asked = problem(f"p{i}{hostile}", "yes", f"Is {i} it? {hostile}", family=f"toy{hostile}")
        results.append(stamped([("yes" if i % 2 else f"no{hostile}", 20)], of=asked, budget=Budget(tokens=90)))
        results.append(sampled([("yes", 10)] * 3, of=asked, budget=Budget(tokens=90)))
        named = stamped([(None, 15)], of=asked, budget=Budget(tokens=90))
        results.append(replace(named, method=f"mine?x={hostile.replace('&', '')}"))
    return summarise(results, budgets=(20, 40, 80)), results


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read(path: Path) -> Tags:
    tags = Tags()
    tags.feed(path.read_text(encoding="utf-8"))
    return tags


def test_the_report_stands_alone(tmp_path: Path) -> None:
    comparison, results = compared()
    path = tmp_path / "new" / "report.html"
    write_report(comparison, path, results=results)
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    tags = read(path)
    assert not {"script", "link", "iframe", "img", "object"} & set(tags.opened)
    references = [v or "" for k, v in tags.attributes if k in ("src", "href", "xlink:href")]
    assert all(v.startswith("#") for v in references)
    assert "@import" not in tags.text and not re.search(r"url\((?!#)", path.read_text())
    for said in (
        "Accuracy at equal tokens",
        "What was held equal",
        "6 problems, 1 seed",
        "pass@k",
        "Is 3 it?",
        "greedy",
    ):
        assert said in tags.text
    assert "prefers-color-scheme: dark" in path.read_text()
    # Every colour of the drawings follows the page.
    styles = " ".join(v or "" for k, v in tags.attributes if k == "style")
    assert "var(--s0)" in styles and not re.search(r"#[0-9a-f]{6}", styles)


def test_hostile_text_is_shown_as_text(tmp_path: Path) -> None:
    comparison, results = compared(HOSTILE)
    write_report(comparison, tmp_path / "report.html", results=results)
    tags = read(tmp_path / "report.html")
    assert not {"script", "img"} & set(tags.opened)
    assert not any(k.startswith("on") for k, _ in tags.attributes)
    assert '<script>document.title="owned"</script>' in tags.text
    write_plot(comparison, tmp_path / "plot.png")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_browser_opens_it(tmp_path: Path) -> None:
    comparison, results = compared(HOSTILE)
    path = tmp_path / "report.html"
    write_report(comparison, path, results=results)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    done = subprocess.run(
        ["chromium", *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "<title>owned</title>" not in done.stdout
    assert done.stdout.count("<svg") >= 2
    assert "How to read this" in done.stdout


def test_a_report_without_results_or_rivals(tmp_path: Path) -> None:
    comparison = summarise([sampled([("yes", 10)])], budgets=(40,))
    write_report(comparison, tmp_path / "report.html")
    text = read(tmp_path / "report.html").text
    assert "Examples" not in text and "Difference to" not in text
    unreached = summarise([sampled([("yes", 10)], budget=Budget(tokens=30))], budgets=(40,))
    write_report(unreached, tmp_path / "report.html")
    assert "No recording reaches" in read(tmp_path / "report.html").text


def test_the_finding_does_not_claim_what_the_data_do_not_show() -> None:
    comparison, _ = compared()
    assert "self_consistency solves 100 % of the problems" in finding(comparison)
    even = [stamped([("yes", 5)], of=problem(f"p{i}")) for i in range(4)]
    other = [stamped([("yes" if i else "no", 5)], of=problem(f"p{i}"), method="sample") for i in range(4)]
    assert "the data do not tell the two apart" in finding(summarise([*other, *even], budgets=(40,)))


@pytest.mark.parametrize("axis", ["generated", "calls", "seconds", "flops", "usd"])
def test_every_axis_can_be_drawn(axis: str, tmp_path: Path) -> None:
    _, results = compared()
    top = max(r.usage.along(axis) for r in results)
    write_report(summarise(results, budgets=(top / 4, top / 2, top), axis=axis), tmp_path / "report.html")
    assert "FLOPs" in read(tmp_path / "report.html").text


def test_pictures(tmp_path: Path) -> None:
    comparison, _ = compared()
    write_plot(comparison, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="the ending of a picture"):
        write_plot(comparison, tmp_path / "plot.exe")


def test_an_unwritable_place_is_one_clear_line(tmp_path: Path) -> None:
    comparison, _ = compared()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        write_report(comparison, tmp_path / "file" / "report.html")
    with pytest.raises(StoreError, match="cannot be written"):
        write_plot(comparison, tmp_path / "file" / "plot.png")
