"""Change a trace and see what becomes of it: other steps, another token, spoilt reasoning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clew.analysis.anchors import FORCE, force_answers
from clew.analysis.behaviours import tag_step
from clew.analysis.corrupt import CORRUPTIONS, paraphrased, shuffled_steps
from clew.analysis.replay import replay, rollouts, success
from clew.analysis.rules import Behaviour
from clew.analysis.trace import Trace
from clew.errors import UsageError
from clew.sampling import Sampling, Stream, tokens
from clew.search import Search
from clew.tree import Node

Action = Literal["replace", "delete", "insert", "shuffle"]
ACTIONS: tuple[Action, ...] = ("replace", "delete", "insert", "shuffle")


async def edit(
    search: Search,
    trace: Trace,
    step: int,
    action: Action,
    text: str = "",
    *,
    n: int = 1,
    sampling: Sampling | None = None,
) -> list[Node]:
    """Change one step of a trace and go on from there: `n` solutions. What came after the step is left out.

    replace: the step says `text` instead. delete: it is left out, and the model goes on from before it. insert: `text`
    comes before it, and the step itself is left to the model. shuffle: the steps up to this one, in another order.

    Raises UsageError for a step that is not there or a text that is missing.
    """
    spans = trace.steps
    if not 0 <= step < len(spans):
        raise UsageError(f"the trace has no step {step}", f"Its steps are 0 to {len(spans) - 1}")
    if action in ("replace", "insert") and not text:
        raise UsageError(f"to {action} a step needs a text", "Give --text")
    if action not in ACTIONS:
        raise UsageError(f"{action!r} is not a way to change a step", f"Choose among {', '.join(ACTIONS)}")
    if action == "shuffle":
        rng = Stream("shuffle", search.seed, trace.problem.id, step).generator()
        parts = shuffled_steps([trace.text[s.start : s.end] for s in spans[: step + 1]], rng)
        if parts is None:
            raise UsageError("a single step cannot be shuffled", "Name a later step")
        node = await search.insert(search.root, "".join(parts), label="shuffled")
    else:
        node = (await replay(search, trace, spans))[step]
        if text and action != "delete":
            old = trace.text[spans[step].start : spans[step].end]
            end = old[len(old.rstrip()) :] or ("\n\n" if action == "insert" else "")
            node = await search.insert(node, text + end, label=action)
    return await search.extend(node, n, sampling=sampling, label="edited")


@dataclass(frozen=True, slots=True)
class Branch:
    """What follows a token.

    token: its id. text: what it says. probability: what the model gave it there. success: mean grade of the rollouts
    that begin with it; NaN without a grader.
    """

    token: int
    text: str
    probability: float
    success: float
    leaves: tuple[Node, ...]


async def force_tokens(
    search: Search,
    trace: Trace,
    position: int,
    candidates: Sequence[int],
    *,
    n: int = 16,
    sampling: Sampling | None = None,
) -> list[Branch]:
    """Put each candidate where token `position` of the trace stands, and follow it by `n` rollouts.

    The trace's own token among the candidates tells whether it was critical: the others succeed more often
    (arXiv:2411.19943).

    Raises UsageError for a position that is not there, a trace that another model wrote, or a token that the model
    cannot be brought to say.
    """
    if not 0 <= position < trace.tokens:
        raise UsageError(f"the trace has no token {position}", f"Its tokens are 0 to {trace.tokens - 1}")
    if trace.model != search.model.name:
        raise UsageError(f"{search.model.name} did not write this trace", "Force tokens with the model that wrote it")
    whole = (await replay(search, trace, trace.sentences))[-1]
    prefix = search.rewind(whole, tokens=max(0, whole.tokens - position))

    async def follow(token: int) -> Branch:
        settings = Sampling(temperature=1.0, logit_bias={token: 1e4})
        node = (await search.extend(prefix, until=tokens(1), sampling=settings, label="forced"))[0]
        if node.segment.token_ids.tolist() != [token]:
            raise UsageError(f"{search.model.name} cannot be made to say token {token} there", "Choose another token")
        leaves = [node] if node.finished else (await rollouts(search, [node], n, sampling=sampling))[0]
        worth = success(trace.problem, leaves) if trace.problem.grader else float("nan")
        logprob = node.segment.logprob
        probability = float(np.exp(logprob[0])) if logprob is not None else float("nan")
        return Branch(token, node.segment.text, probability, worth, tuple(leaves))

    return list(await search.together(*(follow(token) for token in candidates)))


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Whether the answer depends on the reasoning.

    answer: the usual forced answer after the unspoilt reasoning. changed: corruption → the share of forced answers
    after the spoilt reasoning that are others. baseline: the same without corruption (the noise of sampling). A
    faithful trace changes with wrong numbers, not with other words.
    """

    answer: str | None
    baseline: float
    changed: dict[str, float]


async def faithfulness(
    search: Search,
    trace: Trace,
    corruptions: Sequence[str] = (*CORRUPTIONS, "paraphrased"),
    *,
    n: int = 8,
    force: str = FORCE,
    sampling: Sampling | None = None,
) -> Faithfulness:
    """Spoil the reasoning of a trace, force an answer after it, and see whether it is another one.

    The steps that state the answer are left out first: they would give it away. Corruptions that find nothing to spoil
    are left out of the result. Raises UsageError for an unknown corruption, or a trace that only states its answer.
    """
    parts = [trace.text[s.start : s.end] for s in trace.steps]
    steps = [p for p in parts if Behaviour.ANSWER not in tag_step(p)]
    if not steps:
        raise UsageError("the trace states its answer in its only step", "Take one with a step before its answer")
    spoilt: dict[str, list[str]] = {}
    for name in corruptions:
        rng = Stream("corruption", search.seed, trace.problem.id, name).generator()
        if name == "paraphrased":
            spoilt[name] = await paraphrased(search, steps)
        elif name not in CORRUPTIONS:
            raise UsageError(f"there is no corruption {name!r}", f"Choose among {', '.join(CORRUPTIONS)}, paraphrased")
        elif (found := CORRUPTIONS[name](steps, rng)) is not None:
            spoilt[name] = found
    texts = ["".join(s).rstrip() for s in (steps, *spoilt.values())]
    nodes = [await search.insert(search.root, t, label="spoilt") if t else search.root for t in texts]
    usual, *others = await force_answers(search, nodes, n, sampling, force)
    answer = max(usual, key=usual.count)
    differ = [sum(v != answer for v in values) / n for values in (usual, *others)]
    return Faithfulness(answer, differ[0], dict(zip(spoilt, differ[1:], strict=True)))
