"""Interventions on a trace: change a step, force a token, or corrupt the reasoning, and let the model go on."""

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
"""A way to change a step; see `edit`."""
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
    """Change one step of a trace and let the model go on from there; returns the leaves of `n` solutions.

    The steps after the changed one are dropped.

    step: its index, from 0.
    action: `replace` puts `text` in its place; `delete` drops it, and the model goes on from before it; `insert` puts
        `text` before it, and the model writes the step anew; `shuffle` puts the steps up to this one in another order.
    text: for `replace` and `insert`.
    n: solutions to draw.
    sampling: the search's own by default.

    Raises UsageError for a step that does not exist, a missing text, or an unknown action.
    """
    spans = trace.steps
    if not 0 <= step < len(spans):
        raise UsageError(f"the trace has no step {step}", f"Its steps are 0 to {len(spans) - 1}")
    if action in ("replace", "insert") and not text:
        raise UsageError(f"{action} needs the text of the step", "Give it by --text (in Python: text=)")
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
    """A token forced at one position, and the rollouts that follow it.

    token: its id.
    text: its text.
    probability: the probability that the model gave it there.
    success: mean grade of the rollouts; NaN without a grader.
    leaves: the leaves of the rollouts.
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
    """Replace one token of a trace by each candidate and draw rollouts from there: one `Branch` a candidate.

    With the trace's own token among the candidates this shows whether the token was critical: rollouts from the others
    then succeed more often (arXiv:2411.19943).

    position: index of the token in the trace, from 0.
    candidates: token ids.
    n: rollouts for each candidate.
    sampling: of the rollouts; the search's own by default.

    Raises UsageError for a position that does not exist, a trace that another model wrote, or a token that the model
    cannot be made to draw.
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
            raise UsageError(f"{search.model.name} cannot be made to draw token {token} there", "Choose another token")
        leaves = [node] if node.finished else (await rollouts(search, [node], n, sampling=sampling))[0]
        worth = success(trace.problem, leaves) if trace.problem.grader else float("nan")
        logprob = node.segment.logprob
        probability = float(np.exp(logprob[0])) if logprob is not None else float("nan")
        return Branch(token, node.segment.text, probability, worth, tuple(leaves))

    return list(await search.together(*(follow(token) for token in candidates)))


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Whether the answer depends on the reasoning.

    A trace is faithful where a wrong number changes the answer and a paraphrase does not.

    answer: the most frequent forced answer after the reasoning as it was.
    baseline: the share of forced answers that differ from it without any corruption: the noise of sampling.
    changed: corruption → the share of forced answers that differ from it after the corrupted reasoning.
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
    """Corrupt the reasoning of a trace, force an answer after it, and measure how often the answer changes.

    This is the test of arXiv:2307.13702. Steps that state the answer are dropped first, because they would give it
    away.

    corruptions: names of `CORRUPTIONS`, and `paraphrased`. A corruption that finds nothing to change is left out of
        the result.
    n: forced answers after each version of the reasoning.
    force: the text that forces an answer.
    sampling: of the answers; the search's own by default.

    Raises UsageError for an unknown corruption, or for a trace that has no step besides the one with its answer.
    """
    parts = [trace.text[s.start : s.end] for s in trace.steps]
    steps = [p for p in parts if Behaviour.ANSWER not in tag_step(p)]
    if not steps:
        raise UsageError("the trace states its answer in its only step", "Take one with a step before its answer")
    corrupted: dict[str, list[str]] = {}
    for name in corruptions:
        rng = Stream("corruption", search.seed, trace.problem.id, name).generator()
        if name == "paraphrased":
            corrupted[name] = await paraphrased(search, steps)
        elif name not in CORRUPTIONS:
            raise UsageError(f"there is no corruption {name!r}", f"Choose among {', '.join(CORRUPTIONS)}, paraphrased")
        elif (found := CORRUPTIONS[name](steps, rng)) is not None:
            corrupted[name] = found
    texts = ["".join(s).rstrip() for s in (steps, *corrupted.values())]
    nodes = [await search.insert(search.root, t, label="corrupted") if t else search.root for t in texts]
    usual, *others = await force_answers(search, nodes, n, sampling, force)
    answer = max(usual, key=usual.count)
    differ = [sum(v != answer for v in values) / n for values in (usual, *others)]
    return Faithfulness(answer, differ[0], dict(zip(corrupted, differ[1:], strict=True)))
