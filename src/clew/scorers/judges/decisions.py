"""Decisions: questions with fixed options that a model answers by their probabilities, without writing a reply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clew.errors import UsageError
from clew.models.base import Model
from clew.problem import Message
from clew.scorers.base import Reals
from clew.thinking import THINK_CLOSE, left_open, visible
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Search


@dataclass(frozen=True, slots=True)
class Decision:
    """The probabilities that a model gives the options of one question.

    options: the k replies to choose among.
    logprobs: the log-probability that the model's reply begins with each option, float64[k], in nats.
    """

    options: tuple[str, ...]
    logprobs: Reals

    @property
    def probabilities(self) -> Reals:
        """The probability of each option, given that the reply is one of them, float64[k].

        All are equal where the model gives every option the probability 0.
        """
        top = self.logprobs.max()
        if not np.isfinite(top):
            return np.full(len(self.options), 1 / len(self.options))
        weights = np.exp(self.logprobs - top)
        return np.asarray(weights / weights.sum(), np.float64)

    @property
    def mass(self) -> float:
        """The probability that the reply is one of the options, in [0, 1].

        Where it is small, the model would rather reply something else, and its choice among the options means little.
        """
        return float(np.exp(self.logprobs).sum())


async def decide(
    search: Search, questions: Sequence[Sequence[Message]], options: Sequence[str], *, role: str = "judge"
) -> list[Decision]:
    """Let a model decide many questions in one batch of teacher forcing, in which nothing is generated.

    The tokens of the prompts that the search has not computed yet are charged, and the tokens of each option.

    search: the search that the questions belong to.
    questions: the conversations; the last turn of each asks for one of the options as the whole reply.
    options: the replies to choose among, spelled as the reply would begin; the same for every question.
    role: the role whose model decides.

    Raises UsageError and BudgetExhausted as `choose` does.
    """
    return await choose(search, [search.add_root(question, role=role) for question in questions], options, role=role)


async def choose(
    search: Search, nodes: Sequence[Node], options: Sequence[str], *, role: str = "judge"
) -> list[Decision]:
    """Let a model decide with which of the options each node continues, in one batch as `decide` does.

    search: the search that the nodes belong to.
    nodes: the texts that are continued.
    options: the continuations to choose among.
    role: the role whose model decides.

    Raises UsageError for options that the model cannot tell apart, for a model that cannot score a text
    (`Capability.SCORE`), and for a node in which a thinking block is open. Raises BudgetExhausted when the budget does
    not pay for all of them.
    """
    _check(search.models.get(role, search.model), options)
    refuse_thinking(nodes, role)
    read = await search.force(
        [node for node in nodes for _ in options], [*options] * len(nodes), role=role, label="option"
    )
    told = np.array([np.sum(np.asarray(child.segment.logprob, np.float64)) for child in read])
    return [Decision(tuple(options), row) for row in told.reshape(len(nodes), len(options))]


def refuse_thinking(nodes: Sequence[Node], role: str) -> None:
    """Refuse to read an option where a thinking block is open, since what follows there is not a reply.

    nodes: the texts after which options are to be read.
    role: the role whose model reads them.

    Raises UsageError for such a node.
    """
    if any(_thinking(node) for node in nodes):
        raise UsageError(
            f"the model of the role {role} thinks before it replies, so its first words are not a decision",
            f"Turn thinking off in its template, or choose another model with --role {role}=MODEL",
        )


def _thinking(node: Node) -> bool:
    """Whether a thinking block is open at the end of this node, opened by the prompt or by the reply."""
    reply = node.solution
    return visible(reply) is None or (not THINK_CLOSE.search(reply) and left_open(node.text.removesuffix(reply)))


def _check(model: Model, options: Sequence[str]) -> None:
    """Refuse options that the model cannot tell apart.

    Where one option is the beginning of another one in the model's tokens, the probability of the shorter one contains
    that of the longer one.

    Raises UsageError for such options, and for fewer than two.
    """
    if len(options) < 2:
        raise UsageError(
            f"a decision among {list(options)} decides nothing: there are fewer than two options", "Give at least two"
        )
    spelled = [tuple(model.encode(option).token_ids.tolist()) for option in options]
    for i, one in enumerate(spelled):
        for j, other in enumerate(spelled):
            if i != j and (other[: len(one)] == one if min(one) >= 0 else options[j].startswith(options[i])):
                raise UsageError(
                    f"{model.name} cannot tell the option {options[i]!r} from the beginning of {options[j]!r}",
                    "Choose options of which none begins another one, such as single letters",
                )
