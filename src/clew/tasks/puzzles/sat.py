"""The reference solver of assignment puzzles: a puzzle as a satisfiability problem, solved by python-sat."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from typing import Any
from weakref import finalize

from clew.errors import UsageError, how_to_install


class Assignments:
    """Facts that are true or false, under clauses (a satisfiability problem).

    A fact is any hashable value; a literal is a fact, or its negation.
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
        """Add a clause: at least one of `yes` is true, or one of `no` is false."""
        self._solver.add_clause([self._variable(f) for f in yes] + [-self._variable(f) for f in no])

    def at_most_one(self, facts: Iterable[Hashable]) -> None:
        """Add clauses: no two of `facts` are true."""
        for pair in combinations(facts, 2):
            self.any_of((), pair)

    def exactly_one(self, facts: Sequence[Hashable]) -> None:
        """Add clauses: exactly one of `facts` is true."""
        self.any_of(facts)
        self.at_most_one(facts)

    def possible(self, facts: Iterable[Hashable], without: Iterable[Hashable] = ()) -> bool:
        """Whether all of `facts` can be true while all of `without` are false."""
        literals = [self._variable(f) for f in facts] + [-self._variable(f) for f in without]
        return bool(self._solver.solve(assumptions=literals))

    def model(self, facts: Iterable[Hashable] = ()) -> list[Hashable] | None:
        """All facts that are true in one solution in which `facts` are; None where there is no solution."""
        if not self.possible(facts):
            return None
        return [self._facts[v - 1] for v in self._solver.get_model() if v > 0]
