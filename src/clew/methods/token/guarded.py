"""Guarded writing: a check of the partial text sends the model back to the last accepted point."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np

from clew.methods.common.particles import EVIDENCE, Particles, log_ratio
from clew.methods.common.resampling import effective_sample_size, resample
from clew.methods.common.rewinding import Trail, starts, stuck, token_at, token_ends
from clew.parameters import Count, Range, Share, Temperature
from clew.problem import Answer, Problem, Status
from clew.registry import method
from clew.sampling import STEP, Sampling, tokens
from clew.search import Search
from clew.tree import Finish, Node, leave

Guard = Callable[[str, bool], bool]
"""The solution so far, and whether the model has ended it → whether it may go on (or stay) so.

A guard must be closed under beginnings: what it refuses it refuses however the text goes on.
"""
GuardSpec = Literal["problem", "json"] | Guard
Unit = Literal["token", "step"]
ALL = 1e-6
"""A token with a log-probability so near to 0 is all that is left."""


def json_guard(text: str, whole: bool) -> bool:
    """Whether the text is JSON, or the beginning of it."""
    from jiter import from_json

    try:
        from_json(text.encode(), allow_inf_nan=False)
    except ValueError as error:
        # The parser stops at the first thing that is wrong: if that is the end, all before it was right.
        return not whole and str(error).startswith("EOF")
    return True


def guard_of(guard: GuardSpec, problem: Problem) -> Guard:
    """The guard of that name, or the guard itself.

    `json`: see `json_guard`. `problem`: what the problem's step verifier says of the partial solution, above 0.
    """
    if callable(guard):
        return guard
    if guard == "json":
        return json_guard
    check = problem.step_verifier
    assert check is not None  # the need `step_verifier` was checked
    return lambda text, whole: check(text) > 0


def _needs(params: Mapping[str, Any]) -> set[str]:
    return {"step_verifier"} if params["guard"] == "problem" else set()


@method(
    "guarded",
    family="token",
    needs={"text", "continue"},
    needs_if=_needs,
    proof="tests/methods/token/test_guarded.py",
    departs="Biased: each token is drawn from what the guard leaves there, renormalised, as grammar-constrained "
    "decoding does: a beginning that can hardly be completed is as likely as one that surely can. `guarded_exact` is "
    "the unbiased one.",
)
async def guarded(
    search: Search,
    *,
    guard: GuardSpec = "problem",
    unit: Unit | None = None,
    n: Count = 1,
    retries: Count = 16,
    limit: Count = 256,
    temperature: Temperature | None = None,
) -> Answer:
    """Write n solutions whose every beginning a guard accepts: go back to the last accepted point and on (biased).

    The distribution is locally renormalised, not the model's own given that the guard accepts: see `guarded_exact`.
    unit: `token`: the first token that the guard refuses is undone and banned there; `step`: only whole steps are
    judged, and a refused one is drawn again (None: step for guard=problem, else token).
    retries: alternatives at one place before the token (or step) ahead of it is undone too. limit: rewinds a solution;
    after that it stays as far as it was accepted. Rewinds and undone tokens are scores of each final leaf
    (`guarded_rewinds`, `guarded_tokens`).

    guard: what refuses a text: the problem's step verifier, JSON, or (in Python) a function.
    n: solutions written side by side; they vote.
    """
    accepts = guard_of(guard, search.problem)
    write = _write_steps if _unit(unit, guard) == "step" else _write
    trails = [Trail(search, at, search.at(temperature), retries, limit) for at in await starts(search, n)]
    return search.pick(await search.together(*(write(trail, accepts) for trail in trails)))


def _unit(unit: Unit | None, guard: GuardSpec) -> Unit:
    return unit or ("step" if guard == "problem" else "token")


async def _write_steps(trail: Trail, accepts: Guard) -> Node:
    start, refused = trail.node, Counter[Node]()
    while not trail.node.finished and trail.rewinds <= trail.limit:
        (grown,) = await trail.search.extend(trail.node, until=STEP, sampling=trail.sampling)
        if accepts(grown.solution, grown.complete):
            trail.node = grown
            continue
        leave([grown], "refused by the guard")
        trail.rewinds += 1
        trail.undone += len(grown.segment)
        refused[trail.node] += 1
        while refused[trail.node] >= trail.retries and trail.node is not start:
            trail.undone += len(trail.node.segment)
            trail.node = trail.search.rewind(trail.node, steps=1)
            refused[trail.node] += 1
        if refused[start] >= trail.retries:
            break
    trail.record("guarded")
    return trail.node


async def _write(trail: Trail, accepts: Guard) -> Node:
    ended = False
    while not ended:
        before = trail.node
        grown, ended = await trail.grow(lambda text: _refused(accepts, text))
        if stuck(grown):
            ended = not trail.undo(before, before.tokens)
        elif length := _first_refused(accepts, grown, before.tokens, ended):
            ended = not trail.undo(grown, length)
        else:
            trail.node = grown
    trail.record("guarded")
    return trail.node


def _refused(accepts: Guard, text: str) -> bool:
    try:
        return not accepts(text, False)
    except Exception:
        # Raised again where the method asks the same: an engine's thread is no place for a guard's errors.
        return True


def _first_refused(accepts: Guard, grown: Node, old: int, ended: bool) -> int:
    """How many tokens the shortest refused beginning has; 0 where all is accepted. The first `old` tokens are."""
    text = grown.solution
    if accepts(text, ended and grown.finish is not Finish.LENGTH):
        return 0
    ends = token_ends(grown)
    shorter = range(old + 1, len(ends))
    return min(bisect_left(shorter, True, key=lambda k: not accepts(text[: ends[k - 1]], False)) + old + 1, len(ends))


@method(
    "guarded_exact",
    family="token",
    paper="arXiv:2504.05410",
    needs={"text", "continue", "logprobs"},
    needs_if=_needs,
    proof="tests/methods/token/test_guarded.py",
    departs="By steps (unit=step) a rejected step is drawn again with replacement.",
)
async def guarded_exact(
    search: Search,
    *,
    guard: GuardSpec = "problem",
    n: Count = 8,
    unit: Unit | None = None,
    retries: Count = 16,
    ess: Share = 0.5,
    temperature: Annotated[Temperature, Range(above=0)] = 1.0,
) -> Answer:
    """Sample from the model's own distribution given that the guard accepts: rejection by rewinding, unbiased weights.

    Each particle draws a token (or step) until the guard accepts one, and gets an unbiased estimate of the chance of
    that as its weight; particles are resampled when the effective sample size falls below ess·n. The n solutions vote
    by weight.

    unit: `token`: without replacement (adaptive weighted rejection sampling); `step`: with replacement, for guards that
    judge whole steps (None: step for guard=problem, else token). retries: rejections before a particle is given up,
    which keeps the weights unbiased. The estimate of log P(the guard accepts) is the score `log_evidence` of the root.
    Truncation (top-k, top-p, min-p) is left off.

    guard: as in `guarded`.
    n: particles.
    ess: resample when the effective sample size is below this share of n.
    """
    accepts = guard_of(guard, search.problem)
    sampling = search.at(temperature).but(top_k=0, top_p=1.0, min_p=0.0)
    particles = Particles(search.root, n)
    trial: type[_TokenTrial] | type[_StepTrial] = _TokenTrial if _unit(unit, guard) == "token" else _StepTrial
    while growing := particles.growing:
        trials = [trial(node, retries) if i in growing else None for i, node in enumerate(particles.nodes)]
        while waiting := [t for t in trials if t is not None and not t.decided]:
            # In the order of the particles, whose streams are therefore the same whatever the timing.
            grown = await search.together(*(t.draw(search, sampling) for t in waiting))
            for t, node in zip(waiting, grown, strict=True):
                t.judge(node, not stuck(node) and accepts(node.solution, node.complete))
        particles.nodes = [t.node if t else node for t, node in zip(trials, particles.nodes, strict=True)]
        particles.weigh(np.array([t.log_weight if t else 0.0 for t in trials]))
        if particles.extinct:
            search.root.scores[EVIDENCE] = particles.log_evidence
            return Answer(None, status=Status.ABSTAINED)
        particles.propose(search)
        weights = particles.weights
        if particles.growing and effective_sample_size(weights) < ess * n:
            particles.resample(weights, resample(weights, n, search.rng))
    return particles.conclude(search)


class _TokenTrial:
    """One token by adaptive weighted rejection sampling (arXiv:2504.05410, the recursive estimator).

    With the rejected tokens x_1 … x_k drawn without replacement, each with probability q_i among what was left, and the
    accepted one with q, the weight is Π(1-q_i)·1 if a token drawn after it is accepted too, else Π(1-q_i)·q.
    """

    def __init__(self, start: Node, retries: int) -> None:
        self.start = start
        self.node = start
        self.retries = retries
        self.decided = False
        self.log_weight = 0.0
        self._log_left = 0.0
        self._log_ratio = 0.0
        self._log_chance: float | None = None
        self._tried: frozenset[int] = frozenset()

    async def draw(self, search: Search, sampling: Sampling) -> Node:
        """One token that has not been tried."""
        if self._tried:
            sampling = sampling.but(bans={0: self._tried})
        label = "rejection trial" if self._log_chance is None else "weight trial"
        (node,) = await search.extend(self.start, until=tokens(1), sampling=sampling, label=label)
        return node

    def judge(self, node: Node, accepted: bool) -> None:
        """Take in whether the token was accepted."""
        if self._log_chance is not None:
            # The second token: all that is left, if there is none.
            self._decide(0.0 if accepted or stuck(node) else self._log_chance)
            return
        if stuck(node):
            self.node = node
            self._decide(-np.inf)
            return
        self.node = node
        chosen = node.segment.proposal_logprob
        log_chance = min(0.0, float(chosen[0])) if chosen is not None else 0.0
        self._tried |= {token_at(node, self.start.tokens)}
        if accepted:
            # p/q of the token itself: q as it was before anything was rejected.
            own = node.segment.logprob
            self._log_ratio = (float(own[0]) if own is not None else log_chance) - (self._log_left + log_chance)
            if len(self._tried) > self.retries or log_chance > -ALL:
                self._decide(0.0)
            else:
                self._log_chance = log_chance
        elif len(self._tried) > self.retries or log_chance > -ALL:
            self._decide(-np.inf)
        else:
            self._log_left += float(np.log1p(-np.exp(log_chance)))

    def _decide(self, log_last: float) -> None:
        self.decided = True
        self.log_weight = self._log_left + log_last + self._log_ratio if log_last > -np.inf else -np.inf


class _StepTrial:
    """One step by rejection with replacement.

    The weight is 1/(a+r-1) after a = 2 accepted and r rejected steps (Haldane 1945), or a = 1 and the last retry.
    """

    def __init__(self, start: Node, retries: int) -> None:
        self.start = start
        self.node = start
        self.retries = retries
        self.decided = False
        self.log_weight = -np.inf
        self._accepted = 0
        self._rejected = 0

    async def draw(self, search: Search, sampling: Sampling) -> Node:
        """One step."""
        (node,) = await search.extend(self.start, until=STEP, sampling=sampling, label="rejection trial")
        return node

    def judge(self, node: Node, accepted: bool) -> None:
        """Take in whether the step was accepted."""
        if not accepted:
            leave([node], "refused by the guard")
        if not self._accepted:
            self.node = node
        self._accepted += accepted
        self._rejected += not accepted
        self.decided = self._accepted == 2 or self._rejected >= self.retries
        if self.decided and self._accepted:
            drawn = self._accepted + self._rejected
            self.log_weight = log_ratio(self.node.segment) - float(np.log(drawn - 1))
