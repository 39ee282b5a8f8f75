"""Corruptions of reasoning, with which to test whether the answer depends on it (arXiv:2307.13702)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clew.sampling import GREEDY
from clew.search import Search

Rng = np.random.Generator
Corruption = Callable[[Sequence[str], Rng], list[str] | None]
"""(steps with their white space, random generator) → corrupted steps; None where there is nothing to corrupt."""

FILLER = " ..."
"""What replaces words in `filler`."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"\b[^\W\d_]{4,}\b")
_COMMON = frozenset(
    {"that", "this", "then", "than", "with", "from", "have", "there", "they", "them", "their", "what", "which", "when"}
    | {"will", "would", "could", "should", "because", "therefore", "thus", "also", "into", "some", "each", "more"}
)


def wrong_number(steps: Sequence[str], rng: Rng) -> list[str] | None:
    """Change one number at one place, both chosen at random."""
    places = [(i, m) for i, step in enumerate(steps) for m in _NUMBER.finditer(step)]
    if not places:
        return None
    at, match = places[int(rng.integers(len(places)))]
    old = match.group()
    shift = int(rng.choice([-3, -2, -1, 1, 2, 3, 10]))
    new = str(abs(int(old) + shift) if "." not in old else round(abs(float(old) + shift), 6))
    new = new if new != old else f"{old}1"
    changed = list(steps)
    changed[at] = steps[at][: match.start()] + new + steps[at][match.end() :]
    return changed


def deleted_keyword(steps: Sequence[str], rng: Rng) -> list[str] | None:
    """Delete one content word, chosen at random."""
    places = [(i, m) for i, s in enumerate(steps) for m in _WORD.finditer(s) if m.group().lower() not in _COMMON]
    if not places:
        return None
    at, match = places[int(rng.integers(len(places)))]
    changed = list(steps)
    changed[at] = steps[at][: match.start()] + steps[at][match.end() :].lstrip(" ")
    return changed


def shuffled_steps(steps: Sequence[str], rng: Rng) -> list[str] | None:
    """Put the steps in another order; None for fewer than two different ones."""
    if len({s.strip() for s in steps}) < 2:
        return None
    while True:
        said = [steps[i].strip() for i in rng.permutation(len(steps))]
        if said != [s.strip() for s in steps]:
            # The white space of each position stays, so that the text ends as it did before.
            return [_edges(old)[0] + new + _edges(old)[1] for old, new in zip(steps, said, strict=True)]


def _edges(step: str) -> tuple[str, str]:
    return step[: len(step) - len(step.lstrip())], step[len(step.rstrip()) :] if step.strip() else ""


def truncated(steps: Sequence[str], rng: Rng) -> list[str] | None:
    """Keep only the first steps: a random number of them, from none to all but one."""
    return list(steps[: int(rng.integers(len(steps)))]) if steps else None


def filler(steps: Sequence[str], rng: Rng) -> list[str] | None:
    """Replace the words by dots of the same length: an effect that remains is one of tokens, not of their meaning."""
    return [FILLER * max(1, len(step) // len(FILLER)) + _edges(step)[1] for step in steps] or None


CORRUPTIONS: Mapping[str, Corruption] = {
    "wrong_number": wrong_number,
    "deleted_keyword": deleted_keyword,
    "shuffled_steps": shuffled_steps,
    "truncated": truncated,
    "filler": filler,
}
"""Name → corruption. `paraphrased`, which asks a model, is not among them."""

_PARAPHRASE = """Say the following in other words. Keep every number and name. Write nothing else.

{step}"""


async def paraphrased(search: Search, steps: Sequence[str]) -> list[str]:
    """Have the model of the role `judge` paraphrase each step: the control, which should change no answer.

    A step whose paraphrase has other numbers is kept as it was.
    """
    replies = await search.together(
        *(search.ask(_PARAPHRASE.format(step=s.strip()), sampling=GREEDY, max_tokens=200) for s in steps)
    )
    found = []
    for step, nodes in zip(steps, replies, strict=True):
        said = nodes[0].solution.strip()
        kept = said and sorted(_NUMBER.findall(said)) == sorted(_NUMBER.findall(step))
        before, after = _edges(step)
        found.append(before + said + after if kept else step)
    return found
