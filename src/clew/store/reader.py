"""Reads a run file, and never changes it."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from clew.budget import Budget
from clew.errors import ClewError, StoreError
from clew.plan import Plan
from clew.problem import Answer, Problem
from clew.result import Proposal, Result
from clew.store import seal, trees
from clew.store.format import LARGEST_READING, PACKED, Unpacker, check, columns, connect, log_of
from clew.store.shapes import FACTS, Data, FileMeta, KeptMeta, Maker, select
from clew.store.trees import at
from clew.store.typed import fit, parsed
from clew.tasks.answers import checked, extractor, grader
from clew.tasks.files import stored_problem
from clew.tree import Tree


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Whatever is raised over what a run file holds becomes one StoreError."""
    try:
        yield
    except ClewError:
        raise
    except (sqlite3.Error, zlib.error, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise StoreError(f"{path} is damaged ({said})", "Take a copy that is whole, or run it again") from error


class Reader:
    """A run file that is only read, maybe while another process writes it. Open one with `Reader.open`."""

    def __init__(self, path: Path, db: sqlite3.Connection, *, tidy: bool = False) -> None:
        self.path = path
        self.db = db
        # Where the log of writes was not there before, it is only there because we read.
        self._tidy = tidy
        self._version = -1
        self._whole = False
        self._verified: set[tuple[int, bool]] = set()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing run file.

        Raises StoreError when there is none, when it is something else, damaged, or of another schema version.
        """
        path = Path(path)
        if not path.is_file():
            raise StoreError(f"there is no run file {path}", "`clew compare` makes one; check the path")
        fresh = not log_of(path).exists()
        db = connect(path, read_only=True)
        reader = cls(path, db, tidy=fresh)
        try:
            check(path, db)
            with damage_told(path):
                if reader._get("sha256") != seal.of_run(db):
                    raise ValueError("its facts do not have their checksum")
                for key in FACTS:
                    if key in ("plan", "created") or key in reader:
                        reader._get(key)
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        """Close the file, and leave nothing beside it that was not there before. Idempotent."""
        self.db.close()
        if self._tidy and log_of(self.path).exists():
            self._tidy = False
            # A reader may not remove the log that it made; who may write does so when it is the last one.
            with suppress(StoreError):
                connect(self.path, read_only=False).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- facts ----------------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """What the run does."""
        plan: Plan = self._get("plan")
        return plan

    @property
    def created(self) -> float:
        """When the run began, seconds since 1970."""
        return float(self._get("created"))

    @property
    def made_by(self) -> list[Maker]:
        """What made the run, in order of time: more than one where it was resumed with something else, none where it
        is not told (traces from elsewhere, runs of an earlier clew)."""
        return self._get("made_by") if "made_by" in self else []

    @property
    def data(self) -> Data:
        """The data file of the run. Raises StoreError where there is none (see `in`)."""
        data: Data = self._get("data")
        return data

    @property
    def origin(self) -> str | None:
        """What `clew.store.origin` marked the run with where it was begun; None without a mark."""
        return self._get("origin") if "origin" in self else None

    def __contains__(self, key: str) -> bool:
        """Whether the file tells this of the run (see `meta` in docs/traces.md)."""
        return any(self.select("meta", ("key",), "WHERE key = ?", (key,)))

    def _get(self, key: str) -> Any:
        for (value,) in self.select("meta", ("value",), "WHERE key = ?", (key,)):
            with damage_told(self.path):
                try:
                    return FACTS[key](parsed(value))
                except ValueError as error:
                    raise ValueError(f"its {key}: {error}") from None
        raise StoreError(f"{self.path} has no {key}", "The file is damaged; run the comparison again")

    # --- problems -------------------------------------------------------------------------------------------------

    def problem_ids(self) -> list[str]:
        """The ids of the run's problems, in the run's order."""
        return [name for (name,) in self.select("problems", ("id",), "ORDER BY rowid")]

    def kept_problems(self) -> list[Problem]:
        """The problems of imported traces, or of a question that was solved: of what the file holds alone. Their
        reference answer grades, where there is one."""
        names = ("id", "family", "messages", "reference", "meta")
        problems = []
        for name, family, messages, reference, told in self.select("problems", names, "ORDER BY rowid"):
            with damage_told(self.path):
                meta = fit(KeptMeta)(told)
                kind = checked(meta["kind"])
                problem = Problem(
                    name,
                    messages,
                    family=family,
                    extract=extractor(kind),
                    grader=None if reference is None else grader(reference, kind),
                    reference=reference,
                    meta=meta,
                )
                problems.append(problem.prompted(stop=meta.get("stop", ()), max_tokens=meta.get("max_tokens")))
        return problems

    def file_problems(self) -> list[Problem]:
        """The problems of a run on a data file, made of what the run file holds of it."""
        options = self.plan.task_options
        prompting = {name: options[name] for name in ("stop", "max_tokens") if name in options}
        names = ("id", "family", "difficulty", "messages", "reference", "meta")
        problems = []
        for name, family, difficulty, messages, reference, told in self.select("problems", names, "ORDER BY rowid"):
            with damage_told(self.path):
                meta = fit(FileMeta)(told)
                kept = stored_problem(name, messages, meta, family=family, difficulty=difficulty, reference=reference)
                problems.append(kept.prompted(**prompting))
        return problems

    def grades(self) -> dict[str, dict[str, float]]:
        """Problem id → canonical answer → its grade, of every answer that a search ended with."""
        found: dict[str, dict[str, float]] = {}
        tail = "WHERE grade IS NOT NULL AND value IS NOT NULL"
        for problem, value, grade in self.select("results", ("problem", "value", "grade"), tail):
            found.setdefault(problem, {})[value] = grade
        return found

    # --- searches -------------------------------------------------------------------------------------------------

    def select(
        self, table: str, names: Sequence[str], tail: str = "", values: Sequence[Any] = (), *, raw: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """These columns of a table, each cell as the type that the schema gives it (see `clew.store.shapes`).

        tail: what follows the name of the table in SQL, with its `values`. raw: leave JSON as its text.

        Raises StoreError for a cell that holds something else.
        """
        with damage_told(self.path):
            yield from select(self.db, table, names, tail, values, raw=raw)

    def unpacker(self) -> Unpacker:
        """What unpacks `nodes.stats` for one reading, within bounds that honest files keep."""
        return Unpacker(max(LARGEST_READING, PACKED * self.path.stat().st_size))

    def verify_pages(self) -> None:
        """Raise StoreError where SQLite finds the file damaged: a search may be missing that has a checksum."""
        self._forget_what_changed()
        if not self._whole:
            with damage_told(self.path):
                if (found := self.db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                    raise ValueError(found)
            self._whole = True

    def verify(self, number: int, *, tree: bool = True) -> None:
        """Raise StoreError where a search, or its tree, does not have its checksum. Asked again, it costs nothing."""
        self._forget_what_changed()
        if (number, tree) in self._verified:
            return
        names = ("problem", "method", "tree_sha256", "sha256")
        for problem, method, of_tree, of_search in self.select("results", names, "WHERE id = ?", (number,)):
            with damage_told(self.path):
                if of_search != seal.of_search(self.db, number):
                    raise ValueError(f"the search of {problem} by {method} does not have its checksum")
                if tree and of_tree != seal.of_nodes(self.db, number):
                    raise ValueError(f"the tree of {problem} by {method} does not have its checksum")
                if tree and not seal.anchors_hold(self.db, number):
                    raise ValueError(f"the anchors of {problem} by {method} do not have their checksum")
        self._verified |= {(number, tree), (number, False)}

    def version(self) -> int:
        """A number that is another one as soon as another process has written to the file."""
        with damage_told(self.path):
            number: int = self.db.execute("PRAGMA data_version").fetchone()[0]
            return number

    def _forget_what_changed(self) -> None:
        version = self.version()
        if version != self._version:
            self._version, self._whole, self._verified = version, False, set()

    def finished(self) -> set[tuple[str, str, int]]:
        """(problem id, method, seed) of every search that is done; failed ones are not."""
        self.verify_pages()
        return {(problem, method, seed) for _, problem, method, seed, error in self._searches() if not error}

    def _searches(self) -> list[tuple[int, str, str, int, str]]:
        """Number, problem id, method, seed and error of each search, in the order of the plan."""
        plan = self.plan
        problem_order, method_order, seed_order = (
            {one: i for i, one in enumerate(those)} for those in (self.problem_ids(), plan.methods, plan.seeds)
        )
        # The index on these columns holds them once more, without a checksum.
        found: list[Any] = list(
            self.select("results", ("id", "problem", "method", "seed", "error"), "NOT INDEXED ORDER BY id")
        )
        with damage_told(self.path):
            for _, problem, method, seed, _ in found:
                if problem not in problem_order or method not in method_order or seed not in seed_order:
                    raise ValueError(f"the plan has no search of {problem} by {method} with the seed {seed}")
        return sorted(found, key=lambda k: (problem_order[k[1]], method_order[k[2]], k[3]))

    def results(
        self,
        problems: Sequence[Problem],
        *,
        problem: str | None = None,
        method: str | None = None,
        every_tree: bool = True,
    ) -> Iterator[Result]:
        """The finished searches with their trees, in the order of problems, methods and seeds of the plan.

        `problems` are the run's problems (their graders and extractors are code, so the file cannot hold them).
        every_tree: False for searches as a comparison needs them: with a tree only where it holds recorded samples.
        """
        plan, unpack = self.plan, self.unpacker()
        known = {p.id: p for p in problems}
        if problem is None:
            self.verify_pages()
        for number, pid, label, seed, _ in self._searches():
            if (problem is not None and pid != problem) or (method is not None and label != method):
                continue
            with damage_told(self.path):
                if pid not in known:
                    raise ValueError("a search is of no problem of the run")
                found = self._result(number, known[pid], label, seed, plan.budget, unpack if every_tree else None)
            yield found

    def _result(
        self, number: int, problem: Problem, method: str, seed: int, budget: Budget, unpack: Unpacker | None
    ) -> Result:
        names = (
            *("status", "value", "text", "confidence", "votes", "node", "grade", "usage", "samples", "cost", "error"),
            "nodes",
        )
        (row,) = self.select("results", names, "WHERE id = ?", (number,))
        status, value, text, confidence, votes, node, grade, usage, samples, cost, error, count = row
        wanted = unpack is not None or bool(samples)
        self.verify(number, tree=wanted)
        tree = self._tree(number, unpack or self.unpacker()) if wanted else None
        if tree is not None and len(tree) != count:
            raise ValueError(f"a tree of {len(tree)} nodes is said to have {count}")
        return Result(
            problem=problem,
            method=method,
            seed=seed,
            budget=budget,
            answer=Answer(value, text, confidence, at(tree, node), votes, status),
            grade=grade,
            usage=usage,
            tree=tree or Tree(),
            proposals=self._proposals(number, tree),
            samples=tuple(i for i in samples if at(tree, i) is not None),
            cost=cost,
            error=error,
        )

    def _proposals(self, number: int, tree: Tree | None) -> list[Proposal]:
        names = ("value", "confidence", "node", "usage")
        proposals = []
        for value, confidence, node, usage in self.select(
            "proposals", names, "WHERE result = ? ORDER BY number", (number,)
        ):
            leaf = at(tree, node)
            text = leaf.solution if leaf is not None else value or ""
            proposals.append(Proposal(Answer(value, text, confidence, leaf), usage))
        return proposals

    def _tree(self, number: int, unpack: Unpacker) -> Tree:
        rows = self.select("nodes", trees.COLUMNS, "WHERE result = ? ORDER BY id", (number,))
        return trees.tree_of(number, rows, unpack)

    # --- tables ---------------------------------------------------------------------------------------------------

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of one of the tables as plain data, JSON as its text, `stats` unpacked to a list an array.

        Raises StoreError as the other readers do, and for a row of a search that is not there.
        """
        self.verify_pages()
        numbers = {number for (number,) in self.select("results", ("id",), "NOT INDEXED")}
        names, unpack = tuple(columns()[table]), self.unpacker()
        search = {"results": "id", "problems": None, "meta": None}.get(table, "result")
        for row in self.select(table, names, raw=True):
            record = dict(zip(names, row, strict=True))
            with damage_told(self.path):
                if search is not None and record[search] not in numbers:
                    raise ValueError("it has parts of a search that is not there")
                if "stats" in record:
                    record |= {k: v.tolist() for k, v in unpack(record.pop("stats")).items()}
            if search is not None:
                self.verify(record[search])
            yield record
