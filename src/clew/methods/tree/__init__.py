"""Tree searches over partial solutions, or over whole solutions that refine each other."""
