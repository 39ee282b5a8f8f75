"""Particle methods: sequential Monte Carlo over the steps of a solution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from clew.methods.common.particles import EVIDENCE, Particles, log_ratio, softmax
from clew.methods.common.resampling import Scheme, Weights, effective_sample_size, resample
from clew.methods.common.solutions import SCORER, Scoring
from clew.parameters import Count, Range, Share, Temperature
from clew.problem import Answer
from clew.registry import Scale, method
from clew.sampling import STEP, Sampling
from clew.scorers.base import scale_of
from clew.search import Search
from clew.tree import Node

Potential = Literal["exp", "score", "odds"]
Target = Literal["value", "product"]

POTENTIALS: dict[Scale, Potential] = {"probability": "odds", "log_probability": "exp", "unbounded": "exp"}
"""The potential that follows from the kind of number that a scorer gives, where none is chosen.

Of a probability the odds, as the authors of arXiv:2502.01618 weigh: exp would make at most e = 2.7 of the difference
between certainly right and certainly wrong, and hardly select at all. Of its logarithm the probability.
"""

POTENTIAL = "log_potential"
"""The score under which the logarithm of a node's own potential is recorded."""
DEFENSIVE = 0.1
"""The share of resampling with `look_ahead` that follows the weights alone, so that no weight can become huge."""
MOST = 1e6
"""The greatest log-potential: a greater score counts as this one, so that sums of log-weights stay finite."""
ODDS_EDGE = float(np.finfo(np.float64).eps)
"""How near to 0 and 1 a probability may lie before its odds are taken (the bound of the authors' code)."""


class Cloud(Particles):
    """N weighted particles for the distribution proportional to p(x)·G(x), p being the model at temperature 1.

    Where tokens were drawn from another distribution than p (temperature, truncation, bans), the weight takes the
    ratio of the two. A NaN score is a potential of 0.

    root: where all particles begin.
    n: how many particles there are.
    scorer: scores the solution so far after each step.
    potential: how a score s makes a potential.
        `exp`: exp(s). `score`: s itself. `odds`: s/(1-s). None: as the scorer's scale says, see `POTENTIALS`.
    target: what G is.
        `value`: the potential of the last step alone, so that those before only guide (twisted sequential Monte Carlo,
        arXiv:2404.17546: the incremental weight is p/q·ψ_t/ψ_{t-1}).
        `product`: the product over all steps, each being an observation (the state-space model of arXiv:2502.01618).
    """

    def __init__(self, root: Node, n: int, scorer: Scoring, potential: Potential | None, target: Target) -> None:
        super().__init__(root, n)
        self.scorer = scorer
        self.potential: Potential = potential or POTENTIALS[scale_of(scorer)]
        self.target: Target = target
        self.steps = 0

    async def advance(self, search: Search, sampling: Sampling, *, reference: Sequence[Node] = ()) -> None:
        """Grow each particle by a step, and weigh it. Finished ones cost nothing and keep their weight.

        reference: the path that particle 0 follows instead (conditional sequential Monte Carlo).
        """
        before = self.nodes
        at = min(self.steps, len(reference) - 1)
        grown = [*reference[at : at + 1]] if reference else []
        grown += await search.extend_each(before[len(grown) :], until=STEP, sampling=sampling)
        new = [i for i, node in enumerate(grown) if node is not before[i]]
        gains = await self.log_potentials(search, [grown[i] for i in new])
        self.nodes = grown
        self.steps += 1
        ratios = np.zeros(len(self))
        for i, gain in zip(new, gains, strict=True):
            ratios[i] = log_ratio(grown[i].segment)
            self._log_potential[i] = gain if self.target == "value" else self._log_potential[i] + gain
        self.weigh(ratios)

    async def log_potentials(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """The logarithm of the potential of each node's last step. What has been scored is not scored again."""
        fresh = [node for node in nodes if POTENTIAL not in node.scores]
        for node, score in zip(fresh, await search.score(fresh, self.scorer), strict=True):
            node.scores[POTENTIAL] = log_potential(score, self.potential)
        return [node.scores[POTENTIAL] for node in nodes]

    async def looked_ahead(self, search: Search, sampling: Sampling) -> Weights:
        """The log-weights that the particles would have after one more step, seen on a step that is thrown away."""
        ahead = await search.extend_each(self.nodes, until=STEP, sampling=sampling, label="look-ahead")
        new = [i for i, node in enumerate(ahead) if node is not self.nodes[i]]
        seen = self.log_weights
        for i, gain in zip(new, await self.log_potentials(search, [ahead[i] for i in new]), strict=True):
            seen[i] = (self._log_owed[i] if self.target == "value" else seen[i]) + gain
        return seen


def log_potential(score: float, potential: Potential) -> float:
    """The logarithm of the potential that a score makes; -inf for NaN."""
    if np.isnan(score):
        return -np.inf
    if potential == "exp":
        return min(score, MOST)
    if potential == "odds":
        s = min(max(score, ODDS_EDGE), 1 - ODDS_EDGE)
        return float(np.log(s) - np.log1p(-s))
    return float(np.log(min(score, np.exp(700.0)))) if score > 0 else -np.inf


@method(
    "particle_filter",
    family="particles",
    paper="arXiv:2502.01618",
    needs={"text", "continue"},
    proof="tests/methods/particles/test_particles.py",
    departs="Resamples when the effective sample size is low (ess=1: before every step, as in the paper). By default "
    "the last step's score is the target and those before guide (target=product: the paper's). Scores that are "
    "probabilities are weighed by their odds, as in the authors' code; others by exp. The answer is the weighted vote.",
)
async def particle_filter(
    search: Search,
    *,
    n: Count = 8,
    scorer: Scoring = SCORER,
    potential: Potential | None = None,
    target: Target = "value",
    scheme: Scheme = "systematic",
    ess: Share = 0.5,
    temperature: Temperature = 1.0,
) -> Answer:
    """Keep n weighted partial solutions, and resample them in proportion to their weights instead of keeping the top.

    The particles' weights are recorded as the score `particle_weight` of their leaves, the estimate of the logarithm of
    the normalising constant as the score `log_evidence` of the root.

    n: the number of particles.
    scorer: scores the solution so far after each step.
    potential: how a score becomes a weight, see `Cloud`; None follows from the scale that the scorer declares.
    target: what distribution the particles are samples of, see `Cloud`.
    scheme: how particles are resampled, see `resample`.
    ess: resample when the effective sample size is below this share of n, in [0, 1]; 1 resamples after every step.
    temperature: of the draws; the weights make up for what differs from 1.
    """
    sampling = search.at(temperature)
    cloud = Cloud(search.root, n, scorer, potential, target)
    while not cloud.ended:
        # 1. Grow every particle by a step and weigh it.
        await cloud.advance(search, sampling)
        cloud.propose(search)
        # 2. Where a few particles hold most of the weight, draw n of them by weight.
        weights = cloud.weights
        if not cloud.ended and effective_sample_size(weights) < ess * n:
            cloud.resample(weights, resample(weights, n, search.rng, scheme))
    return cloud.conclude(search)


@method(
    "entropic",
    family="particles",
    paper="arXiv:2510.05825",
    needs={"text", "continue"},
    proof="tests/methods/particles/test_particles.py",
    departs="Resamples only when the effective sample size is low. The weights make up for the annealed resampling and "
    "for the look-ahead (an auxiliary particle filter, Pitt & Shephard 1999, with a defensive share of 0.1), so the "
    "target is the particle filter's, not a flattened one.",
)
async def entropic(
    search: Search,
    *,
    n: Count = 8,
    scorer: Scoring = SCORER,
    potential: Potential | None = None,
    target: Target = "value",
    scheme: Scheme = "systematic",
    ess: Share = 0.5,
    horizon: Count = 16,
    early: Share = 0.5,
    look_ahead: bool = False,
    temperature: Temperature = 1.0,
) -> Answer:
    """A particle filter that flattens resampling while few particles carry the weight early on.

    At step t of `horizon`, while t/horizon < early and ESS/n < ess, particles are resampled in proportion to w^(1/τ)
    with τ = max(1, n/ESS·(1 - t/horizon)) (entropic annealing).

    n: the number of particles.
    scorer: scores the solution so far after each step.
    potential: how a score becomes a weight, see `Cloud`; None follows from the scale that the scorer declares.
    target: what distribution the particles are samples of, see `Cloud`.
    scheme: how particles are resampled, see `resample`.
    ess: resample when the effective sample size is below this share of n, in [0, 1].
    horizon: T, the number of steps that a solution is expected to have.
    early: the share of the horizon in which resampling is flattened, in [0, 1].
    look_ahead: resample by the weight that particles have after one more step, which is thrown away (look-ahead
        modulation; about twice the tokens).
    temperature: of the draws; the weights make up for what differs from 1.
    """
    sampling = search.at(temperature)
    cloud = Cloud(search.root, n, scorer, potential, target)
    while not cloud.ended:
        await cloud.advance(search, sampling)
        cloud.propose(search)
        weights = cloud.weights
        size = effective_sample_size(weights)
        if cloud.ended or size >= ess * n:
            continue
        # Early on, the fewer particles hold the weight, the flatter are the chances that they are resampled with.
        progress = cloud.steps / horizon
        tau = max(1.0, n / size * (1 - progress)) if progress < early else 1.0
        log_weights = await cloud.looked_ahead(search, sampling) if look_ahead else cloud.log_weights
        chances = softmax(log_weights / tau)
        if look_ahead:
            chances = (1 - DEFENSIVE) * chances + DEFENSIVE * weights
        # Chances without weight would only make particles without weight.
        chances = np.where(weights > 0, chances, 0.0)
        cloud.resample(chances, resample(chances, n, search.rng, scheme))
    return cloud.conclude(search)


@method(
    "particle_gibbs",
    family="particles",
    paper="arXiv:2502.01618",
    needs={"text", "continue"},
    proof="tests/methods/particles/test_particles.py",
    departs="Conditional sequential Monte Carlo as in Andrieu, Doucet & Holenstein 2010, with conditional multinomial "
    "resampling; the particles of all sweeps vote.",
)
async def particle_gibbs(
    search: Search,
    *,
    n: Annotated[int, Range(low=2)] = 8,
    sweeps: Count = 3,
    scorer: Scoring = SCORER,
    potential: Potential | None = None,
    target: Target = "value",
    ess: Share = 0.5,
    temperature: Temperature = 1.0,
) -> Answer:
    """Several particle filters in a row; each after the first keeps a path drawn from the one before.

    Converges to the target with the number of sweeps, however few the particles (two at least). The reference path
    costs nothing. The evidence is that of the first sweep, which alone estimates it without bias.

    n: the number of particles, at least 2.
    sweeps: the number of particle filters, at least 1.
    scorer: scores the solution so far after each step.
    potential: how a score becomes a weight, see `Cloud`; None follows from the scale that the scorer declares.
    target: what distribution the particles are samples of, see `Cloud`.
    ess: resample when the effective sample size is below this share of n, in [0, 1].
    temperature: of the draws; the weights make up for what differs from 1.
    """
    sampling = search.at(temperature)
    reference: tuple[Node, ...] = ()
    leaves: list[Node] = []
    shares: list[float] = []
    for _ in range(sweeps):
        # 1. A particle filter in which particle 0 follows the reference path (the first sweep has none).
        cloud = Cloud(search.root, n, scorer, potential, target)
        while not cloud.ended:
            await cloud.advance(search, sampling, reference=reference)
            if not leaves:
                cloud.propose(search)
            weights = cloud.weights
            if not cloud.ended and effective_sample_size(weights) < ess * n:
                # The reference is kept once for certain; only the others are drawn.
                free = resample(weights, n - 1 if reference else n, search.rng, "multinomial")
                kept: list[int] = [0] if reference else []
                cloud.resample(weights, np.concatenate([np.array(kept, np.intp), free]))
        # 2. All particles of the sweep join the vote, each sweep with the same share.
        if not leaves:
            search.root.scores[EVIDENCE] = cloud.log_evidence
        cloud.record(1 / sweeps)
        leaves += cloud.nodes
        shares += cloud.weights.tolist()
        search.propose(search.pick(leaves, shares))
        # 3. The next reference path is one of them, drawn by weight.
        drawn = cloud.nodes[int(resample(cloud.weights, 1, search.rng, "multinomial")[0])]
        reference = drawn.path()[1:]
    return search.proposals[-1].answer
