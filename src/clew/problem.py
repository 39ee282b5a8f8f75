"""Problems, the messages that pose them, and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from clew.errors import UsageError
from clew.thinking import THINK_CLOSE, left_open

if TYPE_CHECKING:
    from clew.tree import Node

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    role: who speaks.
    content: a text, or a list of OpenAI content parts (texts and images) for models that read images.
    """

    role: Role
    content: str | Sequence[Mapping[str, Any]]

    @property
    def text(self) -> str:
        """The text of the turn; image parts are left out."""
        if isinstance(self.content, str):
            return self.content
        return "".join(str(p.get("text", "")) for p in self.content if p.get("type") == "text")


RIGHT = 1.0
"""The least grade of an answer that counts as right; 0 is wrong, and what is between is partly right."""


def is_right(grade: float | None) -> bool:
    """Whether an answer of this grade (in [0, 1], None where it cannot be graded) counts as right."""
    return grade is not None and grade >= RIGHT


def identity(text: str) -> str | None:
    """The stripped text itself as the answer; None where there is none."""
    return text.strip() or None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its prompt, how an answer is read from a solution, and how it is checked.

    id: names the problem within its run.
    messages: the conversation that poses it.
    family: the task that it is of.
    difficulty: the value of the task's dial; None where the task has none.
    extract: solution text → canonical answer, or None where the text states none. Two solutions vote for the same
        answer exactly when their canonical answers are equal strings.
    verifier: canonical answer → worth in [0, 1], without knowing the gold answer.
    step_verifier: solution text so far → soundness in [0, 1] (can it still become right), without the gold answer.
    grader: canonical answer → grade in [0, 1] against the gold answer; no method may see it.
    reference: a canonical answer that the grader accepts, where one is known; no method may see it either.
    steps: strings that end a step of a solution.
    stop: strings that end a solution.
    max_tokens: the most tokens that a solution may have.
    meta: what else the task knows of the problem (plain data); no method may see it.
    """

    id: str
    messages: tuple[Message, ...]
    family: str = "adhoc"
    difficulty: float | None = None
    verifier: Callable[[str], float] | None = None
    step_verifier: Callable[[str], float] | None = None
    grader: Callable[[str], float] | None = None
    extract: Callable[[str], str | None] = identity
    reference: str | None = None
    steps: tuple[str, ...] = ("\n\n",)
    stop: tuple[str, ...] = ()
    max_tokens: int = 512
    meta: Mapping[str, Any] = field(default_factory=dict)

    def remembering(self) -> Problem:
        """The same problem with an extractor and a grader that remember their results, since votes ask them often."""
        return replace(self, extract=cache(self.extract), grader=self.grader and cache(self.grader))

    def posed(self) -> Problem:
        """The problem as a search is handed it: without what tells the right answer (grader, reference, and of `meta`
        all but the options)."""
        shown = {} if self.options is None else {"choices": self.options}
        return replace(self, grader=None, reference=None, meta=shown)

    @property
    def options(self) -> tuple[str, ...] | None:
        """The texts of the options among which the answer names one by its letter, A first; None without options."""
        return tuple(self.meta.get("choices", ())) or None

    def prompted(
        self, *, system: str | None = None, stop: Sequence[str] = (), max_tokens: int | None = None
    ) -> Problem:
        """The same problem with another system prompt, other stop strings, or another limit on a solution's tokens.

        system: the system prompt.
        stop: strings that end a solution.
        max_tokens: the most tokens of a solution.

        What is not given stays as it is. Raises UsageError for a limit below 1, and for an empty stop string.
        """
        if max_tokens is not None and max_tokens < 1:
            raise UsageError(f"a solution cannot be limited to {max_tokens} tokens", "Allow it at least 1")
        if "" in stop:
            raise UsageError("an empty stop string would end every solution", "Leave it out")
        told = () if system is None else (Message("system", system),)
        turns = self.messages if system is None else tuple(m for m in self.messages if m.role != "system")
        return replace(
            self,
            messages=(*told, *turns),
            stop=tuple(stop) or self.stop,
            max_tokens=self.max_tokens if max_tokens is None else max_tokens,
        )

    def answer_in(self, node: Node) -> str | None:
        """The canonical answer that a solution states, or None.

        Where the prompt ends inside a thinking block, as templates of reasoning models make it, there is no answer
        before that block is closed.
        """
        text = node.solution
        if not THINK_CLOSE.search(text) and left_open(node.text.removesuffix(text)):
            return None
        return self.extract(text)

    def grade(self, value: str | None) -> float | None:
        """The grade in [0, 1] of a canonical answer: 0 for None (no answer), None where the problem has no grader."""
        if self.grader is None:
            return None
        return 0.0 if value is None else float(self.grader(value))

    @property
    def question(self) -> str:
        """The text of the last user turn."""
        users = [m for m in self.messages if m.role == "user"]
        return users[-1].text if users else ""

    def asking(self, question: str) -> tuple[Message, ...]:
        """The messages with another text of the last user turn (which there must be); its images stay."""
        last = max(i for i, m in enumerate(self.messages) if m.role == "user")
        old = self.messages[last].content
        content: str | list[Mapping[str, Any]] = question
        if not isinstance(old, str):
            content = [{"type": "text", "text": question}, *(part for part in old if part.get("type") != "text")]
        return (*self.messages[:last], Message("user", content), *self.messages[last + 1 :])


class Status(StrEnum):
    """Why a search ended."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"  # it ended without an answer of its own accord
    EXHAUSTED = "exhausted"  # the budget ended it; the answer, if any, is the best proposal so far
    INTERRUPTED = "interrupted"  # the user ended it; the answer, if any, is the best proposal so far


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method answers.

    value: the canonical answer; None where there is none.
    text: a solution that states it.
    confidence: in [0, 1]; None where the method has no estimate.
    node: the leaf of that solution.
    votes: canonical answer → weight, where the method voted.
    status: why the search ended.
    """

    value: str | None
    text: str = ""
    confidence: float | None = None
    node: Node | None = None
    votes: Mapping[str, float] = field(default_factory=dict)
    status: Status = Status.ANSWERED
