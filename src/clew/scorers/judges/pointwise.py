"""Judges of single solutions: `decision`, `p_true` and `expected_score`, from the probabilities of one-word replies."""

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

JudgeRole = Annotated[str, Meaning("The role whose model judges (`--role judge=MODEL`).")]

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
    """The part of a prompt that shows a judge the problem and the solutions.

    The problem comes first, and the caller adds the question at the end. So all questions about one solution, and about
    all solutions of one problem, begin with the same tokens, which are computed once.

    search: the search, whose problem it is.
    solutions: the texts of the solutions.
    """
    names = [""] if len(solutions) == 1 else [f" {letter}" for letter in string.ascii_uppercase]
    shown = [f"Solution{name}:\n{solution.strip()}" for name, solution in zip(names, solutions, strict=False)]
    return "\n\n".join([f"Problem:\n{search.problem.question}", *shown, ""])


@dataclass(frozen=True, slots=True)
class Judge:
    """A scorer that asks a model questions about each solution, and makes one score of the decisions.

    name: the name under which its scores are recorded.
    questions: the questions about each solution.
    options: the replies that the model chooses among.
    role: the role whose model decides.
    score: from all decisions on one solution to its score.
    repeats: how often each question is decided.
    reasoning: the most tokens of reasoning that the model writes before each decision; 0 is none.
    """

    name: str
    questions: Sequence[str]
    options: Sequence[str]
    role: str
    score: Callable[[Sequence[Decision]], float]
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
        return [self.score(decisions[i * each : (i + 1) * each]) for i in range(len(nodes))]

    async def _reasoned(self, search: Search, asked: Sequence[Sequence[Message]]) -> list[Decision]:
        """Decisions after reasoning: the model writes, `VERDICT` is appended, and the decision is made after that."""
        until = tokens(self.reasoning)
        drafts = await search.together(
            *(search.ask(question, role=self.role, n=self.repeats, until=until) for question in asked)
        )
        points = [await search.insert(draft, VERDICT) for replies in drafts for draft in replies]
        return await choose(search, points, self.options, role=self.role)


@scorer("decision", family="judge", needs={"score"}, proof=PROOF, scale="probability")
def decision(*, question: Text = QUESTION, yes: Text = "Yes", no: Text = "No", role: JudgeRole = "judge") -> Scorer:
    """The probability that a model replies yes, and not no, to a question about the solution.

    question: the question about the solution; it should name the two replies.
    yes: the reply that speaks for the solution.
    no: the reply that speaks against it.
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
    """P(True): the probability that a model replies True, and not False, when it is asked about the solution.

    Section 3.1 of the paper. The replies are the letters A and B.
    """
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
    """The expected grade that a model gives the solution, Σ value · p(letter), from 0 (worst) to 1 (best).

    The score is the mean over all criteria and repeats.

    levels: G, the number of grades, letters from A (the best). With many of them the expectation tells solutions apart
        that would get the same letter.
    criteria: what is graded, one criterion after the other; correctness unless it is given.
    repeats: K, how often each criterion is graded. More than 1 needs `reasoning`, as nothing else differs between
        repeats.
    reasoning: the most tokens that the judge may write before each grade; 0 is none.

    Raises UsageError for more than one repeat without reasoning.
    """
    if repeats > 1 and not reasoning:
        raise UsageError(
            f"expected_score?repeats={repeats} would give the same grade {repeats} times, as nothing is sampled",
            "Give reasoning=TOKENS as well, or leave repeats out",
        )
    name = spelled("expected_score", levels=levels, criteria=criteria, repeats=repeats, reasoning=reasoning, role=role)
    letters = string.ascii_uppercase[:levels]
    scale = LEVELS.format(levels=levels, middle=letters[levels // 2], last=letters[-1])
    asked = (THEN if reasoning else LETTER).format(last=letters[-1])
    questions = [f"Criterion: {criterion}\n\n{scale}\n{asked}" for criterion in criteria or [CORRECT]]
    values = np.linspace(1.0, 0.0, levels)

    def score(told: Sequence[Decision]) -> float:
        return float(np.mean([each.probabilities @ values for each in told]))

    return Judge(name, questions, list(letters), role, score, repeats, reasoning)
