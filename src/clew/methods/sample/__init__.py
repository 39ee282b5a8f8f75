"""Sampling methods, which draw whole solutions and choose among their answers."""
