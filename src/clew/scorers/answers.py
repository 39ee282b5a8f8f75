"""What the stated answer is worth, and the baselines that look at neither answer nor model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from clew.parameters import Seed
from clew.registry import scorer
from clew.sampling import Stream
from clew.scorers.base import PerNode, per_token, sampled_text, spelled
from clew.thinking import visible
from clew.tree import Node

if TYPE_CHECKING:
    from clew.search import Scorer, Search

PROOF = "tests/scorers/test_answer_scorers.py"


@scorer(
    "answer_confidence",
    family="likelihood",
    paper="arXiv:2510.13501",
    needs={"logprobs"},
    proof=PROOF,
    departs="The answer is found as the task extracts it, not between fixed marks.",
    scale="probability",
)
def answer_confidence() -> Scorer:
    """CRew: the mean probability of the tokens of the final answer, in [0, 1]; 0 without an answer."""

    def worth(search: Search, node: Node) -> float:
        per_token("answer_confidence", node, "logprob")
        span = None if search.problem.answer_in(node) is None else answer_span(node.solution, search.problem.extract)
        if span is None:
            return 0.0
        begin, end = span
        inside = [p for b, e, p in sampled_text(node) if b < end and e > begin and not math.isnan(p)]
        return sum(inside) / len(inside) if inside else math.nan

    return PerNode("answer_confidence", worth)


def answer_span(text: str, extract: Callable[[str], str | None]) -> tuple[int, int] | None:
    """Where `text` states its answer: (begin, end), or None where it states none.

    The last place, after any thinking, where the canonical answer is written out as such; where it is written otherwise
    (`1/2` as `\\frac12`), the shortest ending of the text, cut between words, that states the same answer.
    """
    answer, shown = extract(text), visible(text)
    if answer is None or shown is None:
        return None
    begin = len(text) - len(shown)
    left = r"(?<![\w.])" if answer[:1].isalnum() else ""
    right = r"(?!\w)" if answer[-1:].isalnum() else ""
    exact = list(re.compile(left + re.escape(answer) + right).finditer(text, begin))
    if exact:
        return exact[-1].span()
    for word in reversed(list(re.compile(r"\S+").finditer(text, begin))):
        if extract(text[word.start() :]) == answer:
            return word.start(), len(text.rstrip())
    return begin, len(text)


class _VoteShare:
    name = "vote_share"

    async def __call__(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        answers = [search.problem.answer_in(node) for node in nodes]
        votes = Counter(a for a in answers if a is not None)
        return [votes[a] / len(nodes) if a is not None else 0.0 for a in answers]


@scorer("vote_share", family="consensus", paper="arXiv:2203.11171", proof=PROOF, of_set=True, scale="probability")
def vote_share() -> Scorer:
    """The share of the scored nodes that state the same answer, in [0, 1]; 0 without an answer."""
    return _VoteShare()


@scorer("length", family="baseline", proof=PROOF)
def length(*, prefer: Literal["short", "long"] = "short") -> Scorer:
    """The number of tokens of the solution, negative where short ones are preferred.

    prefer: whether short or long solutions score higher.
    """
    sign = 1.0 if prefer == "long" else -1.0
    return PerNode(spelled("length", prefer=prefer), lambda _, node: sign * node.tokens)


@scorer("random", family="baseline", proof=PROOF, scale="probability")
def random(*, seed: Seed = 0) -> Scorer:
    """A number from [0, 1) that depends on the node's place in the tree and on nothing else: a useless judge."""

    def worth(search: Search, node: Node) -> float:
        return float(Stream("random", seed, node.stream.key).generator().random())

    return PerNode(spelled("random", seed=seed), worth)
