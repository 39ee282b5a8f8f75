"""Toy models and problems with known answers, for the tests of methods, scorers and tasks.

`letters` has models that write letters, and searches on them; `talkers` has models that answer prompts; `steps` has
problems for tree searches, in which each letter is a step and the worth of every solution is known.
"""

from clew.testing.toys.letters import geometric, letters, problem, run, search

__all__ = ["geometric", "letters", "problem", "run", "search"]
