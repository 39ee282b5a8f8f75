"""Particle methods, which keep weighted partial solutions and resample them."""
