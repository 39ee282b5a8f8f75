"""Traces from elsewhere, and clew's for elsewhere."""
