"""Judges: scorers that ask a model about solutions, and take their scores from the probabilities of its replies."""
