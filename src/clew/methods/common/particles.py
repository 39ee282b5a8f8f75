"""Weighted particles: what every sequential Monte Carlo method here keeps."""

from __future__ import annotations

import numpy as np

from clew.methods.common.resampling import Indices, Weights
from clew.problem import Answer
from clew.search import Search
from clew.tree import Node, Segment, leave

WEIGHT = "particle_weight"
"""The score under which a final particle's share of all weight is recorded; the shares sum to 1 over the tree."""
EVIDENCE = "log_evidence"
"""The score of the root under which the estimate of the logarithm of the normalising constant is recorded."""


class Particles:
    """N particles with proper weights: the mean of weight times f(particle) estimates the sum of γ·f without bias, γ
    being the unnormalised target. When every particle has weight 0 they go on as equals, and the evidence is 0.
    """

    def __init__(self, root: Node, n: int) -> None:
        self.nodes: list[Node] = [root] * n
        self.extinct = False
        # Two summands of the logarithm of each weight: what proposals and resampling leave to correct, and the target's
        # own potential.
        self._log_owed = np.zeros(n)
        self._log_potential = np.zeros(n)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def ended(self) -> bool:
        """Whether no particle can grow any further."""
        return all(node.finished for node in self.nodes)

    @property
    def growing(self) -> frozenset[int]:
        """The particles that can grow and that have any weight."""
        alive = self.log_weights > -np.inf
        return frozenset(i for i, node in enumerate(self.nodes) if alive[i] and not node.finished)

    @property
    def log_weights(self) -> Weights:
        """Unnormalised, float64[N]; the mean of their exponentials estimates the normalising constant, unbiased."""
        return self._log_owed + self._log_potential

    @property
    def weights(self) -> Weights:
        """Normalised, float64[N]."""
        return softmax(self.log_weights)

    @property
    def log_evidence(self) -> float:
        """The logarithm of the unbiased estimate of the normalising constant."""
        return -np.inf if self.extinct else float(np.logaddexp.reduce(self.log_weights) - np.log(len(self)))

    def weigh(self, log_factors: Weights) -> None:
        """Multiply the weights by factors given as logarithms, float64[N]."""
        self._log_owed += log_factors
        if np.isneginf(self.log_weights).all():
            self.extinct = True
            self._log_owed[:] = self._log_potential[:] = 0.0

    def resample(self, probabilities: Weights, chosen: Indices) -> None:
        """Go on with the particles `chosen`, drawn with these probabilities. The weights take what makes up for the
        difference between probabilities and weights (nothing, where the two are equal), so they stay proper."""
        p = probabilities / probabilities.sum()
        totals = self.log_weights[chosen] - np.log(len(self) * p[chosen])
        before, self.nodes = self.nodes, [self.nodes[i] for i in chosen]
        leave(set(before) - set(self.nodes), "resampled away")
        self._log_potential = self._log_potential[chosen]
        self._log_owed = totals - self._log_potential

    def propose(self, search: Search) -> None:
        """Propose what the finished particles say."""
        weights = self.weights
        done = [i for i, node in enumerate(self.nodes) if node.finished and weights[i] > 0]
        if done:
            search.propose(search.pick([self.nodes[i] for i in done], [float(weights[i]) for i in done]))

    def record(self, share: float = 1.0) -> None:
        """Record each particle's weight on its node, all of them together having this share."""
        for node, weight in zip(self.nodes, self.weights, strict=True):
            node.scores[WEIGHT] = node.scores.get(WEIGHT, 0.0) + share * float(weight)

    def conclude(self, search: Search) -> Answer:
        """Record weights and evidence; the answer is the weighted vote."""
        self.record()
        search.root.scores[EVIDENCE] = self.log_evidence
        return search.pick(self.nodes, self.weights.tolist())


def softmax(log_weights: Weights) -> Weights:
    """exp(log_weights), normalised; uniform where all are -inf."""
    if np.isneginf(log_weights).all():
        return np.full(len(log_weights), 1 / len(log_weights))
    w = np.exp(log_weights - log_weights.max())
    return np.asarray(w / w.sum())


def log_ratio(segment: Segment) -> float:
    """log p/q of a segment's tokens: p is the model at temperature 1, q what they were drawn from. 0 where the model
    does not tell."""
    if segment.logprob is None or segment.proposal_logprob is None:
        return 0.0
    return float(np.nansum(segment.logprob.astype(np.float64) - segment.proposal_logprob))
