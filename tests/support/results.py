"""Finished searches made by hand: real problems, trees, ledgers and methods, with texts that nobody sampled."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from clew.budget import Budget, Cost
from clew.ledger import Ledger
from clew.problem import Answer, Message, Problem, Status
from clew.registry import methods
from clew.result import Proposal, Result
from clew.sampling import Stream
from clew.tree import Finish, Node, Origin, Segment, Tree

COST = Cost(params=100.0, layers=2, width=8, usd_input=1.0, usd_output=4.0)
PROMPT = 10


def problem(id: str = "p", right: str = "yes", question: str = "Is it so?", family: str = "toy") -> Problem:
    return Problem(
        id,
        (Message("user", question),),
        family=family,
        grader=lambda value: float(value == right),
        reference=right,
        max_tokens=100,
    )


def segment(text: str, tokens: int) -> Segment:
    rng = np.random.default_rng(zlib.crc32(text.encode("utf-8", "replace")))
    logprob = -rng.random(tokens).astype(np.float32)
    return Segment(
        np.arange(tokens, dtype=np.int32),
        text,
        np.zeros(tokens, np.int32),
        Finish.END,
        logprob=logprob,
        entropy=-logprob,
        certainty=-logprob,
    )


def sampled(
    samples: Sequence[tuple[str, int]],
    *,
    of: Problem | None = None,
    method: str = "self_consistency",
    budget: Budget | None = None,
    seed: int = 0,
    completed: Sequence[int] | None = None,
    lost: int = 0,
) -> Result:
    """A search that drew these (text, tokens), proposing the vote after each, in order of completion.

    lost: tokens of a last sample that the budget cut.
    """
    asked = of or problem()
    entry, given = methods.resolved(method)
    aggregate, params = entry.aggregate, entry.completed(given)
    tree, ledger = Tree(), Ledger(Budget(), clock=lambda: 0.0)
    root = tree.add(
        None,
        Segment(np.arange(PROMPT, dtype=np.int32), "Is it so?", np.zeros(PROMPT, np.int32)),
        Origin.PROMPT,
        Stream(0),
    )
    leaves = [tree.add(root, segment(text, n), Origin.SAMPLED, Stream(0, i)) for i, (text, n) in enumerate(samples)]
    proposals: list[Proposal] = []
    done: list[Node] = []
    for k, i in enumerate(completed or range(len(leaves))):
        gauge = ledger.open("m", "generate", COST, fresh=0 if k else PROMPT, reused=PROMPT if k else 0)
        gauge.computed(0 if k else PROMPT)
        for _ in range(samples[i][1]):
            gauge.take()
        done.append(leaves[i])
        usage = ledger.usage
        usage.seconds = float(k + 1)
        proposals.append(Proposal(aggregate(asked, done, params), usage))
    if lost:
        gauge = ledger.open("m", "generate", COST, fresh=0, reused=PROMPT)
        for _ in range(lost):
            gauge.take()
    usage = ledger.usage
    usage.seconds = float(len(samples) + bool(lost))
    answer = proposals[-1].answer if proposals else Answer(None, status=Status.EXHAUSTED)
    grade = 0.0 if answer.value is None else asked.grader(answer.value) if asked.grader else None
    return Result(
        asked,
        method,
        seed,
        budget or Budget(),
        answer,
        grade,
        usage,
        tree,
        proposals,
        tuple(leaf.id for leaf in leaves),
        COST,
    )


def stamped(
    steps: Sequence[tuple[str | None, int]],
    *,
    of: Problem | None = None,
    method: str = "greedy",
    budget: Budget | None = None,
    seed: int = 0,
    status: Status = Status.ANSWERED,
    after: int = 0,
) -> Result:
    """A search that proposed each value after so many further tokens, and spent `after` more."""
    asked = of or problem()
    tree, ledger = Tree(), Ledger(Budget(), clock=lambda: 0.0)
    root = tree.add(
        None,
        Segment(np.arange(PROMPT, dtype=np.int32), "Is it so?", np.zeros(PROMPT, np.int32)),
        Origin.PROMPT,
        Stream(0),
    )
    gauge = ledger.open("m", "generate", COST, fresh=PROMPT, reused=0)
    gauge.computed(PROMPT)
    proposals = []
    for i, (value, tokens) in enumerate(steps):
        for _ in range(tokens):
            gauge.take()
        text = f"I think {value}"
        leaf = tree.add(root, segment(text, tokens), Origin.SAMPLED, Stream(0, i))
        usage = ledger.usage
        usage.seconds = float(i + 1)
        proposals.append(Proposal(Answer(value, text, node=leaf, status=status), usage))
    for _ in range(after):
        gauge.take()
    usage = ledger.usage
    usage.seconds = float(len(steps) + bool(after))
    answer = proposals[-1].answer if proposals else Answer(None, status=status)
    grade = 0.0 if answer.value is None else asked.grader(answer.value) if asked.grader else None
    return Result(asked, method, seed, budget or Budget(), answer, grade, usage, tree, proposals, (), COST)
