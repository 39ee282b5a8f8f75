"""Particle methods: sequential Monte Carlo, in which a step of the solution is a step of the sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from clew.methods.common.particles import EVIDENCE, Particles, log_ratio, softmax
from clew.methods.common.resampling import Ess, Scheme, Weights, effective_sample_size, resample
from clew.methods.common.solutions import SCORER, Scoring
from clew.parameters import Count, Meaning, Range, Share
from clew.problem import Answer
from clew.registry import Scale, method
from clew.sampling import STEP, Sampling
from clew.scorers.base import scale_of
from clew.search import Search
from clew.tree import Node

Potential = Literal["exp", "score", "odds"]
PotentialChoice = Annotated[
    Potential | None,
    Meaning(
        "How a score s becomes a weight: exp is e^s, score is s itself, odds is s/(1-s). Unless it is given, scores "
        "that are probabilities become odds, and others exp."
    ),
]
Target = Annotated[
    Literal["value", "product"],
    Meaning(
        "What the particles are samples of: the model's distribution, weighted by the last step's score (value) or by "
        "the product of the scores of all steps (product)."
    ),
]
AnyTemperature = Annotated[
    float, Range(low=0), Meaning("The sampling temperature; the weights correct for a temperature other than 1.")
]

POTENTIALS: dict[Scale, Potential] = {"probability": "odds", "log_probability": "exp", "unbounded": "exp"}
"""The potential that is used where none is chosen, by the scale of the scorer.

A probability becomes its odds, as in the code of the authors of arXiv:2502.01618. With exp, a solution that is surely
right would weigh only e = 2.7 times as much as one that is surely wrong, which hardly selects at all. A log-probability
becomes the probability.
"""

POTENTIAL = "log_potential"
"""The score under which the logarithm of a node's own potential is recorded."""

DEFENSIVE = 0.1
"""With `look_ahead`, the share of the resampling probabilities that follows the weights alone: it bounds the ratio of
weight to probability by 10, so that no particle can get a huge weight."""

MAX_LOG_POTENTIAL = 1e6
"""The greatest log-potential, in nats; a greater score counts as this one, so that sums of log-weights stay finite."""

ODDS_EDGE = float(np.finfo(np.float64).eps)
"""How near to 0 and 1 a probability may lie when its odds are taken, as in the authors' code; so odds stay finite."""


class ScoredParticles(Particles):
    """N weighted particles whose target is the distribution proportional to p(x)·G(x).

    p is the model's own distribution at temperature 1. Where tokens were drawn from another distribution q (because of
    temperature, truncation or bans), the weight is multiplied by p/q. G follows from the scores of the steps, each of
    which makes a potential ψ.

    root: the node where all particles begin.
    n: the number of particles, N.
    scorer: scores the solution so far after each step; a score of NaN makes a potential of 0.
    potential: how a score s makes the potential ψ; None: as the scorer's scale says, see `POTENTIALS`.
        `exp`: exp(s). `score`: s itself. `odds`: s/(1-s).
    target: what G is.
        `value`: the potential of the last step alone; those before it only guide (twisted sequential Monte Carlo,
        arXiv:2404.17546: the incremental weight is p/q·ψ_t/ψ_{t-1}).
        `product`: the product of the potentials of all steps, each an observation (the state-space model of
        arXiv:2502.01618).
    """

    def __init__(self, root: Node, n: int, scorer: Scoring, potential: Potential | None, target: Target) -> None:
        super().__init__(root, n)
        self.scorer = scorer
        self.potential: Potential = potential or POTENTIALS[scale_of(scorer)]
        self.target: Target = target
        self.steps = 0

    async def advance(self, search: Search, sampling: Sampling, *, reference: Sequence[Node] = ()) -> None:
        """Extend each particle by a step and reweight it. Finished particles cost nothing and keep their weights.

        search: the search, whose tree is extended.
        sampling: how steps are drawn.
        reference: the path that particle 0 follows instead of drawing steps (conditional sequential Monte Carlo).
        """
        # 1. Extend the particles. With a reference, particle 0 stands at its next node, or at its end.
        before = self.nodes
        at = min(self.steps, len(reference) - 1)
        grown = [*reference[at : at + 1]] if reference else []
        grown += await search.extend_each(before[len(grown) :], until=STEP, sampling=sampling)
        # 2. The potentials of the new steps.
        new = [i for i, node in enumerate(grown) if node is not before[i]]
        gains = await self.log_potentials(search, [grown[i] for i in new])
        # 3. The new weights.
        self.nodes = grown
        self.steps += 1
        ratios = np.zeros(len(self))
        for i, gain in zip(new, gains, strict=True):
            ratios[i] = log_ratio(grown[i].segment)
            self._log_potential[i] = gain if self.target == "value" else self._log_potential[i] + gain
        self.reweight(ratios)

    async def log_potentials(self, search: Search, nodes: Sequence[Node]) -> list[float]:
        """The logarithm of the potential of each node's last step. A node is scored only once."""
        fresh = [node for node in nodes if POTENTIAL not in node.scores]
        for node, score in zip(fresh, await search.score(fresh, self.scorer), strict=True):
            node.scores[POTENTIAL] = log_potential(score, self.potential)
        return [node.scores[POTENTIAL] for node in nodes]

    async def looked_ahead(self, search: Search, sampling: Sampling) -> Weights:
        """The log-weights that the particles would have after one more step, float64[N].

        The step is drawn for this purpose only and thrown away afterwards.
        """
        ahead = await search.extend_each(self.nodes, until=STEP, sampling=sampling, label="look-ahead")
        new = [i for i, node in enumerate(ahead) if node is not self.nodes[i]]
        seen = self.log_weights
        for i, gain in zip(new, await self.log_potentials(search, [ahead[i] for i in new]), strict=True):
            seen[i] = (self._log_correction[i] if self.target == "value" else seen[i]) + gain
        return seen


def log_potential(score: float, potential: Potential) -> float:
    """The logarithm of the potential that a score makes; -inf for a score of NaN."""
    if np.isnan(score):
        return -np.inf
    if potential == "exp":
        return min(score, MAX_LOG_POTENTIAL)
    if potential == "odds":
        s = min(max(score, ODDS_EDGE), 1 - ODDS_EDGE)
        return float(np.log(s) - np.log1p(-s))
    # exp(700) is near the greatest float64.
    return float(np.log(min(score, np.exp(700.0)))) if score > 0 else -np.inf


@method(
    "particle_filter",
    family="particles",
    paper="arXiv:2502.01618",
    needs={"text", "continue"},
    proof="tests/methods/particles/test_particles.py",
    departs="Particles are resampled only when the effective sample size is low; ess=1 resamples before every step, as "
    "the paper does. By default the last step's score is the target, and those before it only guide; target=product "
    "is the paper's. A probability weighs by its odds, as in the authors' code; other scores weigh by exp. The answer "
    "is the weighted vote.",
)
async def particle_filter(
    search: Search,
    *,
    n: Count = 8,
    scorer: Scoring = SCORER,
    potential: PotentialChoice = None,
    target: Target = "value",
    scheme: Scheme = "systematic",
    ess: Ess = 0.5,
    temperature: AnyTemperature = 1.0,
) -> Answer:
    """Keep n weighted partial solutions, and resample them in proportion to their weights instead of keeping the top.

    The weights of the particles are recorded as the score `particle_weight` of their leaves. The estimate of the
    logarithm of the normalising constant is recorded as the score `log_evidence` of the root.

    n: the number of particles.
    """
    sampling = search.at(temperature)
    particles = ScoredParticles(search.root, n, scorer, potential, target)
    while not particles.ended:
        # 1. Extend every particle by a step and reweight it.
        await particles.advance(search, sampling)
        particles.propose(search)
        # 2. Where a few particles hold most of the weight, draw n new ones by weight.
        if not particles.ended:
            particles.resample_if_uneven(ess, search.rng, scheme)
    return particles.conclude(search)


@method(
    "entropic",
    family="particles",
    paper="arXiv:2510.05825",
    needs={"text", "continue"},
    proof="tests/methods/particles/test_particles.py",
    departs="Particles are resampled only when the effective sample size is low. The weights correct for the annealed "
    "resampling and for the look-ahead (an auxiliary particle filter, Pitt & Shephard 1999, with a defensive share of "
    "0.1), so the target is the particle filter's, not a flattened one.",
)
async def entropic(
    search: Search,
    *,
    n: Count = 8,
    scorer: Scoring = SCORER,
    potential: PotentialChoice = None,
    target: Target = "value",
    scheme: Scheme = "systematic",
    ess: Ess = 0.5,
    horizon: Count = 16,
    early: Share = 0.5,
    look_ahead: bool = False,
    temperature: AnyTemperature = 1.0,
) -> Answer:
    """A particle filter that flattens the resampling while, early on, few particles hold most of the weight.

    At step t of T, while t/T < early and ESS/n < ess, particles are resampled in proportion to w^(1/τ) with
    τ = max(1, n/ESS·(1 - t/T)) (entropic annealing).

    n: the number of particles.
    horizon: T, the number of steps that a solution is expected to have.
    early: the share of the horizon in which resampling is flattened.
    look_ahead: whether particles are resampled by the weight that they have after one more step, which is thrown away
        (look-ahead modulation); that takes about twice the tokens.
    """
    sampling = search.at(temperature)
    particles = ScoredParticles(search.root, n, scorer, potential, target)
    while not particles.ended:
        # 1. Extend every particle by a step and reweight it.
        await particles.advance(search, sampling)
        particles.propose(search)
        weights = particles.weights
        size = effective_sample_size(weights)
        if particles.ended or size >= ess * n:
            continue
        # 2. The temperature of the resampling: early on, the fewer particles hold the weight, the higher it is.
        progress = particles.steps / horizon
        tau = max(1.0, n / size * (1 - progress)) if progress < early else 1.0
        # 3. Resample. The weights of the new particles correct for the difference between chances and weights.
        log_weights = await particles.looked_ahead(search, sampling) if look_ahead else particles.log_weights
        chances = softmax(log_weights / tau)
        if look_ahead:
            chances = (1 - DEFENSIVE) * chances + DEFENSIVE * weights
        # A particle without weight would only be followed by particles without weight.
        chances = np.where(weights > 0, chances, 0.0)
        particles.resample(chances, resample(chances, n, search.rng, scheme))
    return particles.conclude(search)


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
    potential: PotentialChoice = None,
    target: Target = "value",
    ess: Ess = 0.5,
    temperature: AnyTemperature = 1.0,
) -> Answer:
    """Several particle filters in a row; each after the first keeps a path drawn from the one before.

    The samples converge to the target with the number of sweeps, however few particles there are. The path that is kept
    costs nothing. The recorded evidence is that of the first sweep, which alone estimates it without bias.

    n: the number of particles of each filter.
    sweeps: the number of particle filters.
    """
    sampling = search.at(temperature)
    reference: tuple[Node, ...] = ()
    leaves: list[Node] = []
    shares: list[float] = []
    for _ in range(sweeps):
        # 1. A particle filter in which particle 0 follows the reference path (the first sweep has none).
        particles = ScoredParticles(search.root, n, scorer, potential, target)
        while not particles.ended:
            await particles.advance(search, sampling, reference=reference)
            if not leaves:
                particles.propose(search)
            weights = particles.weights
            if not particles.ended and effective_sample_size(weights) < ess * n:
                # The reference path always stays, as particle 0; only the others are drawn.
                free = resample(weights, n - 1 if reference else n, search.rng, "multinomial")
                kept: list[int] = [0] if reference else []
                particles.resample(weights, np.concatenate([np.array(kept, np.intp), free]))
        # 2. All particles of the sweep join the vote, each sweep with the same share.
        if not leaves:
            search.root.scores[EVIDENCE] = particles.log_evidence
        particles.record(1 / sweeps)
        leaves += particles.nodes
        shares += particles.weights.tolist()
        search.propose(search.pick(leaves, shares))
        # 3. The next reference path is one of them, drawn by weight.
        drawn = particles.nodes[int(resample(particles.weights, 1, search.rng, "multinomial")[0])]
        reference = drawn.path()[1:]
    return search.proposals[-1].answer
