"""The papers that clew was planned by: what each does, what of it is here, and the command that shows it."""

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
"""The families of papers, in the order of the file, with their titles."""

STATUSES = {
    "works": "its claim is shown here by the command named",
    "partly": "some of it is here; what is missing is named",
    "absent": "nothing of it is here",
}
"""The statuses, from the most to the least."""


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper; the fields are those that `papers.toml` explains.

    arxiv: the id without `arXiv:`, or an empty text. where: what clew has of it. shows: commands, in order.
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
        """The arXiv id as it is cited, or an empty text."""
        return f"arXiv:{self.arxiv}" if self.arxiv else ""

    @property
    def words(self) -> str:
        """The text that `find_papers` searches, in small letters."""
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
    """The papers of this status that have all these words (or parts of words, in any case) in their title, summary,
    family, arXiv id or place in clew. What works comes first, what is absent last."""
    found = [
        paper
        for paper in all_papers()
        if status in (None, paper.status) and all(word.casefold() in paper.words for word in words)
    ]
    return sorted(found, key=lambda paper: list(STATUSES).index(paper.status))
