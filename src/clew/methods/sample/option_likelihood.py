"""`option_likelihood`: multiple choice by likelihood; the most probable option answers, and nothing is written."""

from __future__ import annotations

import string
from typing import Literal

import numpy as np

from clew.problem import Answer, Message
from clew.registry import method
from clew.scorers.judges.decisions import Decision, refuse_thinking
from clew.search import GENERATE, Search
from clew.tree import Node

NOTHING = "Answer:"
"""The text before an option where its probability without the question is wanted (arXiv:2005.14165)."""

FILLER = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
    "magna aliqua."
)
Normalise = Literal["none", "tokens", "characters", "unconditional"]


@method(
    "option_likelihood",
    family="sample",
    paper="arXiv:2504.07825",
    needs={"score", "options"},
    proof="tests/methods/sample/test_option_likelihood.py",
    departs="The question is a chat turn, and the option begins the reply; evaluation harnesses continue a text.",
)
async def option_likelihood(
    search: Search,
    *,
    by: Literal["letter", "text"] = "letter",
    normalise: Normalise = "none",
    question: Literal["asked", "nothing", "filler"] = "asked",
) -> Answer:
    """Read each option of a multiple-choice problem as the reply, and answer the one of the greatest log-probability.

    The confidence is the probability of that option among the options.

    by: what is read: the letter of the option (as MMLU is scored) or its text (as HellaSwag is).
    normalise: how log-probabilities are made comparable.
        `none`: not at all. `tokens`, `characters`: divided by the length of the option, as long texts are less
        probable. `unconditional`: less the log-probability of the option without the question, as some texts are
        probable after anything (arXiv:2005.14165, section 2.4).
    question: what stands before the options: the question, nothing, or a filler text. Without the question a model
        should do no better than guess; what it still gets right, the options alone give away (the paper's experiment).
    """
    options = search.problem.options
    assert options is not None  # a declared need
    letters = string.ascii_uppercase[: len(options)]
    texts = [*letters] if by == "letter" else list(options)
    turns = {
        "asked": search.problem.messages,
        "nothing": (Message("user", NOTHING),),
        "filler": search.problem.asking(FILLER),
    }
    root = search.root if question == "asked" else search.add_root(turns[question], role=GENERATE)
    refuse_thinking([root], GENERATE)
    read = await search.force([root] * len(texts), texts, label="option")
    values = np.array([_log_probability(node) for node in read])
    if normalise == "tokens":
        values /= [max(len(node.segment), 1) for node in read]
    elif normalise == "characters":
        values /= [max(len(text), 1) for text in texts]
    elif normalise == "unconditional":
        without = search.add_root(turns["nothing"], role=GENERATE)
        alone = await search.force([without] * len(texts), texts, label="unconditional")
        values -= [_log_probability(node) for node in alone]
    best = int(values.argmax())
    confidence = Decision(tuple(texts), values).probabilities[best]
    return Answer(letters[best], read[best].solution, float(confidence), read[best])


def _log_probability(node: Node) -> float:
    """The log-probability of the text that was read, in nats."""
    return float(np.sum(np.asarray(node.segment.logprob, np.float64)))
