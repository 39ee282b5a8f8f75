"""Decisions: typed questions that a model answers by the probabilities of their options, without writing a reply."""

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
    """What a model thinks of the options of one question.

    options: the replies that it could choose among.
    logprobs: float64[k], nats: the log-probability that the reply begins with each option.
    """

    options: tuple[str, ...]
    logprobs: Reals

    @property
    def probabilities(self) -> Reals:
        """float64[k]: the probability of each option, given that the reply is one of them.

        All are equal where the model takes every option for impossible.
        """
        top = self.logprobs.max()
        if not np.isfinite(top):
            return np.full(len(self.options), 1 / len(self.options))
        weights = np.exp(self.logprobs - top)
        return np.asarray(weights / weights.sum(), np.float64)

    @property
    def mass(self) -> float:
        """The probability, in [0, 1], that the reply is one of the options at all. Where it is small, the model would
        rather say something else, and its choice among the options means little."""
        return float(np.exp(self.logprobs).sum())


async def decide(
    search: Search, questions: Sequence[Sequence[Message]], options: Sequence[str], *, role: str = "judge"
) -> list[Decision]:
    """Have a model decide many questions at once: one batch of teacher forcing, in which nothing is generated.

    questions: a conversation each; its last turn asks for one of the options as the whole reply.
    options: the replies to choose among, spelled as the reply would begin. For every question the same.
    role: whose model decides.

    The prompts are charged as far as the search has not computed them yet, and each option as its tokens.

    Raises what `choose` raises.
    """
    return await choose(search, [search.add_root(question, role=role) for question in questions], options, role=role)


async def choose(
    search: Search, nodes: Sequence[Node], options: Sequence[str], *, role: str = "judge"
) -> list[Decision]:
    """What a model would go on with after each node, if it had to be one of the options. One batch, as in `decide`.

    Raises UsageError for options that the model cannot tell apart, for a model that cannot score a given text
    (`Capability.SCORE`), or while a thinking block is open; BudgetExhausted when the budget does not pay for all.
    """
    _check(search.models.get(role, search.model), options)
    if any(_thinking(node) for node in nodes):
        raise UsageError(
            f"the model that plays {role} thinks before it replies, so its first words are not a decision",
            f"Turn thinking off in its template, or give --role {role}=MODEL another model",
        )
    read = await search.force(
        [node for node in nodes for _ in options], [*options] * len(nodes), role=role, label="option"
    )
    told = np.array([np.sum(np.asarray(child.segment.logprob, np.float64)) for child in read])
    return [Decision(tuple(options), row) for row in told.reshape(len(nodes), len(options))]


def _thinking(node: Node) -> bool:
    """Whether a thinking block is open at this node, be it the prompt or the reply that opened it."""
    reply = node.solution
    return visible(reply) is None or (not THINK_CLOSE.search(reply) and left_open(node.text.removesuffix(reply)))


def _check(model: Model, options: Sequence[str]) -> None:
    """Raise UsageError where one option is the beginning of another one in the model's tokens: the probability of the
    shorter one would contain that of the longer one."""
    if len(options) < 2:
        raise UsageError(f"a decision among {list(options)} decides nothing", "Give at least two options")
    spelled = [tuple(model.encode(option).token_ids.tolist()) for option in options]
    for i, one in enumerate(spelled):
        for j, other in enumerate(spelled):
            if i != j and (other[: len(one)] == one if min(one) >= 0 else options[j].startswith(options[i])):
                raise UsageError(
                    f"{model.name} cannot tell the option {options[i]!r} from the beginning of {options[j]!r}",
                    "Choose options of which none begins another one, such as single letters",
                )
