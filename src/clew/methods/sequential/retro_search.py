"""Retro-Search: re-open a finished trace where it turned to another thought, stay with the old one, keep the better."""

from __future__ import annotations

from typing import Annotated

from clew.analysis.segment import SWITCH, bare, sentences, steps, thoughts
from clew.methods.common.rewinding import Trail, stuck
from clew.methods.common.solutions import Bounds, Scoring, revised
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import Sampling
from clew.search import Search
from clew.tree import Node, leave


def turns_at(text: str, ended: bool) -> int | None:
    """Where in a text a sentence begins that leaves the thought before it: the place of the words that say so.

    Words that the text breaks off in may become others, unless it has `ended`.
    """
    for span in sentences(text):
        raw = text[span.start : span.end]
        sentence = bare(raw)
        match = SWITCH.match(sentence)
        if match and (ended or span.end < len(text) or match.end() < len(sentence)):
            return span.start + max(raw.find(sentence), 0)
    return None


class Worth:
    """V(trace) = γ^N · R for a trace of N steps; R in [0, 1].

    R: the scorer's score, by default the verifier's (scores outside [0, 1] are scaled to it by those met). Without
    either: 1 for the first answer that was stated, 0 for others.
    """

    def __init__(self, search: Search, gamma: float, scorer: Scoring | None) -> None:
        self._search = search
        self._gamma = gamma
        self._scorer = scorer or ("verifier" if search.problem.verifier else None)
        self._bounds = Bounds()
        self._scores: dict[Node, float] = {}
        self._first: str | None = None

    async def meet(self, trace: Node) -> None:
        """Score a trace, which `of` then knows."""
        if self._scorer is not None:
            (score,) = await self._search.score([trace], self._scorer)
            self._scores[trace] = self._bounds.admit(score)
            return
        value = self._search.answer(trace).value
        self._first = self._first if self._first is not None else value
        self._scores[trace] = self._bounds.admit(float(value is not None and value == self._first))

    def of(self, trace: Node) -> float:
        """What the trace is worth; nothing where it states no answer."""
        if self._search.problem.answer_in(trace) is None:
            return 0.0
        return float(self._gamma ** len(steps(trace.solution)) * self._bounds.unit(self._scores[trace]))


@method(
    "retro_search",
    family="sequential",
    paper="arXiv:2504.04383",
    needs={"text", "continue"},
    proof="tests/methods/sequential/test_retro_search.py",
    departs="Only the abstract and reports of the paper could be consulted; its γ could not be checked. It makes "
    "training data and knows the right answer: here a verifier or scorer takes its place, and without either "
    "the first trace's answer does, so that traces only get shorter. One path is tried at each decision "
    "point. Not words are forbidden there, but sentences that begin as a switch of thought does.",
)
async def retro_search(
    search: Search,
    *,
    gamma: Annotated[float, Range(above=0, high=1)] = 0.9,
    retries: Count = 16,
    scorer: Scoring | None = None,
    temperature: Temperature | None = None,
) -> Answer:
    """Write a solution; wherever it switches thoughts, write on without the switch, and keep that if it is worth more.

    What is written on may not leave its thought in its first step, later it may. The decision points are taken from
    the first to the last, those of the new trace where it was kept. A trace is worth γ^N · R for N steps: of two paths
    from one point the paper's γ^(steps from there) · R decides alike (see `Worth`).
    retries: alternatives to a switch that are tried at one place; after that the trace stays as it is there.

    gamma: the discount of a solution's worth for each step that it takes.
    """
    sampling = search.at(temperature)
    worth = Worth(search, gamma, scorer)
    (trace,) = await search.extend(search.root, sampling=sampling)
    answer = revised(search, search.answer(trace), Answer(None))
    await worth.meet(trace)
    at = 0
    while (point := _next_switch(trace.solution, at)) is not None:
        at = point
        other = await _stay(search, search.rewind(trace, chars=len(trace.solution) - at), sampling, retries)
        if other is None:
            continue
        await worth.meet(other)
        if worth.of(other) > worth.of(trace):
            leave([trace], "a better path was found")
            trace = other
            answer = revised(search, search.answer(trace), answer)
        else:
            leave([other], "worth no more")
    return answer


def _next_switch(text: str, after: int) -> int | None:
    return next((t.start for t in thoughts(text) if t.start > after), None)


async def _stay(search: Search, start: Node, sampling: Sampling, retries: int) -> Node | None:
    """A solution from `start` whose next step does not leave its thought; None where no such step was found."""
    trail = Trail(search, start, sampling, retries, limit=retries)
    begun = len(start.solution)

    def stepped(text: str) -> bool:
        return any(mark in text[begun:].lstrip() for mark in search.problem.steps)

    while True:
        before = trail.node
        grown, ended = await trail.grow(lambda text: stepped(text) or turns_at(text[begun:], False) is not None)
        place = turns_at(grown.solution[begun:], ended)
        if stuck(grown):
            undone = trail.undo(before, before.tokens)
        elif place is not None:
            leave([grown], "turns to another thought")
            back = search.rewind(grown, chars=len(grown.solution) - begun - place)
            undone = trail.undo(grown, back.tokens + 1)
        elif ended:
            return grown
        elif stepped(grown.solution):
            (leaf,) = await search.extend(grown, sampling=sampling, label="stayed")
            return leaf
        else:
            trail.node = grown
            continue
        if not undone or trail.node.tokens < start.tokens:
            return None
