"""Reads a run file, and never changes it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from clew.budget import Budget, Cost, Usage
from clew.errors import StoreError
from clew.plan import Plan
from clew.problem import Answer, Message, Problem, Status
from clew.result import Proposal, Result
from clew.sampling import Stream
from clew.store import seal
from clew.store.format import check, columns, connect, log_of, unpack
from clew.tasks.answers import checked, extractor, grader
from clew.tasks.files import stored_problem
from clew.tree import Finish, Node, Origin, Segment, Tree


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Whatever is raised over what a run file holds becomes one StoreError."""
    try:
        yield
    except StoreError:
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

    @classmethod
    def open(cls, path: Path) -> Self:
        """An existing run file.

        Raises StoreError when there is none, when it is something else, or of another schema version.
        """
        if not path.is_file():
            raise StoreError(f"there is no run file {path}", "`clew compare` makes one; check the path")
        fresh = not log_of(path).exists()
        db = connect(path, read_only=True)
        try:
            check(path, db)
            with damage_told(path):
                if json.loads(db.execute("SELECT value FROM meta WHERE key = 'sha256'").fetchone()[0]) != seal.of_run(
                    db
                ):
                    raise ValueError("its facts do not have their checksum")
                Plan.from_dict(json.loads(db.execute("SELECT value FROM meta WHERE key = 'plan'").fetchone()[0]))
        except BaseException:
            db.close()
            raise
        return cls(path, db, tidy=fresh)

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

    @property
    def plan(self) -> Plan:
        """What the run does."""
        return Plan.from_dict(self._get("plan"))

    @property
    def created(self) -> float:
        """When the run began, seconds since 1970."""
        return float(self._get("created"))

    @property
    def made_by(self) -> list[dict[str, Any]]:
        """What made the run, in order of time: more than one where it was resumed with something else, none where it
        is not told (traces from elsewhere, runs of an earlier clew). `clew`: its version; `roles`: role →
        `Model.provenance`."""
        row = self.db.execute("SELECT value FROM meta WHERE key = 'made_by'").fetchone()
        makers: list[dict[str, Any]] = json.loads(row[0]) if row else []
        return makers

    def problem_ids(self) -> list[str]:
        """The ids of the run's problems, in the run's order."""
        return [row[0] for row in self.db.execute("SELECT id FROM problems ORDER BY rowid")]

    def kept_problems(self) -> list[Problem]:
        """The problems of imported traces, or of a question that was solved: of what the file holds alone. Their
        reference answer grades, where there is one."""
        rows = self.db.execute("SELECT id, family, messages, reference, meta FROM problems ORDER BY rowid")
        problems = []
        for name, family, messages, reference, told in rows:
            meta = json.loads(told)
            kind = checked(meta.get("kind", "auto"))
            problem = Problem(
                name,
                tuple(Message(m["role"], m["content"]) for m in json.loads(messages)),
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
        rows = self.db.execute("SELECT id, family, difficulty, messages, reference, meta FROM problems ORDER BY rowid")
        return [
            stored_problem(
                name,
                tuple(Message(m["role"], m["content"]) for m in json.loads(messages)),
                json.loads(meta),
                family=family,
                difficulty=difficulty,
                reference=reference,
            ).prompted(**prompting)
            for name, family, difficulty, messages, reference, meta in rows
        ]

    def grades(self) -> dict[str, dict[str, float]]:
        """Problem id → canonical answer → its grade, of every answer that a search ended with."""
        found: dict[str, dict[str, float]] = {}
        rows = "SELECT problem, value, grade FROM results WHERE grade IS NOT NULL AND value IS NOT NULL"
        with damage_told(self.path):
            for problem, value, grade in self.db.execute(rows):
                found.setdefault(problem, {})[value] = grade
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The data file of the run, `file` and `sha256`. Raises StoreError where there is none (see `in`)."""
        found: dict[str, Any] = self._get("data")
        return found

    @property
    def origin(self) -> object:
        """What `clew.store.origin` marked the run with where it was begun; None without a mark."""
        return self._get("origin") if "origin" in self else None

    def __contains__(self, key: str) -> bool:
        """Whether the file tells this of the run (see `meta` in docs/traces.md)."""
        return self.db.execute("SELECT 1 FROM meta WHERE key = ?", (key,)).fetchone() is not None

    def finished(self) -> set[tuple[str, str, int]]:
        """(problem id, method, seed) of every search that is done; failed ones are not."""
        with damage_told(self.path):
            rows = self.db.execute("SELECT problem, method, seed FROM results NOT INDEXED WHERE error = ''")
            return {(p, m, s) for p, m, s in rows}

    # --- reading --------------------------------------------------------------------------------------------------

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
        plan = self.plan
        known = {p.id: p for p in problems}
        method_order = {m: i for i, m in enumerate(plan.methods)}
        problem_order = {p: i for i, p in enumerate(self.problem_ids())}
        with damage_told(self.path):
            if problem is None and (found := self.db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise ValueError(found)  # a search may be missing that has a checksum
            # The index on these columns holds them once more, without a checksum.
            keys = self.db.execute(
                "SELECT id, problem, method, seed FROM results NOT INDEXED WHERE (?1 IS NULL OR problem = ?1)"
                " AND (?2 IS NULL OR method = ?2)",
                (problem, method),
            ).fetchall()
        keys.sort(key=lambda k: (problem_order.get(k[1], 0), method_order.get(k[2], 0), k[3]))
        for number, pid, label, seed in keys:
            with damage_told(self.path):
                found = self._result(number, known[pid], label, seed, plan.budget, every_tree)
            yield found

    def _result(
        self, number: int, problem: Problem, method: str, seed: int, budget: Budget, every_tree: bool
    ) -> Result:
        row = self.db.execute(
            "SELECT status, value, text, confidence, votes, node, grade, usage, samples, cost, error, tree_sha256,"
            " sha256 FROM results WHERE id = ?",
            (number,),
        ).fetchone()
        status, value, text, confidence, votes, node, grade, usage, said, cost, error, of_tree, of_search = row
        if of_search != seal.of_search(self.db, number):
            raise ValueError(f"the search of {problem.id} by {method} does not have its checksum")
        samples = tuple(json.loads(said))
        tree = self._tree(number) if every_tree or samples else None
        if tree is not None and of_tree != seal.of_nodes(self.db, number):
            raise ValueError(f"the tree of {problem.id} by {method} does not have its checksum")
        found = tree[node] if tree is not None and node is not None else None
        return Result(
            problem=problem,
            method=method,
            seed=seed,
            budget=budget,
            answer=Answer(value, text, confidence, found, json.loads(votes), Status(status)),
            grade=grade,
            usage=Usage.from_dict(json.loads(usage)),
            tree=tree or Tree(),
            proposals=self._proposals(number, tree),
            samples=samples,
            cost=Cost(**json.loads(cost)),
            error=error,
        )

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of one of the tables as plain data, `stats` unpacked to a list an array."""
        if table not in columns():
            raise ValueError(f"a run file has no table {table!r}")
        with damage_told(self.path):
            cursor = self.db.execute(f"SELECT * FROM {table}")  # noqa: S608 (one of a few constants)
        names = [c[0] for c in cursor.description]
        while True:
            with damage_told(self.path):
                row = cursor.fetchone()
                if row is None:
                    return
                record = dict(zip(names, row, strict=True))
                blob = record.pop("stats", None)
                if blob is not None:
                    record |= {k: v.tolist() for k, v in unpack(blob).items()}
            yield record

    def _proposals(self, number: int, tree: Tree | None) -> list[Proposal]:
        rows = self.db.execute(
            "SELECT value, confidence, node, usage FROM proposals WHERE result = ? ORDER BY number", (number,)
        )
        proposals = []
        for value, confidence, node, usage in rows:
            leaf = tree[node] if tree is not None and node is not None else None
            text = leaf.solution if leaf is not None else value or ""
            proposals.append(Proposal(Answer(value, text, confidence, leaf), Usage.from_dict(json.loads(usage))))
        return proposals

    def _tree(self, number: int) -> Tree:
        tree = Tree()
        rows = self.db.execute(
            "SELECT parent, beginning_of, origin, role, finish, label, fate, born, text, scores, exact, cut, stats"
            " FROM nodes WHERE result = ? ORDER BY id",
            (number,),
        )
        for parent, beginning, origin, role, finish, label, fate, born, text, scores, exact, cut, stats in rows:
            segment = Segment(text=text, finish=Finish(finish), exact=bool(exact), cut=cut, **unpack(stats))
            above: Node | None = tree[parent] if parent is not None else None
            node = tree.add(
                above,
                segment,
                Origin(origin),
                Stream("stored"),
                role=role,
                label=label,
                born=born,
                beginning_of=tree[beginning] if beginning is not None else None,
            )
            node.scores.update(json.loads(scores))
            node.fate = fate
        return tree

    def _get(self, key: str) -> Any:
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path} has no {key}", "The file is damaged; run the comparison again")
        return json.loads(row[0])
