"""Writes docs/methods.md from the registry; with --check it only fails when the page is out of date."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from clew.registry import methods, scorers

PAGE = Path(__file__).parent.parent / "docs" / "methods.md"


def render() -> str:
    """The page as text."""
    lines = [
        "# Methods and scorers",
        "",
        "Generated from the registry by `tools/methods_doc.py`. Every method passes `clew.testing.check_method`:",
        "it stays inside any budget, is anytime, deterministic by seed, and survives a scorer that fails.",
    ]
    for title, registry in (("Methods", methods), ("Scorers", scorers)):
        lines += ["", f"## {title}"]
        entries = [e for e in registry if e.family != "testing" and e.make.__module__.startswith("clew.")]
        for family, group in groupby(sorted(entries, key=lambda e: (e.family, e.name)), key=lambda e: e.family):
            lines += ["", f"### {family}"]
            for entry in group:
                lines += ["", f"**`{entry.name}`** — {entry.summary}", ""]
                if entry.paper:
                    lines.append(f"- paper: {entry.paper}")
                if entry.parameters:
                    shown = ", ".join(f"`{name}={p.default!r}`" for name, p in entry.parameters.items())
                    lines.append(f"- parameters: {shown}")
                if entry.needs:
                    lines.append(f"- needs: {', '.join(sorted(entry.needs))}")
                if entry.departs:
                    lines.append(f"- departs from its paper: {entry.departs}")
                lines.append(f"- proved by: `{entry.proof}`")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or check it."""
    page = render()
    if "--check" in sys.argv:
        current = PAGE.read_text() if PAGE.exists() else ""
        if current != page:
            print("docs/methods.md is out of date; run: python tools/methods_doc.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
