"""The reasoning graph of a trace: which earlier step each step builds on, abandons and revisits.

The graph is drawn by rules that can be checked by hand (arXiv:2509.19284 has a large model draw it):

1. A step that rejects the text before it ("that is wrong", "this doesn't work", "I made a mistake") abandons the step
   before it and the earlier steps of the same thought, back to the step that set the thought up: a restatement, plan or
   subgoal, or a first step that computes nothing. The rejecting step begins the new branch. No step is abandoned twice.
2. A thought that is left without being called wrong ("Alternatively, …") is abandoned if no later step uses a value
   that it introduced and if it does not state the answer.
3. A step builds on the last step that introduced a value which it uses and that is not abandoned by then; where there
   is no such step, on the last step that is not abandoned by then.
4. A step that verifies revisits the last step that introduced a value which it uses. A step with the same words as an
   earlier one revisits that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from clew.analysis.behaviours import tag_step
from clew.analysis.rules import Behaviour
from clew.analysis.segment import SWITCH, bare, sentences

REJECTS = re.compile(
    r"\b(?:wrong|incorrect|not (?:right|correct|true|possible|valid)|mistake|error|contradiction|dead end|impossible"
    r"|misread|miscounted|forgot|overlooked|fail(?:s|ed)?|(?:doesn't|does not|didn't|won't|can't|cannot)"
    r" (?:work|fit|help|be right)|(?:scrap|scratch|forget|drop) (?:that|this|it)|start over|start again)\b"
    r"|\b(?:wait|hmm|hold on)[,.]? no\b|^no,",
    re.IGNORECASE,
)
"""Words with which a step rejects the text before it."""

_LEAVES = re.compile(
    r"(?:\W*\w+[,.]? )?(?:alternatively|on second thought|another|a different|instead)\b", re.IGNORECASE
)
_SETUP = {Behaviour.RESTATEMENT, Behaviour.PLANNING, Behaviour.SUBGOAL}
_VALUE = re.compile(r"(?<![\w.,])-?\d+(?:,\d{3})*(?:\.\d+)?(?:\s*/\s*\d+)?(?![\w]|[.,]\d)")
_RESULT = re.compile(
    r"(?:=|≈|\\approx|\b(?:is|are|gives?|leaves?|makes?|equals|get|gets|have|has|remain|remains)\b)[^\d=\n-]{0,24}"
    r"(-?\d+(?:,\d{3})*(?:\.\d+)?(?:\s*/\s*\d+)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Graph:
    """The reasoning graph of the steps 0 … n-1 of a trace.

    parents: [n], the step that each step builds on; None for a first one.
    abandoned: the steps in abandoned branches.
    abandons: pairs (step, earlier step that it abandons).
    revisits: pairs (step, earlier step that it revisits).
    thoughts: [n], the index of the thought that each step belongs to.
    """

    parents: tuple[int | None, ...]
    abandoned: frozenset[int]
    abandons: tuple[tuple[int, int], ...]
    revisits: tuple[tuple[int, int], ...]
    thoughts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.parents)

    @property
    def depths(self) -> list[int]:
        """[n], the number of steps in the chain that leads to each step, itself included."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(1 if parent is None else depths[parent] + 1)
        return depths

    @property
    def children(self) -> list[list[int]]:
        """[n], the steps that build on each step."""
        children: list[list[int]] = [[] for _ in self.parents]
        for i, parent in enumerate(self.parents):
            if parent is not None:
                children[parent].append(i)
        return children


def reasoning_graph(steps: Sequence[str], question: str = "") -> Graph:
    """The graph of these steps by the rules of this module.

    question: the problem; a value that it gives is not introduced by any step.
    """
    texts = [bare(step) for step in steps]
    tags = [tag_step(step) for step in steps]
    given = set(_values(question))
    values = [set(_values(text)) for text in texts]
    results = [set(_results(text)) - given for text in texts]
    turns = [i > 0 and _turns(step) for i, step in enumerate(steps)]
    thoughts = [sum(turns[: i + 1]) for i in range(len(steps))]
    setup = [bool(t & _SETUP) or (i == 0 and not results[i]) for i, t in enumerate(tags)]
    abandons: list[tuple[int, int]] = []
    # Rule 1: steps that reject what is before them.
    for i in range(1, len(steps)):
        if turns[i] and _rejects(steps[i]):
            abandons += [(i, j) for j in _rejected(i, setup, thoughts, {j for _, j in abandons})]
    # Rule 2: thoughts that are left for another one, and whose values nothing later uses.
    for left, entered in pairwise([0, *(i for i, turn in enumerate(turns) if turn)]):
        gone = {j for _, j in abandons}
        own = [j for j in range(left, entered) if j not in gone and not setup[j]]
        found = set().union(*(results[j] for j in own))
        used = any(found & later for later in values[entered:])
        stated = any(Behaviour.ANSWER in tags[j] for j in own)
        if own and not used and not stated and _LEAVES.match(texts[entered]):
            abandons += [(entered, j) for j in own]
    # Rules 3 and 4.
    parents = [_parent(i, values[i], results, {j for k, j in abandons if k <= i}) for i in range(len(steps))]
    checks = [Behaviour.VERIFICATION in t for t in tags]
    revisits = list(_revisited(texts, checks, values, results))
    return Graph(tuple(parents), frozenset(j for _, j in abandons), tuple(abandons), tuple(revisits), tuple(thoughts))


def _values(text: str) -> list[str]:
    return [re.sub(r"[,\s]", "", value) for value in _VALUE.findall(text)]


def _results(text: str) -> list[str]:
    told = re.sub(r"[^.!?\n]*\?", "", text)  # a question introduces nothing
    return [re.sub(r"[,\s]", "", value) for value in _RESULT.findall(told)]


def _turns(step: str) -> bool:
    return bool(SWITCH.match(bare(step)))


def _rejects(step: str) -> bool:
    """Whether a step rejects the text before it in its first sentence, or, where it begins a new thought, in its
    second."""
    spans = sentences(step)
    heads = [bare(span.of(step)) for span in spans[: 2 if _turns(step) else 1]]
    return any(REJECTS.search(head) and not head.endswith("?") for head in heads)


def _rejected(at: int, setup: Sequence[bool], thoughts: Sequence[int], gone: set[int]) -> list[int]:
    """The steps that the rejection at step `at` abandons, the latest first: at least the step before it."""
    found: list[int] = []
    for j in range(at - 1, -1, -1):
        if j in gone or thoughts[j] != thoughts[at - 1] or (found and setup[j]):
            break
        found.append(j)
    return found


def _parent(at: int, values: set[str], results: Sequence[set[str]], gone: set[int]) -> int | None:
    last = None
    for j in range(at - 1, -1, -1):
        if j not in gone:
            if results[j] & values:
                return j
            last = j if last is None else last
    return last


def _revisited(
    texts: Sequence[str], checks: Sequence[bool], values: Sequence[set[str]], results: Sequence[set[str]]
) -> Iterator[tuple[int, int]]:
    said: dict[str, int] = {}
    for i, text in enumerate(texts):
        words = re.sub(r"\W+", " ", text).strip().lower()
        if words in said:
            yield i, said[words]
        elif checks[i]:
            shared = (j for j in range(i - 1, -1, -1) if results[j] & values[i])
            if (last := next(shared, None)) is not None:
                yield i, last
        if words:
            said[words] = i
