"""Behaviours of the steps of a trace (verification, backtracking, subgoals, …), tagged by rules or by a judge.

Verification, backtracking, subgoal setting and backward chaining are the four cognitive behaviours of arXiv:2503.01307;
the others are common in coding schemes for reasoning traces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from clew.analysis.rules import BEHAVIOURS, RULES, Behaviour
from clew.analysis.segment import bare, sentences
from clew.errors import UsageError
from clew.sampling import GREEDY

if TYPE_CHECKING:
    from clew.search import Search


MEANING: Mapping[Behaviour, str] = {
    Behaviour.VERIFICATION: "checks or tests a result that was found before",
    Behaviour.BACKTRACKING: "gives up, doubts or corrects what was done before",
    Behaviour.SUBGOAL: "names an intermediate thing to be found or done",
    Behaviour.BACKWARD: "reasons backwards, from the goal to what it would need",
    Behaviour.RESTATEMENT: "repeats what is asked or given",
    Behaviour.CALCULATION: "works out a number or transforms an equation",
    Behaviour.PLANNING: "announces an approach or strategy",
    Behaviour.UNCERTAINTY: "says that it does not know or understand",
    Behaviour.HEDGING: "weakens a claim (probably, might, seems)",
    Behaviour.ANSWER: "states the final answer",
}
"""Behaviour → its definition, as the judge is told."""

_QUIET = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)


def evidence(step: str) -> dict[Behaviour, str]:
    """The behaviours of a step by the rules: behaviour → the words that show it.

    A sentence that verifies something or states the answer does not count as a calculation too. Code is ignored.
    """
    found: dict[Behaviour, str] = {}
    said = _QUIET.sub("", step)
    for span in sentences(said):
        sentence = bare(span.of(said))
        here = {name: m.group().strip() for name, rule in RULES.items() if (m := rule.search(sentence)) and m.group()}
        if here.keys() & {Behaviour.VERIFICATION, Behaviour.ANSWER}:
            here.pop(Behaviour.CALCULATION, None)
        found = here | found
    return found


def tag_step(step: str) -> frozenset[Behaviour]:
    """The behaviours of a step, by the rules."""
    return frozenset(evidence(step))


class Tagger(Protocol):
    """Tags the steps of a trace with their behaviours."""

    name: str

    async def __call__(self, steps: Sequence[str], question: str = "") -> list[frozenset[Behaviour]]:
        """The behaviours of each step, in order. question: the problem that the steps solve, for a judge."""
        ...


class RuleTagger:
    """Tags steps by `RULES`."""

    name = "rules"

    async def __call__(self, steps: Sequence[str], question: str = "") -> list[frozenset[Behaviour]]:
        """See `Tagger`."""
        return [tag_step(step) for step in steps]


JUDGE_PROMPT = """A step of somebody's reasoning about a problem does one or more of these, or none:
{meanings}

Problem: {question}

Before: {before}

Step: {step}

Write the names of what the step does, separated by commas, or none. Nothing else."""


class JudgeTagger:
    """Tags steps by asking the model of the role `judge` about each, in one batch, charged to the search's budget.

    unread: replies of the last call that named no known behaviour; their steps have none.
    """

    name = "judge"

    def __init__(self, search: Search) -> None:
        self._search = search
        self.unread = 0

    async def __call__(self, steps: Sequence[str], question: str = "") -> list[frozenset[Behaviour]]:
        """See `Tagger`. Raises BudgetExhausted when the budget does not suffice."""
        meanings = "\n".join(f"- {name}: {meaning}" for name, meaning in MEANING.items())
        asked = [
            self._search.ask(
                JUDGE_PROMPT.format(
                    question=question or self._search.problem.question,
                    before=steps[i - 1].strip() if i else "(nothing)",
                    step=step.strip(),
                    meanings=meanings,
                ),
                sampling=GREEDY,
                max_tokens=48,
            )
            for i, step in enumerate(steps)
        ]
        replies = [nodes[0].solution for nodes in await self._search.together(*asked)]
        self.unread = sum(read_tags(reply) is None for reply in replies)
        return [read_tags(reply) or frozenset() for reply in replies]


def read_tags(reply: str) -> frozenset[Behaviour] | None:
    """The behaviours that a judge's reply names; empty for "none", None where it names no known one."""
    words = reply.lower()
    found = frozenset(name for name in BEHAVIOURS if re.search(rf"\b{name}", words))
    return found if found or re.search(r"\bnone\b", words) else None


def tagger(name: str, search: Search | None = None) -> Tagger:
    """The tagger of this name.

    name: `rules` or `judge`.
    search: the search through which a judge is asked.

    Raises UsageError for another name, or for a judge without a search.
    """
    if name == "rules":
        return RuleTagger()
    if name == "judge" and search is not None:
        return JudgeTagger(search)
    if name == "judge":
        raise UsageError("the tagger `judge` needs a search", 'Write tagger("judge", search)')
    raise UsageError(f"{name!r} is not a tagger", "Choose rules or judge")
