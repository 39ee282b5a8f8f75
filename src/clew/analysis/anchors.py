"""Thought anchors: which sentences of a trace decide its answer (arXiv:2506.19143), by resampling.

Rollouts are drawn from before each sentence and after the last one, all at once. Those from before sentence i begin
with a sentence of their own in its place; those from before sentence i+1 keep it: n at each place serve twice.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clew.analysis.replay import mean_grade, replay, rollouts
from clew.analysis.segment import sentences
from clew.analysis.trace import Trace
from clew.budget import Usage
from clew.sampling import Sampling, Stream, tokens
from clew.search import Search
from clew.tree import Node

FORCE = "\n\nTherefore, the final answer is"
"""What a trace is interrupted with to force an answer."""
SIMILAR = 0.8
"""The cosine from which on two sentences mean the same, as in the paper (there, of embeddings)."""
LEAST = 5
"""Fewer rollouts than this say nothing of a distribution."""
_PRIOR = 0.5
_SHUFFLES = 200

Distance = Callable[[str, Sequence[str]], Sequence[float]]
"""A sentence and others → how similar each of them is to it, at most 1."""


def by_words(sentence: str, others: Sequence[str]) -> list[float]:
    """The cosine of word counts; 0 where numbers or names in the sentences differ, since then the meaning does."""
    own = _words(sentence)
    found = []
    for other in others:
        theirs = _words(other)
        dot = sum(count * theirs[word] for word, count in own.items())
        norm = math.sqrt(sum(c * c for c in own.values()) * sum(c * c for c in theirs.values()))
        found.append(dot / norm if norm and _facts(sentence) == _facts(other) else 0.0)
    return found


def _facts(text: str) -> list[str]:
    """Numbers, and capitalised words but the first, in order."""
    return re.findall(r"\d+(?:\.\d+)?|(?<=\S\s)(?!I\b)[A-Z]\w*", text)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+|[^\w\s]", text.lower()))


@dataclass(frozen=True, slots=True)
class Anchor:
    """What one sentence does to the answer.

    counterfactual: KL(answers where another sentence of different meaning stands ‖ answers where it stands), in nats;
        NaN where fewer than `LEAST` resampled sentences differ. resampling: the same with all resampled sentences.
    p: the probability of a counterfactual as large if the sentence did nothing, by permutation; NaN with it.
    advantage: mean grade with the sentence minus without (all resampled ones); NaN without a grader.
    kept, different: rollouts behind the two distributions.
    forced: KL between the forced answers after and before the sentence; NaN unless asked for.
    receiver, suppression: attention that later sentences pay to it, and what happens when they cannot (the paper's
        receiver heads and attention suppression); NaN unless a white-box model has measured them.
    """

    sentence: str
    counterfactual: float
    resampling: float
    p: float
    advantage: float
    kept: int
    different: int
    forced: float = float("nan")
    receiver: float = float("nan")
    suppression: float = float("nan")


@dataclass(frozen=True, slots=True)
class Anchors:
    """The anchors of a trace, sentence by sentence, and what finding them has cost."""

    anchors: tuple[Anchor, ...]
    usage: Usage

    @property
    def recompute_ratio(self) -> float:
        """Tokens that the model computed over those of an implementation which computes every prefix anew."""
        total = self.usage.total
        return (total.generated + total.computed) / (total.generated + total.prefilled + total.reused)

    @property
    def decisive(self) -> int | None:
        """The sentence with the greatest counterfactual importance; None where none is known."""
        known = [i for i, a in enumerate(self.anchors) if not math.isnan(a.counterfactual)]
        return max(known, key=lambda i: self.anchors[i].counterfactual, default=None)


async def find_anchors(
    search: Search,
    trace: Trace,
    *,
    n: int = 100,
    forced: int = 0,
    similarity: Distance = by_words,
    similar: float = SIMILAR,
    sampling: Sampling | None = None,
) -> Anchors:
    """How much each sentence of a trace matters for its answer.

    n: rollouts from each place. forced: forced answers from each place (0: none). similarity: by words, or by
    embeddings of yours. sampling: as the search's; the trace should have been drawn with the same.

    Raises BudgetExhausted when the search's budget did not suffice.
    """
    spans = trace.sentences
    problem = trace.problem
    nodes = await replay(search, trace, spans)
    places = nodes[:-1] if trace.complete else nodes
    grown, answers = await search.together(
        rollouts(search, places, n, sampling=sampling), force_answers(search, nodes if forced else [], forced, sampling)
    )
    firsts = [[_first(node, leaf) for leaf in leaves] for node, leaves in zip(places, grown, strict=True)]
    values = [[problem.answer_in(leaf) for leaf in leaves] for leaves in grown]
    if trace.complete:
        values.append([trace.answer] * n)
    found = []
    for i, span in enumerate(spans):
        said = span.of(trace.text)
        differs = [s < similar for s in similarity(said, firsts[i])]
        other = [v for v, d in zip(values[i], differs, strict=True) if d]
        kept = values[i + 1]
        enough = len(other) >= LEAST
        rng = Stream("anchors", search.seed, problem.id, i).generator()
        found.append(
            Anchor(
                sentence=said,
                counterfactual=divergence(other, kept) if enough else float("nan"),
                resampling=divergence(values[i], kept),
                p=_chance(other, kept, rng) if enough else float("nan"),
                advantage=mean_grade(problem, kept) - mean_grade(problem, values[i]),
                kept=len(kept),
                different=len(other),
                forced=divergence(answers[i + 1], answers[i]) if forced else float("nan"),
            )
        )
    return Anchors(tuple(found), search.ledger.usage)


async def forced_answers(
    search: Search, trace: Trace, *, n: int = 1, force: str = FORCE, sampling: Sampling | None = None
) -> list[list[str | None]]:
    """The answers that the model gives when it is interrupted before each sentence and after the last one, [S+1][n]."""
    nodes = await replay(search, trace, trace.sentences)
    return await force_answers(search, nodes, n, sampling, force)


async def force_answers(
    search: Search, nodes: Sequence[Node], n: int, sampling: Sampling | None, force: str = FORCE, longest: int = 24
) -> list[list[str | None]]:
    """The answers that the model gives when it is interrupted at these nodes by `force`, [nodes][n]."""

    async def one(node: Node) -> list[str | None]:
        asked = await search.insert(node, force, label="forced")
        leaves = await search.extend(asked, n, until=tokens(longest), sampling=sampling, label="forced")
        # The answer alone is read: what the trace says before must not pass for it.
        return [search.problem.extract(force.lstrip() + leaf.segment.text.split("\n")[0]) for leaf in leaves]

    return list(await search.together(*(one(node) for node in nodes)))


def _first(node: Node, leaf: Node) -> str:
    """The first sentence that a rollout wrote."""
    text = leaf.solution[len(node.solution) :]
    spans = sentences(text)
    return spans[0].of(text) if spans else ""


def divergence(of: Sequence[str | None], given: Sequence[str | None]) -> float:
    """KL(p ‖ q) in nats between two samples of answers, no answer counting as one of its own.

    Each answer that either has is counted half a time more (Krichevsky-Trofimov), so that it is finite. NaN where a
    sample is empty.
    """
    if not of or not given:
        return float("nan")
    support = sorted(set(of) | set(given), key=str)
    p, q = (np.array([list(side).count(v) + _PRIOR for v in support]) for side in (of, given))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))


def _chance(of: Sequence[str | None], given: Sequence[str | None], rng: np.random.Generator) -> float:
    """The share of random divisions of the two samples (and the division itself) that diverge as much."""
    seen = divergence(of, given)
    both = np.array([*of, *given], dtype=object)
    as_much = 1
    for _ in range(_SHUFFLES):
        mixed = rng.permutation(both).tolist()
        as_much += divergence(mixed[: len(of)], mixed[len(of) :]) >= seen - 1e-12
    return as_much / (_SHUFFLES + 1)
