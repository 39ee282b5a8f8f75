"""The papers behind clew: what each does, what of it is implemented, and the command that shows its claim."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

FAMILIES = {
    "sample": "Sampling and voting",
    "search": "Search",
    "sequential": "Revision and longer thinking",
    "adaptive": "Spending by difficulty",
    "score": "Scorers, judges, confidence",
    "trace": "Traces",
    "task": "Tasks and benchmarks",
    "speed": "Speed",
    "steer": "Hidden states and steering",
    "train-rl": "Training by reinforcement",
    "train-sft": "Training on traces",
    "agent": "Agents, memory, retrieval",
    "vision": "Pictures and speech",
    "diffusion": "Diffusion",
    "optim": "Optimisation and statistics",
    "pretraining": "Pretraining",
}
"""Family of papers → its title, in the order of the file."""

STATUSES = {
    "works": "its claim is shown here by the command named",
    "partly": "some of it is here; what is missing is named",
    "absent": "nothing of it is here",
}
"""Status → its meaning, the most complete first."""


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper, as `papers.toml` describes it.

    status: one of `STATUSES`.
    title: of the paper.
    family: one of `FAMILIES`.
    fit: `core` for a method or measure that clew is made for, `touched` for one of a neighbouring field.
    what: what it does, in a line.
    arxiv: the id without `arXiv:`; empty where there is none.
    where: what clew has of it.
    missing: what clew lacks of it.
    shows: commands that show its claim, in order.
    """

    status: str
    title: str
    family: str
    fit: str
    what: str
    arxiv: str = ""
    where: tuple[str, ...] = ()
    missing: str = ""
    shows: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The arXiv id as it is cited; empty where there is none."""
        return f"arXiv:{self.arxiv}" if self.arxiv else ""

    @property
    def words(self) -> str:
        """The text that `find_papers` searches, in lower case."""
        return " ".join((self.title, self.what, self.family, self.source, *self.where)).casefold()


def all_papers() -> list[Paper]:
    """All papers, by family and title."""
    table = tomllib.loads((files("clew.lab") / "papers.toml").read_text("utf-8"))
    rows: list[dict[str, Any]] = table["paper"]
    parts: list[dict[str, Any]] = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
    ]
    return [Paper(**part) for part in parts]


def find_papers(words: Sequence[str] = (), status: str | None = None) -> list[Paper]:
    """Find papers by words and status, those that work first and those that are absent last.

    words: each must occur, in any case and also within a word, in the title, the summary, the family, the arXiv id or
        the places in clew.
    status: one of `STATUSES`; None for any.
    """
    found = [
        paper
        for paper in all_papers()
        if status in (None, paper.status) and all(word.casefold() in paper.words for word in words)
    ]
    return sorted(found, key=lambda paper: list(STATUSES).index(paper.status))
