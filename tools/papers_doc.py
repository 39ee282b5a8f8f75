"""Writes docs/papers.md from src/clew/lab/papers.toml; with --check it only fails when the page is out of date."""

from __future__ import annotations

import sys
from collections import Counter

from pages import keep

from clew.lab.papers import FAMILIES, STATUSES, Paper, all_papers


def render() -> str:
    """The page as text."""
    papers = all_papers()
    lines = [
        "# Papers",
        "",
        "Generated from `src/clew/lab/papers.toml` by `tools/papers_doc.py`. The papers that clew was planned by,",
        "and those of its methods and scorers: what each does, and what of it is here. `clew list papers WORDS`",
        "finds them by title, summary, family, arXiv id or place in clew; `--status works|partly|absent` selects.",
        "`where` names methods and scorers ([methods.md](methods.md)), tasks ([tasks.md](tasks.md),",
        "[puzzles.md](puzzles.md)), measures of `clew stats` ([analysis.md](analysis.md)), commands, and names of",
        "the package; below it stands what is missing.",
        "",
        *(f"- **{status}**: {meaning}." for status, meaning in STATUSES.items()),
        "",
        f"| family | papers | {' | '.join(STATUSES)} |",
        f"|---|{'---|' * (1 + len(STATUSES))}",
        *(
            _counts(f"[{title}](#{_anchor(title)})", [p for p in papers if p.family == family])
            for family, title in FAMILIES.items()
        ),
        _counts("all", papers),
    ]
    for family, title in FAMILIES.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| paper | what it does | | where, and what is missing | shown by |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(paper) for paper in papers if paper.family == family]
    return "\n".join(lines) + "\n"


def _counts(name: str, papers: list[Paper]) -> str:
    counts = Counter(paper.status for paper in papers)
    return f"| {name} | {len(papers)} | {' | '.join(str(counts[status]) for status in STATUSES)} |"


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def _row(paper: Paper) -> str:
    title = f"{paper.title} ([{paper.source}](https://arxiv.org/abs/{paper.arxiv}))" if paper.arxiv else paper.title
    missing = f"missing: {paper.missing}" if paper.missing else ""
    where = "<br>".join(filter(None, (", ".join(f"`{place}`" for place in paper.where), missing)))
    cells = (title, paper.what, paper.status, where, "<br>".join(f"`{command}`" for command in paper.shows))
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(keep("papers.md", render()))
