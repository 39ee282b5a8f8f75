"""The tree of one search for the terminal, in the colours of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from rich.console import Group
from rich.text import Text
from rich.tree import Tree as RichTree

from clew.analysis.behaviours import tag_step
from clew.analysis.fates import explained, fate, first_holder, star_explained
from clew.lab.palette import on_scale, palette
from clew.problem import Problem
from clew.result import Result
from clew.tree import GENERATE, Node, Origin


@dataclass(frozen=True, slots=True)
class _Scales:
    """What holds for a whole tree: the node that held the answer first, ids on the path to it, ids whose beginning is
    repeated, score or `entropy` → its least and greatest value, how the search ended, and the problem; and the fates
    that were met, for the legend."""

    answer: int | None
    best: frozenset[int]
    rewound: frozenset[int]
    ranges: dict[str, tuple[float, float]]
    status: str
    problem: Problem
    fates: dict[str, None] = field(default_factory=dict)


def solution_tree(result: Result, *, width: int = 100) -> Group:
    """The tree of one search: a star where the answer was first held and arrows on the path to it, what each finished
    solution answers, scores and mean entropy on a scale of colours, what a step does, and why nobody went on from a
    leaf; below, what the signs say."""
    values: dict[str, list[float]] = {"entropy": [_entropy([n]) for n in result.tree.nodes]}
    for node in result.tree.nodes:
        for name, value in node.scores.items():
            values.setdefault(name, []).append(value)
    answer = result.answer
    chosen = answer.node.id if answer.node else None
    proposals = ((p.answer.value, p.answer.node.id if p.answer.node else None) for p in result.proposals)
    first = first_holder(answer.value, chosen, proposals)
    scales = _Scales(
        answer=first,
        best=frozenset() if first is None else frozenset(n.id for n in result.tree[first].ancestors()),
        rewound=frozenset(n.beginning_of.id for n in result.tree.nodes if n.beginning_of is not None),
        ranges={name: _range(found) for name, found in values.items()},
        status=answer.status,
        problem=result.problem,
    )
    top = RichTree(Text(f"{result.problem.id} · {result.method} · seed {result.seed}", style="bold"))
    for root in result.tree.roots:
        _add(top, root, scales, width)
    return Group(top, *_legend(scales))


def _legend(scales: _Scales) -> list[Text]:
    colours = palette()
    signs = [] if scales.answer is None else [("★", "best", star_explained())]
    signs += [(f"✗ {fate}", "bad", explained(fate)) for fate in scales.fates]
    return [Text.assemble((sign, colours[shade]), "  ", (said, colours["muted"])) for sign, shade, said in signs]


def _add(branch: RichTree, node: Node, scales: _Scales, width: int) -> None:
    # A chain without choices is one entry: a tree is read by its forks.
    chain = [node]
    while len(chain[-1].children) == 1 and chain[-1].children[0].role == chain[0].role:
        chain.append(chain[-1].children[0])
    twig = branch.add(_line(chain, scales, width))
    for child in chain[-1].children:
        _add(twig, child, scales, width)


def _line(chain: list[Node], scales: _Scales, width: int) -> Text:
    colours = palette()
    last = chain[-1]
    on_best = chain[0].id in scales.best
    whole = "".join(n.segment.text for n in chain)
    text = " ".join(whole.split())
    if len(text) > width:
        text = text[: width // 2 - 1] + " … " + text[-(width // 2 - 2) :]
    line = Text()
    if on_best:
        sign = "★ " if any(n.id == scales.answer for n in chain) else "→ "
        line.append(sign, style=f"bold {colours['best']}")
    line.append(f"{chain[0].id}" if len(chain) == 1 else f"{chain[0].id}–{last.id}", style=colours["muted"])
    line.append(f" {sum(len(n.segment) for n in chain)}t ", style=colours["muted"])
    prompt = chain[0].origin is Origin.PROMPT
    line.append(text, style=colours["muted"] if prompt else "bold" if on_best else "")
    if last.finished:
        line.append(f"  {last.finish}", style=colours["finishes"][last.finish])
        if not prompt and (stated := scales.problem.answer_in(last)) is not None:
            line.append(f"  = {' '.join(stated.split())[:40]}", style="bold")
    entropy = _entropy(chain)
    if np.isfinite(entropy):
        line.append(f"  entropy {entropy:.2f}", style=on_scale(entropy, *scales.ranges["entropy"]))
    for name, value in last.scores.items():
        line.append(f"  {name} {value:.3g}", style=on_scale(value, *scales.ranges[name]))
    if not prompt:
        for behaviour in sorted(tag_step(whole)):
            line.append(f"  {behaviour}", style=colours["behaviours"][behaviour])
    told = [last.role] if last.role != GENERATE else []
    told += [last.label] if last.label else []
    if told:
        line.append(f"  ({', '.join(told)})", style=colours["muted"])
    rewound = last.id in scales.rewound
    why = fate(
        last.fate, last.finish, scales.status, best=last.id in scales.best, leaf=not last.children, rewound=rewound
    )
    if why:
        scales.fates[why] = None
        line.append(f"  ✗ {why}", style=colours["bad"])
    return line


def _entropy(nodes: Iterable[Node]) -> float:
    """The mean entropy of what the model chose, in nats; NaN where nothing is known."""
    parts = [n.segment.entropy for n in nodes if n.origin is Origin.SAMPLED and n.segment.entropy is not None]
    known = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("nan")


def _range(values: list[float]) -> tuple[float, float]:
    known = [v for v in values if np.isfinite(v)]
    return (min(known), max(known)) if known else (0.0, 0.0)
