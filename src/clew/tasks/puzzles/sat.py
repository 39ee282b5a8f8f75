"""The reference solver of assignment puzzles: a puzzle as a satisfiability problem, solved by python-sat."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from typing import Any
from weakref import finalize

from clew.errors import UsageError, how_to_install


class Assignments:
    """True-or-false facts under clauses.

    Facts are named by any hashable value; a literal is a fact and whether it holds.
    """

    def __init__(self) -> None:
        try:
            from pysat.solvers import Solver
        except ImportError as error:
            raise UsageError("this puzzle needs a SAT solver", how_to_install("puzzles")) from error
        self._solver: Any = Solver(name="glucose4")
        # At the interpreter's end its own destructor comes too late: the library's modules are gone by then.
        finalize(self, self._solver.delete)
        self._variables: dict[Hashable, int] = {}
        self._facts: list[Hashable] = []

    def _variable(self, fact: Hashable) -> int:
        if fact not in self._variables:
            self._facts.append(fact)
            self._variables[fact] = len(self._facts)
        return self._variables[fact]

    def any_of(self, yes: Iterable[Hashable], no: Iterable[Hashable] = ()) -> None:
        """At least one of `yes` holds, or one of `no` does not."""
        self._solver.add_clause([self._variable(f) for f in yes] + [-self._variable(f) for f in no])

    def at_most_one(self, facts: Iterable[Hashable]) -> None:
        """No two of `facts` hold."""
        for pair in combinations(facts, 2):
            self.any_of((), pair)

    def exactly_one(self, facts: Sequence[Hashable]) -> None:
        """Just one of `facts` holds."""
        self.any_of(facts)
        self.at_most_one(facts)

    def possible(self, facts: Iterable[Hashable], without: Iterable[Hashable] = ()) -> bool:
        """Whether all of `facts`, and none of `without`, can hold at once."""
        literals = [self._variable(f) for f in facts] + [-self._variable(f) for f in without]
        return bool(self._solver.solve(assumptions=literals))

    def model(self, facts: Iterable[Hashable] = ()) -> list[Hashable] | None:
        """Everything that holds in one solution in which `facts` hold; None without one."""
        if not self.possible(facts):
            return None
        return [self._facts[v - 1] for v in self._solver.get_model() if v > 0]
