"""Weighted particles: the state of every sequential Monte Carlo method."""

from __future__ import annotations

import numpy as np

from clew.methods.common.resampling import Indices, Scheme, Weights, effective_sample_size, resample
from clew.problem import Answer
from clew.search import Search
from clew.tree import Node, Segment, leave

WEIGHT = "particle_weight"
"""The score under which a final particle's share of the sum of all weights is recorded; these shares sum to 1."""

EVIDENCE = "log_evidence"
"""The score of the root under which the estimate of the logarithm of the normalising constant is recorded."""


class Particles:
    """N partial solutions with proper weights.

    Weights are proper when the mean of weight·f(particle) is an unbiased estimate of the sum of γ·f over all solutions,
    for any function f, γ being the unnormalised target distribution. When all weights become 0, the particles continue
    with equal weights, and the evidence is 0 (`extinct`).

    root: the node where all particles begin.
    n: the number of particles, N.
    """

    def __init__(self, root: Node, n: int) -> None:
        self.nodes: list[Node] = [root] * n
        self.extinct = False
        # The logarithm of each weight is a sum: the correction for drawing from another distribution than the target's
        # (by proposals and by resampling), and the potential that the target gives the particle.
        self._log_correction = np.zeros(n)
        self._log_potential = np.zeros(n)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def ended(self) -> bool:
        """Whether every particle is a finished solution."""
        return all(node.finished for node in self.nodes)

    @property
    def growing(self) -> frozenset[int]:
        """The indices of the particles that are not finished and have a weight above 0."""
        alive = self.log_weights > -np.inf
        return frozenset(i for i, node in enumerate(self.nodes) if alive[i] and not node.finished)

    @property
    def log_weights(self) -> Weights:
        """The logarithms of the weights, float64[N]; the mean weight is an unbiased estimate of the evidence."""
        return self._log_correction + self._log_potential

    @property
    def weights(self) -> Weights:
        """The weights, normalised to the sum 1, float64[N]."""
        return softmax(self.log_weights)

    @property
    def log_evidence(self) -> float:
        """The logarithm of the unbiased estimate of the normalising constant."""
        return -np.inf if self.extinct else float(np.logaddexp.reduce(self.log_weights) - np.log(len(self)))

    def reweight(self, log_factors: Weights) -> None:
        """Multiply the weights by factors.

        log_factors: the logarithm of each particle's factor, float64[N].
        """
        self._log_correction += log_factors
        if np.isneginf(self.log_weights).all():
            self.extinct = True
            self._log_correction[:] = self._log_potential[:] = 0.0

    def resample(self, probabilities: Weights, chosen: Indices) -> None:
        """Continue with the particles that were chosen, with weights that stay proper.

        A particle that was drawn with a probability other than its normalised weight takes the ratio of the two as its
        weight. Where the two are equal, all weights become equal.

        probabilities: what the particles were drawn with, float64[N], not necessarily normalised.
        chosen: the indices of the particles that are kept, intp[N].
        """
        p = probabilities / probabilities.sum()
        totals = self.log_weights[chosen] - np.log(len(self) * p[chosen])
        before, self.nodes = self.nodes, [self.nodes[i] for i in chosen]
        leave(set(before) - set(self.nodes), "resampled away")
        self._log_potential = self._log_potential[chosen]
        self._log_correction = totals - self._log_potential

    def resample_if_uneven(self, ess: float, rng: np.random.Generator, scheme: Scheme = "systematic") -> None:
        """Draw N new particles by weight, if the effective sample size is low.

        ess: low is below this share of N, in [0, 1].
        rng: the source of randomness.
        scheme: how they are drawn, see `resample`.
        """
        weights = self.weights
        if effective_sample_size(weights) < ess * len(self):
            self.resample(weights, resample(weights, len(self), rng, scheme))

    def propose(self, search: Search) -> None:
        """Propose the weighted vote of the finished particles, if there are any."""
        weights = self.weights
        done = [i for i, node in enumerate(self.nodes) if node.finished and weights[i] > 0]
        if done:
            search.propose(search.pick([self.nodes[i] for i in done], [float(weights[i]) for i in done]))

    def record(self, share: float = 1.0) -> None:
        """Record the normalised weight of each particle on its node, times `share`."""
        for node, weight in zip(self.nodes, self.weights, strict=True):
            node.scores[WEIGHT] = node.scores.get(WEIGHT, 0.0) + share * float(weight)

    def conclude(self, search: Search) -> Answer:
        """Record the weights and the evidence, and return the weighted vote of the particles."""
        self.record()
        search.root.scores[EVIDENCE] = self.log_evidence
        return search.pick(self.nodes, self.weights.tolist())


def softmax(log_weights: Weights) -> Weights:
    """exp(log_weights), normalised to the sum 1; uniform where all are -inf. log_weights: float64[N]."""
    if np.isneginf(log_weights).all():
        return np.full(len(log_weights), 1 / len(log_weights))
    w = np.exp(log_weights - log_weights.max())
    return np.asarray(w / w.sum())


def log_ratio(segment: Segment) -> float:
    """The log-ratio Σ log p/q over a segment's tokens; 0 where the model tells no log-probabilities.

    p is the model's own distribution at temperature 1, q the distribution that the tokens were really drawn from.
    """
    if segment.logprob is None or segment.proposal_logprob is None:
        return 0.0
    return float(np.nansum(segment.logprob.astype(np.float64) - segment.proposal_logprob))
