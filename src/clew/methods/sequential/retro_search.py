"""`retro_search`: a trace is re-opened where it switched thoughts, and the path without the switch is tried."""

from __future__ import annotations

from typing import Annotated

from clew.analysis.segment import SWITCH, bare, sentences, steps, thoughts
from clew.methods.common.rewinding import Backtracker, stuck
from clew.methods.common.solutions import Bounds, Scoring, revised
from clew.parameters import Count, Range, Temperature
from clew.problem import Answer
from clew.registry import method
from clew.sampling import Sampling
from clew.search import Search
from clew.tree import Node, leave


def turns_at(text: str, ended: bool) -> int | None:
    """The place of the first sentence of a text that begins as a switch to another thought does; None without one.

    text: the text.
    ended: whether the text is whole. If it is not, a sentence of which there are only the words of a switch does not
        count yet, because what follows may make other words of them.
    """
    for span in sentences(text):
        raw = text[span.start : span.end]
        sentence = bare(raw)
        match = SWITCH.match(sentence)
        if match and (ended or span.end < len(text) or match.end() < len(sentence)):
            return span.start + max(raw.find(sentence), 0)
    return None


class TraceValue:
    """The values of traces: V(trace) = γ^N · R for a trace of N steps, R being its reward in [0, 1].

    The reward is the scorer's score, or the verifier's where no scorer is given; scores outside [0, 1] are scaled to it
    by the least and the greatest so far. Without a scorer and a verifier it is 1 for a trace that states the answer
    that was stated first, and 0 for others.

    search: the search whose traces they are.
    gamma: γ, the discount for each step, in (0, 1].
    scorer: gives the rewards; None: the problem's verifier does, if there is one.
    """

    def __init__(self, search: Search, gamma: float, scorer: Scoring | None) -> None:
        self._search = search
        self._gamma = gamma
        self._scorer = scorer or ("verifier" if search.problem.verifier else None)
        self._bounds = Bounds()
        self._scores: dict[Node, float] = {}
        self._first: str | None = None

    async def score(self, trace: Node) -> None:
        """Find out the reward of a trace, which `of` needs."""
        if self._scorer is not None:
            (score,) = await self._search.score([trace], self._scorer)
            self._scores[trace] = self._bounds.admit(score)
            return
        value = self._search.answer(trace).value
        self._first = self._first if self._first is not None else value
        self._scores[trace] = self._bounds.admit(float(value is not None and value == self._first))

    def of(self, trace: Node) -> float:
        """The value of a trace that was scored; 0 where it states no answer."""
        if self._search.problem.answer_in(trace) is None:
            return 0.0
        return float(self._gamma ** len(steps(trace.solution)) * self._bounds.unit(self._scores[trace]))


@method(
    "retro_search",
    family="sequential",
    paper="arXiv:2504.04383",
    needs={"text", "continue"},
    proof="tests/methods/sequential/test_retro_search.py",
    departs="Only the abstract and reports of the paper could be consulted; its γ could not be checked. The paper "
    "makes training data and knows the right answer. Here a verifier or a scorer takes its place, and without either "
    "the first trace's answer does, so that traces only get shorter. One path is tried at each decision point. What is "
    "forbidden there is a sentence that begins as a switch of thought does, instead of certain words.",
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

    The new path may not switch thoughts in its first step; later it may. The switches are tried from the first to the
    last; where a new trace was kept, its own switches follow. The value of a trace of N steps is γ^N · R (see
    `TraceValue`), which prefers the same of two paths from one point as the paper's γ^(steps from there) · R.

    gamma: γ, the discount of a trace's value for each of its steps.
    retries: how many alternatives to a switch are tried in one place, before the trace stays as it is there.
    scorer: gives the reward R of a trace; unless it is given, the problem's verifier does, where there is one.
    """
    sampling = search.at(temperature)
    value = TraceValue(search, gamma, scorer)
    (trace,) = await search.extend(search.root, sampling=sampling)
    answer = revised(search, search.answer(trace), Answer(None))
    await value.score(trace)
    at = 0
    while (point := _next_switch(trace.solution, at)) is not None:
        # 1. Go back to before the switch, and write on without it.
        at = point
        other = await _stay(search, search.rewind(trace, chars=len(trace.solution) - at), sampling, retries)
        if other is None:
            continue
        # 2. Keep the better one of the two traces.
        await value.score(other)
        if value.of(other) > value.of(trace):
            leave([trace], "a better path was found")
            trace = other
            answer = revised(search, search.answer(trace), answer)
        else:
            leave([other], "worth no more")
    return answer


def _next_switch(text: str, after: int) -> int | None:
    """Where the next thought begins after a place in the text; None where there is no further one."""
    return next((t.start for t in thoughts(text) if t.start > after), None)


async def _stay(search: Search, start: Node, sampling: Sampling, retries: int) -> Node | None:
    """A solution from `start` whose next step does not switch thoughts; None where no such step was found."""
    trail = Backtracker(search, start, sampling, retries, limit=retries)
    begun = len(start.solution)

    def stepped(text: str) -> bool:
        """Whether a step was completed after `start`."""
        return any(mark in text[begun:].lstrip() for mark in search.problem.steps)

    while True:
        # Write on, up to the end of the step or to a switch.
        before = trail.node
        grown, ended = await trail.grow(lambda text: stepped(text) or turns_at(text[begun:], False) is not None)
        place = turns_at(grown.solution[begun:], ended)
        # Case 1: no token is allowed here, so the token before is undone.
        if stuck(grown):
            undone = trail.undo(before, before.tokens)
        # Case 2: the step switches thoughts, so it is undone from the first token of the switch on.
        elif place is not None:
            leave([grown], "turns to another thought")
            back = search.rewind(grown, chars=len(grown.solution) - begun - place)
            undone = trail.undo(grown, back.tokens + 1)
        # Case 3: the solution has ended without a switch.
        elif ended:
            return grown
        # Case 4: so has the step; from here on the solution may switch.
        elif stepped(grown.solution):
            (leaf,) = await search.extend(grown, sampling=sampling, label="stayed")
            return leaf
        # Case 5: nothing of this yet.
        else:
            trail.node = grown
            continue
        # After a case in which something was undone: is anything left to try after `start`?
        if not undone or trail.node.tokens < start.tokens:
            return None
