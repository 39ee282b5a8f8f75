"""Methods that work on one solution after another: refine, check backwards, re-open."""
