"""The search: what a method receives to extend a tree of partial solutions within a budget."""

from clew.search.scoring import Scorers
from clew.search.search import Scorer, Search
from clew.tree import GENERATE

__all__ = ["GENERATE", "Scorer", "Scorers", "Search"]
