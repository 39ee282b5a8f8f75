"""What a node is worth."""

from clew.scorers import answers, confidence, likelihood, verifier

__all__ = ["answers", "confidence", "likelihood", "verifier"]
