"""What a method is handed: `Search`, which holds the tree and the budget, and what carries its calls out."""

from clew.search.scoring import Scorers
from clew.search.search import Scorer, Search
from clew.tree import GENERATE

__all__ = ["GENERATE", "Scorer", "Scorers", "Search"]
