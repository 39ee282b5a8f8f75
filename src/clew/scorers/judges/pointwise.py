"""Judges of single solutions: a model says of each how good it is, by the probabilities of a reply of one word."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from clew.errors import UsageError
from clew.parameters import Count, Meaning, Range, Text
from clew.problem import Message
from clew.registry import scorer
from clew.sampling import tokens
from clew.scorers.base import spelled
from clew.scorers.judges.decisions import Decision, choose, decide
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Scorer, Search

PROOF = "tests/scorers/judges/test_pointwise.py"

JudgeRole = Annotated[str, Meaning("Whose model judges: a role of the run (`--role judge=MODEL`).")]

QUESTION = "Is every step of this solution correct so far? Reply with one word, Yes or No."
TRUE = """Is the proposed answer:
(A) True
(B) False
Reply with one letter, A or B.
The proposed answer is:"""
CORRECT = "The solution is correct: every step follows, and the result answers the problem."
LEVELS = """Rate how far the solution fulfils the criterion on a scale of {levels} letters, from A to {last}.
A: completely fulfilled, beyond doubt.
{middle}: as likely fulfilled as not.
{last}: not fulfilled at all, beyond doubt.
The letters between are for what lies between."""
LETTER = "Reply with one letter, from A to {last}."
THEN = "Say briefly what speaks for and against it. Then give the letter."
VERDICT = "\n\nLetter: "


def material(search: Search, *solutions: str) -> str:
    """The problem and the solutions to be judged, as a judge is shown them.

    The problem comes first and what is asked about it last (the caller adds it), so that all questions about one
    solution, and all solutions of one problem, begin with the same tokens.
    """
    names = [""] if len(solutions) == 1 else [f" {letter}" for letter in string.ascii_uppercase]
    shown = [f"Solution{name}:\n{solution.strip()}" for name, solution in zip(names, solutions, strict=False)]
    return "\n\n".join([f"Problem:\n{search.problem.question}", *shown, ""])


@dataclass(frozen=True, slots=True)
class Judge:
    """A scorer that puts questions about each solution to a model, and makes one number of its decisions.

    name: the name under which its scores are recorded. questions: what is asked about each solution.
    options: what the model chooses among. role: whose model decides.
    worth: all decisions on one solution → its score.
    repeats, reasoning: how often each question is decided, each time after at most so many tokens of reasoning.
    """

    name: str
    questions: Sequence[str]
    options: Sequence[str]
    role: str
    worth: Callable[[Sequence[Decision]], float]
    repeats: int = 1
    reasoning: int = 0

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """One score for each node, in order. All questions about all nodes are one batch."""
        asked = [
            (Message("user", material(search, node.solution) + question),)
            for node in nodes
            for question in self.questions
        ]
        if self.reasoning:
            decisions = await self._reasoned(search, asked)
        else:
            decisions = await decide(search, asked, self.options, role=self.role)
        each = len(self.questions) * self.repeats
        return [self.worth(decisions[i * each : (i + 1) * each]) for i in range(len(nodes))]

    async def _reasoned(self, search: Search, asked: Sequence[Sequence[Message]]) -> list[Decision]:
        """Decisions after reasoning: the model writes, what it wrote is closed with `VERDICT`, and the options are read
        after that."""
        until = tokens(self.reasoning)
        drafts = await search.together(
            *(search.ask(question, role=self.role, n=self.repeats, until=until) for question in asked)
        )
        points = [await search.insert(draft, VERDICT) for replies in drafts for draft in replies]
        return await choose(search, points, self.options, role=self.role)


@scorer("decision", family="judge", needs={"score"}, proof=PROOF, scale="probability")
def decision(*, question: Text = QUESTION, yes: Text = "Yes", no: Text = "No", role: JudgeRole = "judge") -> Scorer:
    """The probability that a model says yes to a question about the solution, against no.

    question: what is asked about the solution; it should name the two replies.
    yes: the reply that speaks for the solution. no: the reply that speaks against it.
    """
    name = spelled("decision", question=question, yes=yes, no=no, role=role)
    return Judge(name, [question], [yes, no], role, lambda told: float(told[0].probabilities[0]))


@scorer(
    "p_true",
    family="judge",
    paper="arXiv:2207.05221",
    needs={"score"},
    proof=PROOF,
    scale="probability",
    departs="The question is a chat turn without examples, and asks for the letter alone; the paper shows a base model "
    "up to 30 examples, and other samples of the model beside the one that is judged.",
)
def p_true(*, role: JudgeRole = "judge") -> Scorer:
    """P(True): the probability that the model calls the solution true when it is asked to choose A (True) or B (False)
    (section 3.1)."""
    name = spelled("p_true", role=role)
    return Judge(name, [TRUE], ["A", "B"], role, lambda told: float(told[0].probabilities[0]))


@scorer(
    "expected_score",
    family="judge",
    paper="LLM-as-a-Verifier (Stanford, UC Berkeley and NVIDIA, 2026)",
    needs={"score"},
    proof=PROOF,
    scale="probability",
    departs="Each solution is judged alone, not a pair in one prompt; the judge writes nothing before the letter "
    "unless `reasoning` says how much.",
)
def expected_score(
    *,
    levels: Annotated[int, Range(low=10, high=20)] = 20,
    criteria: Sequence[str] | None = None,
    repeats: Count = 1,
    reasoning: Annotated[int, Range(low=0)] = 0,
    role: JudgeRole = "judge",
) -> Scorer:
    """The mean of a grade over its probabilities, Σ value · p(letter), from 0 (worst) to 1 (best); the mean over the
    criteria and the repeats.

    levels: G, the number of letters, from A (best). The expectation over many tells apart what one letter would not.
    criteria: what is graded, one after the other (correctness unless it is given). The more different they are, the
        less their errors have in common.
    repeats: K, how often each criterion is graded. Only with `reasoning`, since nothing else differs between repeats.
    reasoning: the most tokens that the judge may write before each grade; 0 reads the grade off at once.

    Raises UsageError for several repeats without reasoning.
    """
    if repeats > 1 and not reasoning:
        raise UsageError(
            f"expected_score would read the same {repeats} times", "Give reasoning=TOKENS as well, or leave repeats out"
        )
    name = spelled("expected_score", levels=levels, criteria=criteria, repeats=repeats, reasoning=reasoning, role=role)
    letters = string.ascii_uppercase[:levels]
    scale = LEVELS.format(levels=levels, middle=letters[levels // 2], last=letters[-1])
    asked = (THEN if reasoning else LETTER).format(last=letters[-1])
    questions = [f"Criterion: {criterion}\n\n{scale}\n{asked}" for criterion in criteria or [CORRECT]]
    values = np.linspace(1.0, 0.0, levels)

    def worth(told: Sequence[Decision]) -> float:
        return float(np.mean([each.probabilities @ values for each in told]))

    return Judge(name, questions, list(letters), role, worth, repeats, reasoning)
