"""Writes docs/methods.md from the registry; with --check it only fails when the page is out of date."""

from __future__ import annotations

import sys
from itertools import groupby

from pages import keep

from clew.registry import methods, scorers


def render() -> str:
    """The page as text."""
    lines = [
        "# Methods and scorers",
        "",
        "Generated from the registry by `tools/methods_doc.py`. Every method passes `clew.testing.check_method`:",
        "it stays inside any budget, is anytime, deterministic by seed, and survives a scorer that fails.",
        "[papers.md](papers.md) lists the papers, with what is not here yet.",
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


if __name__ == "__main__":
    sys.exit(keep("methods.md", render()))
