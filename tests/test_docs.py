"""What the docs say is what the project does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from clew.registry import methods, scorers
from clew.store.format import SCHEMA_VERSION, STATS, columns

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("tool", ["methods_doc", "papers_doc"])
def test_a_generated_page_is_up_to_date(tool: str) -> None:
    command = [sys.executable, f"tools/{tool}.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", [*methods, *scorers], ids=lambda e: e.name)
def test_every_method_and_scorer_names_a_test_that_exists(entry: object) -> None:
    if entry.family == "testing":  # type: ignore[attr-defined]
        return
    path, _, name = entry.proof.partition("::")  # type: ignore[attr-defined]
    assert path and (ROOT / path).is_file(), f"no test at {path!r}"
    assert not name or f"def {name}" in (ROOT / path).read_text(), f"{path} has no {name}"


PAGES = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_the_page_on_run_files_describes_every_table_column_and_array() -> None:
    page = (ROOT / "docs/traces.md").read_text()
    described = {}
    for table, cell in re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page, re.MULTILINE):
        while cell != (bare := re.sub(r"\([^()]*\)", "", cell)):
            cell = bare
        described[table] = re.findall(r"`(\w+)`", cell)
    assert {table: described.get(table) for table in columns()} == {table: [*of] for table, of in columns().items()}
    assert f"now **{SCHEMA_VERSION}**" in page
    assert all(f"`{name}`" in page for name in STATS)
