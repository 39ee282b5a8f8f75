"""How often segmentation and the rule tagger are right on the hand-marked excerpts in tests/analysis/marked.

python tests/support/marks.py [--json] [--errors] [--judge MODEL]

`dev` is what the rules were written beside; `held` was marked before and never looked at while writing them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from clew.analysis.agreement import MatchCounts, kappa, matched
from clew.analysis.behaviours import JudgeTagger, tag_step
from clew.analysis.rules import BEHAVIOURS
from clew.analysis.segment import Span, sentences, steps, thoughts
from clew.budget import Budget
from clew.models import load
from clew.problem import Message, Problem
from clew.search import GENERATE, Search

FOLDER = Path(__file__).parent.parent / "analysis" / "marked"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A marked text. Each list holds the character at which a sentence, step or thought begins (the first left out)."""

    id: str
    kind: str
    text: str
    sentences: list[int]
    steps: list[int]
    thoughts: list[int]
    tags: list[frozenset[str]]


def excerpts(name: str) -> list[Excerpt]:
    """The excerpts of one file, `dev` or `held`."""
    return [_excerpt(record) for record in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))]


def _excerpt(record: dict[str, Any]) -> Excerpt:
    at = 0
    starts: dict[str, list[int]] = {"sentences": [], "steps": [], "thoughts": []}
    for step in record["steps"]:
        starts["steps"].append(at)
        if step.get("switch"):
            starts["thoughts"].append(at)
        for sentence in step["sentences"]:
            starts["sentences"].append(at)
            at += len(sentence)
    text = "".join(s for step in record["steps"] for s in step["sentences"])
    inner = {k: [v for v in values if v > 0] for k, values in starts.items()}
    return Excerpt(record["id"], record["kind"], text, **inner, tags=[frozenset(s["tags"]) for s in record["steps"]])


LEVELS: dict[str, Callable[[str], list[Span]]] = {"sentences": sentences, "steps": steps, "thoughts": thoughts}


def boundaries(excerpt: Excerpt, level: str) -> MatchCounts:
    """Where `level` begins, found against marked."""
    return matched((s.start for s in LEVELS[level](excerpt.text) if s.start), getattr(excerpt, level))


Tags = frozenset[str]


def step_texts(item: Excerpt) -> list[str]:
    """The marked steps."""
    places = [0, *item.steps, len(item.text)]
    return [item.text[start:end] for start, end in pairwise(places)]


def tagged(items: Sequence[Excerpt]) -> list[tuple[Tags, Tags]]:
    """What the rules and the marks say of each marked step."""
    return [(tag_step(step), tags) for e in items for step, tags in zip(step_texts(e), e.tags, strict=False)]


async def judged(items: Sequence[Excerpt], spec: str) -> list[Tags]:
    """What a model says of each marked step, asked as `JudgeTagger` asks; the problem is not known."""
    model = load(spec)
    told: list[Tags] = []
    for item in items:
        search = Search(Problem(item.id, (Message("user", "(not known)"),)), {GENERATE: model}, Budget())
        told += (await JudgeTagger(search)(step_texts(item)))[: len(item.tags)]
    await model.close()
    return told


def agreements(spec: str) -> list[dict[str, Any]]:
    """Cohen's kappa over all marked steps, for each behaviour: rules and marks, judge and marks, judge and rules."""
    items = [*excerpts("dev"), *excerpts("held")]
    pairs = tagged(items)
    by = {"rules": [r for r, _ in pairs], "marks": [m for _, m in pairs], "judge": asyncio.run(judged(items, spec))}
    rows = []
    for name in BEHAVIOURS:
        has = {who: [name in tags for tags in said] for who, said in by.items()}
        row: dict[str, Any] = {"what": name, "marked": sum(has["marks"]), "judge": sum(has["judge"])}
        for a, b in (("rules", "marks"), ("judge", "marks"), ("judge", "rules")):
            row[f"{a}-{b}"] = round(kappa(has[a], has[b]), 2)
        rows.append(row)
    return rows


def measured(items: Sequence[Excerpt]) -> Iterator[dict[str, Any]]:
    """A row for each level of segmentation and each behaviour."""
    for level in LEVELS:
        yield _row(level, sum((boundaries(e, level) for e in items), MatchCounts()))
    pairs = tagged(items)
    for name in BEHAVIOURS:
        row = _row(name, matched_tags(pairs, name))
        yield row | {"kappa": round(kappa([name in a for a, _ in pairs], [name in b for _, b in pairs]), 2)}
    yield _row("all behaviours", sum((matched_tags(pairs, name) for name in BEHAVIOURS), MatchCounts()))


def matched_tags(pairs: Sequence[tuple[frozenset[str], frozenset[str]]], name: str) -> MatchCounts:
    """Which steps have a behaviour, by rule against by mark."""
    return matched(
        (i for i, (a, _) in enumerate(pairs) if name in a), (i for i, (_, b) in enumerate(pairs) if name in b)
    )


def _row(name: str, match: MatchCounts) -> dict[str, Any]:
    there = match.right + match.missed
    return {"what": name, "marked": there, "precision": round(match.precision, 2), "recall": round(match.recall, 2)}


def show_errors(items: Sequence[Excerpt]) -> None:
    """Print where found and marked differ."""
    for e in items:
        for level in LEVELS:
            found = {s.start for s in LEVELS[level](e.text) if s.start}
            for at in sorted(found ^ set(getattr(e, level))):
                print(f"{e.id} {level} {'extra' if at in found else 'missed'}: {e.text[max(0, at - 30) : at + 30]!r}")
        for step, tags in zip(step_texts(e), e.tags, strict=False):
            got = tag_step(step)
            if got != tags:
                print(f"{e.id} tags extra {sorted(got - tags)} missed {sorted(tags - got)}: {step[:90]!r}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--errors", action="store_true", help="where the rules err on dev")
    parser.add_argument("--judge", metavar="MODEL", help="how far a model's tags agree with marks and rules instead")
    options = parser.parse_args()
    if options.judge:
        told = agreements(options.judge)
        if options.json:
            print(json.dumps(told))
            return
        print("".join(f"{head:>14}" for head in told[0]))
        for row in told:
            print("".join(f"{value:>14}" for value in row.values()))
        return
    rows = {name: list(measured(excerpts(name))) for name in ("dev", "held")}
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'':16}{'':>8}{'dev':>8}{'':>16}{'held':>8}")
    print(f"{'':16}{'marked':>8}{'prec.':>8}{'recall':>8}{'marked':>8}{'prec.':>8}{'recall':>8}")
    for dev, held in zip(rows["dev"], rows["held"], strict=True):
        numbers = [row[k] for row in (dev, held) for k in ("marked", "precision", "recall")]
        print(f"{dev['what']:16}" + "".join(f"{n:>8}" for n in numbers))
    if options.errors:
        show_errors(excerpts("dev"))


if __name__ == "__main__":
    main()
