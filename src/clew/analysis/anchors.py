"""Thought anchors: the sentences of a trace that decide its answer, found by resampling (arXiv:2506.19143).

Rollouts are drawn from before each sentence and after the last one, all in one batch. A rollout from before sentence i
begins with another sentence in its place; a rollout from before sentence i+1 keeps sentence i. So the n rollouts of
each place are used twice.
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
"""The text that interrupts a trace to make the model state an answer."""
SIMILAR = 0.8
"""The cosine at and above which two sentences have the same meaning, as in the paper (which compares embeddings)."""
LEAST = 5
"""The fewest rollouts from which a distribution of answers is estimated."""
_PRIOR = 0.5  # added to each count of an answer (Krichevsky-Trofimov)
_SHUFFLES = 200  # random divisions of a permutation test, which resolve p down to 0.005

Distance = Callable[[str, Sequence[str]], Sequence[float]]
"""(a sentence, other sentences) → the similarity of each of the others to it, at most 1."""


def by_words(sentence: str, others: Sequence[str]) -> list[float]:
    """The cosine of word counts; 0 where numbers or names differ, because the meaning then differs too."""
    own = _words(sentence)
    found = []
    for other in others:
        theirs = _words(other)
        dot = sum(count * theirs[word] for word, count in own.items())
        norm = math.sqrt(sum(c * c for c in own.values()) * sum(c * c for c in theirs.values()))
        found.append(dot / norm if norm and _facts(sentence) == _facts(other) else 0.0)
    return found


def _facts(text: str) -> list[str]:
    """Numbers and capitalised words in order, without the first word of the sentence."""
    return re.findall(r"\d+(?:\.\d+)?|(?<=\S\s)(?!I\b)[A-Z]\w*", text)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+|[^\w\s]", text.lower()))


@dataclass(frozen=True, slots=True)
class Anchor:
    """The importance of one sentence for the answer.

    sentence: its text.
    counterfactual: KL(answers after a resampled sentence of another meaning ‖ answers after this sentence), in nats;
        NaN where fewer than `LEAST` resampled sentences have another meaning.
    resampling: the same with all resampled sentences, in nats.
    p: the probability of a counterfactual importance as large if the sentence had no effect, by permutation; NaN where
        that importance is.
    advantage: mean grade of rollouts with the sentence minus that of rollouts without it; NaN without a grader.
    kept: rollouts that keep the sentence.
    different: rollouts that begin with a sentence of another meaning.
    forced: KL between the forced answers after and before the sentence, in nats; NaN unless they were asked for.
    receiver: attention that later sentences pay to it (the paper's receiver heads); NaN, since no model here shows its
        attention yet.
    suppression: the effect of hiding it from later sentences (the paper's attention suppression); NaN as well.
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
    """The importance of each sentence of a trace, in order, and what the measurement has cost."""

    anchors: tuple[Anchor, ...]
    usage: Usage

    @property
    def recompute_ratio(self) -> float:
        """Tokens that the model computed, divided by those of an implementation that computes every prefix anew."""
        total = self.usage.total
        return (total.generated + total.computed) / (total.generated + total.prefilled + total.reused)

    @property
    def decisive(self) -> int | None:
        """The index of the sentence with the greatest counterfactual importance; None where none is known."""
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
    """Measure how much each sentence of a trace matters for its answer (arXiv:2506.19143).

    n: rollouts from each place.
    forced: forced answers from each place; 0 for none.
    similarity: compares a sentence with resampled ones: by word counts, or a function of yours, by embeddings for
        example.
    similar: the similarity at and above which two sentences have the same meaning.
    sampling: of the rollouts; the search's own by default. The trace should have been drawn with the same settings.

    Raises BudgetExhausted when the search's budget does not suffice.
    """
    spans = trace.sentences
    problem = trace.problem
    # 1. Rollouts, and forced answers where they are asked for, from all places in one batch.
    nodes = await replay(search, trace, spans)
    places = nodes[:-1] if trace.complete else nodes
    grown, answers = await search.together(
        rollouts(search, places, n, sampling=sampling), force_answers(search, nodes if forced else [], forced, sampling)
    )
    # 2. What each rollout put in the place of the sentence, and what it answers. A complete trace has no rollouts after
    #    its last sentence: there, every answer is the trace's own.
    firsts = [[_first(node, leaf) for leaf in leaves] for node, leaves in zip(places, grown, strict=True)]
    values = [[problem.answer_in(leaf) for leaf in leaves] for leaves in grown]
    if trace.complete:
        values.append([trace.answer] * n)
    # 3. For each sentence: the answers without it (from before it) against the answers with it (from after it).
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
    """The answers of the model when it is interrupted before each of S sentences and after the last one, [S+1][n].

    n: answers at each place.
    force: the text that interrupts it.
    sampling: of the answers; the search's own by default.
    """
    nodes = await replay(search, trace, trace.sentences)
    return await force_answers(search, nodes, n, sampling, force)


async def force_answers(
    search: Search, nodes: Sequence[Node], n: int, sampling: Sampling | None, force: str = FORCE, longest: int = 24
) -> list[list[str | None]]:
    """The answers of the model when it is interrupted at these nodes by the text `force`, [nodes][n].

    search: holds the nodes, and is charged.
    sampling: of the answers; None for the search's own.
    longest: the most tokens of an answer.
    """

    async def one(node: Node) -> list[str | None]:
        asked = await search.insert(node, force, label="forced")
        leaves = await search.extend(asked, n, until=tokens(longest), sampling=sampling, label="forced")
        # Only the forced text is read, so that an answer which the trace stated earlier is not taken for it.
        return [search.problem.extract(force.lstrip() + leaf.segment.text.split("\n")[0]) for leaf in leaves]

    return list(await search.together(*(one(node) for node in nodes)))


def _first(node: Node, leaf: Node) -> str:
    """The first sentence that a rollout wrote."""
    text = leaf.solution[len(node.solution) :]
    spans = sentences(text)
    return spans[0].of(text) if spans else ""


def divergence(of: Sequence[str | None], given: Sequence[str | None]) -> float:
    """KL(p ‖ q) in nats between two samples of answers, in which None (no answer) is an answer too.

    Half a count is added to each answer that occurs in either sample (Krichevsky-Trofimov), so that the divergence is
    finite. NaN where a sample is empty.
    """
    if not of or not given:
        return float("nan")
    support = sorted(set(of) | set(given), key=str)
    p, q = (np.array([list(side).count(v) + _PRIOR for v in support]) for side in (of, given))
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))


def _chance(of: Sequence[str | None], given: Sequence[str | None], rng: np.random.Generator) -> float:
    """The p-value of a permutation test: the share of random divisions of the pooled answers, the real one included,
    that diverge at least as much."""
    seen = divergence(of, given)
    both = np.array([*of, *given], dtype=object)
    as_much = 1
    for _ in range(_SHUFFLES):
        mixed = rng.permutation(both).tolist()
        as_much += divergence(mixed[: len(of)], mixed[len(of) :]) >= seen - 1e-12
    return as_much / (_SHUFFLES + 1)
