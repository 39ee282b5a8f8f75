"""Writes the table "Which method to take" of docs/search.md from `advice.toml`; with --check it only compares."""

from __future__ import annotations

import sys

from pages import ROOT, keep

from clew.lab.advice import rendered, table


def page() -> str:
    """docs/search.md with the table as it is now."""
    text = (ROOT / "docs" / "search.md").read_text()
    begin = text.index("| you have | take | reason |")
    return text[:begin] + rendered(table()) + text[text.index("\n\n", begin) :]


if __name__ == "__main__":
    sys.exit(keep("search.md", page()))
