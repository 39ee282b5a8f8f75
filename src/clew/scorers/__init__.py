"""Scorers: each gives partial or whole solutions a number, of which higher is better."""

from clew.scorers import answers, confidence, likelihood, verifier

__all__ = ["answers", "confidence", "likelihood", "verifier"]
