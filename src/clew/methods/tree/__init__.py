"""Methods that search a tree of partial solutions, or of whole ones that refine each other."""
