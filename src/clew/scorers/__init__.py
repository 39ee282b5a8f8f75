"""What a node is worth."""

from clew.scorers import verifier

__all__ = ["verifier"]
