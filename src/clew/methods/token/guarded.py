"""`guarded` and `guarded_exact`: a check of the text so far sends the model back to the last accepted point."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import numpy as np

from clew.methods.common.particles import EVIDENCE, Particles, log_ratio
from clew.methods.common.resampling import Ess
from clew.methods.common.rewinding import Backtracker, Retries, Rewinds, stuck, token_at, token_ends, vote_of
from clew.parameters import Count, Meaning, Range, Temperature
from clew.problem import Answer, Problem, Status
from clew.registry import method
from clew.sampling import STEP, Sampling, tokens
from clew.search import Search
from clew.tree import Finish, Node, leave

Guard = Callable[[str, bool], bool]
"""From the solution so far, and whether the model has ended it, to whether it is accepted.

A guard must be prefix-closed: a text that it refuses, it refuses with any continuation.
"""
GuardSpec = Annotated[
    Literal["problem", "json"] | Guard,
    Meaning("What refuses a text: the problem's step verifier, JSON, or (in Python) a function of text and its end."),
]
Unit = Literal["token", "step"]
UnitChoice = Annotated[
    Unit | None,
    Meaning(
        "What the guard judges: the text after each token, or after each step; steps with guard=problem, else tokens, "
        "unless it is given."
    ),
]
CERTAIN = 1e-6
"""A token whose log-probability is this near to 0, in nats, is the only one that can still be drawn."""


def json_guard(text: str, whole: bool) -> bool:
    """Whether a text is JSON, or, as long as it is not whole, the beginning of JSON."""
    from jiter import from_json

    try:
        from_json(text.encode(), allow_inf_nan=False)
    except ValueError as error:
        # The parser stops at the first error: if that is the end of the text, everything before it was right.
        return not whole and str(error).startswith("EOF")
    return True


def guard_of(guard: GuardSpec, problem: Problem) -> Guard:
    """The guard that a parameter names, or the guard itself.

    guard: a function; `json` for `json_guard`; or `problem`, which accepts what the problem's step verifier scores
        above 0.
    problem: the problem.
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
    departs="It is biased: each token is drawn from those that the guard accepts in its place, renormalised, as in "
    "grammar-constrained decoding. So a beginning that can hardly be completed is as likely as one that surely can. "
    "`guarded_exact` is unbiased.",
)
async def guarded(
    search: Search,
    *,
    guard: GuardSpec = "problem",
    unit: UnitChoice = None,
    n: Count = 1,
    retries: Retries = 16,
    limit: Rewinds = 256,
    temperature: Temperature | None = None,
) -> Answer:
    """Write n solutions of which a guard accepts every beginning: go back to the last accepted point and on (biased).

    How often a solution was rewound and how many tokens were undone are recorded as the scores `guarded_rewinds` and
    `guarded_tokens` of its leaf.

    n: the number of solutions, which vote.
    """
    accepts = guard_of(guard, search.problem)
    how = _write_steps if _unit(unit, guard) == "step" else _write_tokens
    sampling = search.at(temperature)

    async def write(start: Node) -> Node:
        return await how(Backtracker(search, start, sampling, retries, limit), accepts)

    return await vote_of(search, n, write)


def _unit(unit: Unit | None, guard: GuardSpec) -> Unit:
    return unit or ("step" if guard == "problem" else "token")


async def _write_steps(trail: Backtracker, accepts: Guard) -> Node:
    """Write one solution step by step; a refused step is drawn again, and after enough of them the step before it."""
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


async def _write_tokens(trail: Backtracker, accepts: Guard) -> Node:
    """Write one solution; the first refused token is undone and banned in its place."""
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
    """Whether the guard refuses a text that is not whole, or fails on it."""
    try:
        return not accepts(text, False)
    except Exception:
        # This runs in the engine's thread, where an error would fail all searches. The method asks the guard about the
        # same text again, and raises its error there.
        return True


def _first_refused(accepts: Guard, grown: Node, old: int, ended: bool) -> int:
    """How many tokens the shortest refused beginning of a solution has; 0 where the guard accepts all of it.

    accepts: the guard.
    grown: the solution.
    old: how many of its tokens are known to be accepted.
    ended: whether the model has ended it.
    """
    text = grown.solution
    if accepts(text, ended and grown.finish is not Finish.LENGTH):
        return 0
    # The guard is prefix-closed, so the shortest refused beginning is found by bisection.
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
    departs="The paper's method is unit=token; with unit=step, rejected steps are drawn again with replacement.",
)
async def guarded_exact(
    search: Search,
    *,
    guard: GuardSpec = "problem",
    n: Count = 8,
    unit: UnitChoice = None,
    retries: Count = 16,
    ess: Ess = 0.5,
    temperature: Annotated[Temperature, Range(above=0)] = 1.0,
) -> Answer:
    """Sample from the model's own distribution given that the guard accepts: rejection by rewinding, unbiased weights.

    Each particle draws a token (or step) until the guard accepts one, and its weight is multiplied by an unbiased
    estimate of the probability of acceptance. The particles are resampled, and vote by weight. Tokens are drawn without
    replacement (adaptive weighted rejection sampling), steps with replacement. Truncation (top-k, top-p, min-p) is
    switched off. The estimate of log P(the guard accepts) is recorded as the score `log_evidence` of the root.

    n: the number of particles.
    retries: how many rejections in one place give a particle up, with the weight 0, which keeps the weights unbiased.
    """
    accepts = guard_of(guard, search.problem)
    sampling = search.at(temperature).but(top_k=0, top_p=1.0, min_p=0.0)
    particles = Particles(search.root, n)
    trial: type[_TokenTrial] | type[_StepTrial] = _TokenTrial if _unit(unit, guard) == "token" else _StepTrial
    while growing := particles.growing:
        # 1. Every particle draws tokens (or steps) until its trial is decided.
        trials = [trial(node, retries) if i in growing else None for i, node in enumerate(particles.nodes)]
        while waiting := [t for t in trials if t is not None and not t.decided]:
            # The results are taken in in the order of the particles, so timing decides nothing.
            grown = await search.together(*(t.draw(search, sampling) for t in waiting))
            for t, node in zip(waiting, grown, strict=True):
                t.judge(node, not stuck(node) and accepts(node.solution, node.complete))
        # 2. Each stands at its accepted token (or step) now, with the estimate as a factor of its weight.
        particles.nodes = [t.node if t else node for t, node in zip(trials, particles.nodes, strict=True)]
        particles.reweight(np.array([t.log_weight if t else 0.0 for t in trials]))
        if particles.extinct:
            search.root.scores[EVIDENCE] = particles.log_evidence
            return Answer(None, status=Status.ABSTAINED)
        # 3. Where a few particles hold most of the weight, draw n new ones by weight.
        particles.propose(search)
        if particles.growing:
            particles.resample_if_uneven(ess, search.rng)
    return particles.conclude(search)


class _Trial:
    """One token or step of a particle, drawn until the guard's decisions give it a weight.

    start: the node after which it is drawn.
    retries: the most rejections.

    node: where the particle stands after the trial.
    decided: whether the trial is over.
    log_weight: the logarithm of the weight, once it is.
    """

    def __init__(self, start: Node, retries: int) -> None:
        self.start = start
        self.node = start
        self.retries = retries
        self.decided = False
        self.log_weight = -np.inf


class _TokenTrial(_Trial):
    """One token by adaptive weighted rejection sampling (arXiv:2504.05410, the recursive estimator).

    Tokens are drawn without replacement until one is accepted, and then one more. Let q_i be the probability of the
    i-th rejected token among those that were left, and q that of the accepted one. The weight is Π(1-q_i) if the token
    that is drawn after the accepted one is accepted too, and Π(1-q_i)·q otherwise. After too many rejections it is 0.
    """

    def __init__(self, start: Node, retries: int) -> None:
        super().__init__(start, retries)
        self._log_left = 0.0  # log Π(1-q_i)
        self._log_ratio = 0.0  # log p/q of the accepted token
        self._log_chance: float | None = None  # log q, once a token is accepted
        self._tried: frozenset[int] = frozenset()

    async def draw(self, search: Search, sampling: Sampling) -> Node:
        """Draw one token that has not been tried."""
        if self._tried:
            sampling = sampling.but(bans={0: self._tried})
        label = "rejection trial" if self._log_chance is None else "weight trial"
        (node,) = await search.extend(self.start, until=tokens(1), sampling=sampling, label=label)
        return node

    def judge(self, node: Node, accepted: bool) -> None:
        """Take in whether the token that was drawn is accepted."""
        # Case 1: a token was accepted before, and this one decides the weight. If none is left, the accepted one was
        # the only one.
        if self._log_chance is not None:
            self._decide(0.0 if accepted or stuck(node) else self._log_chance)
            return
        # Case 2: everything was rejected.
        if stuck(node):
            self.node = node
            self._decide(-np.inf)
            return
        self.node = node
        chosen = node.segment.proposal_logprob
        log_chance = min(0.0, float(chosen[0])) if chosen is not None else 0.0
        self._tried |= {token_at(node, self.start.tokens)}
        # Case 3: it is accepted. p/q corrects for the temperature, q being its probability before any rejection. Where
        # no further token may or can be drawn, the weight is decided.
        if accepted:
            own = node.segment.logprob
            self._log_ratio = (float(own[0]) if own is not None else log_chance) - (self._log_left + log_chance)
            if len(self._tried) > self.retries or log_chance > -CERTAIN:
                self._decide(0.0)
            else:
                self._log_chance = log_chance
        # Case 4: it is rejected, and it was the last one that could or may be drawn.
        elif len(self._tried) > self.retries or log_chance > -CERTAIN:
            self._decide(-np.inf)
        # Case 5: it is rejected, and others are left.
        else:
            self._log_left += float(np.log1p(-np.exp(log_chance)))

    def _decide(self, log_last: float) -> None:
        self.decided = True
        self.log_weight = self._log_left + log_last + self._log_ratio if log_last > -np.inf else -np.inf


class _StepTrial(_Trial):
    """One step by rejection sampling with replacement.

    Steps are drawn until two are accepted or `retries` are rejected. After a accepted and r rejected ones the weight is
    1/(a+r-1) (Haldane 1945), and 0 where none is accepted.
    """

    def __init__(self, start: Node, retries: int) -> None:
        super().__init__(start, retries)
        self._accepted = 0
        self._rejected = 0

    async def draw(self, search: Search, sampling: Sampling) -> Node:
        """Draw one step."""
        (node,) = await search.extend(self.start, until=STEP, sampling=sampling, label="rejection trial")
        return node

    def judge(self, node: Node, accepted: bool) -> None:
        """Take in whether the step that was drawn is accepted."""
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
