"""Judges: scorers that ask a model what it thinks of solutions, and read its opinion off the odds of its replies."""
