"""One SQLite file a run: every finished search with its whole tree. The schema is described in docs/traces.md."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clew.budget import Cost, Usage
from clew.errors import StoreError
from clew.problem import Answer, Message, Problem, Status
from clew.result import Proposal, Result
from clew.runner import Plan
from clew.sampling import Stream
from clew.tasks.answers import checked, extractor, grader
from clew.tree import Finish, Node, Origin, Segment, Tree

SCHEMA_VERSION = 1
APPLICATION_ID = 0x636C6577  # "clew"
IMPORTED = "imported"
"""The task of a run whose traces come from elsewhere: its problems are made of what the file holds."""

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE problems (
    id TEXT PRIMARY KEY, family TEXT NOT NULL, difficulty REAL, question TEXT NOT NULL, messages TEXT NOT NULL,
    reference TEXT, meta TEXT NOT NULL
);
CREATE TABLE results (
    id INTEGER PRIMARY KEY, problem TEXT NOT NULL REFERENCES problems(id), method TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL, value TEXT, text TEXT NOT NULL, confidence REAL, votes TEXT NOT NULL, node INTEGER,
    grade REAL, usage TEXT NOT NULL, samples TEXT NOT NULL, cost TEXT NOT NULL, error TEXT NOT NULL,
    UNIQUE (problem, method, seed)
);
CREATE TABLE proposals (
    result INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE, number INTEGER NOT NULL, value TEXT,
    confidence REAL, node INTEGER, usage TEXT NOT NULL, PRIMARY KEY (result, number)
) WITHOUT ROWID;
CREATE TABLE nodes (
    result INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE, id INTEGER NOT NULL, parent INTEGER,
    beginning_of INTEGER, origin TEXT NOT NULL, finish TEXT NOT NULL, label TEXT NOT NULL, born INTEGER NOT NULL,
    tokens INTEGER NOT NULL, text TEXT NOT NULL, scores TEXT NOT NULL, exact INTEGER NOT NULL, cut INTEGER NOT NULL,
    stats BLOB NOT NULL, PRIMARY KEY (result, id)
) WITHOUT ROWID;
"""

_STATS = ("token_ids", "offsets", "logprob", "entropy", "certainty", "proposal_logprob")


def pack(segment: Segment) -> bytes:
    """A segment's arrays as one compressed blob: a JSON header line (name → [dtype, shape]), then the raw arrays."""
    header: dict[str, Any] = {}
    raw = b""
    for name in (*_STATS, "top_ids", "top_logprob"):
        array = getattr(segment, name)
        if array is not None:
            header[name] = [array.dtype.str, list(array.shape)]
            raw += np.ascontiguousarray(array).tobytes()
    return zlib.compress(json.dumps(header).encode() + b"\n" + raw, 1)


def unpack(blob: bytes) -> dict[str, Any]:
    """The inverse of `pack`: name → array."""
    head, _, raw = zlib.decompress(blob).partition(b"\n")
    arrays = {}
    at = 0
    for name, (dtype, shape) in json.loads(head).items():
        kind = np.dtype(dtype)
        size = kind.itemsize * int(np.prod(shape))
        arrays[name] = np.frombuffer(raw[at : at + size], kind).reshape(shape)
        at += size
    return arrays


class Store:
    """A run file. Open one with `Store.create` or `Store.open`."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @staticmethod
    def create(path: Path, plan: Plan, problems: Sequence[Problem]) -> Store:
        """A new run file for this plan.

        Raises StoreError when the file exists or cannot be written.
        """
        if path.exists():
            raise StoreError(f"{path} exists", f"Go on with it by `clew resume {path}`, or name another file")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be made: {error.strerror}", "Name another folder") from error
        store = Store(path, _connect(path))
        with store._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            store._set("plan", plan.as_dict())
            store._set("created", time.time())
            db.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        p.id,
                        p.family,
                        p.difficulty,
                        p.question,
                        json.dumps([{"role": m.role, "content": m.content} for m in p.messages]),
                        p.reference,
                        json.dumps(dict(p.meta), default=str),
                    )
                    for p in problems
                ],
            )
        return store

    @staticmethod
    def open(path: Path) -> Store:
        """An existing run file.

        Raises StoreError when there is none, when it is something else, or of another schema version.
        """
        if not path.is_file():
            raise StoreError(f"there is no run file {path}", "`clew compare` makes one; check the path")
        db = _connect(path)
        try:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path} is not a run file of clew ({error})", "Name a file that clew wrote") from error
        if application != APPLICATION_ID:
            raise StoreError(f"{path} is not a run file of clew", "Name a file that clew wrote")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{path} has schema version {version}, this clew reads {SCHEMA_VERSION}",
                "Read it with the clew version that wrote it, or run the comparison again",
            )
        return Store(path, db)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what a run needs -----------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """What the run does."""
        return Plan.from_dict(self._get("plan"))

    @property
    def created(self) -> float:
        """When the run began, seconds since 1970."""
        return float(self._get("created"))

    def problem_ids(self) -> list[str]:
        """The ids of the run's problems, in the run's order."""
        return [row[0] for row in self._db.execute("SELECT id FROM problems ORDER BY rowid")]

    def imported_problems(self) -> list[Problem]:
        """The problems of a run of imported traces. Their reference answer grades, where there is one."""
        rows = self._db.execute("SELECT id, messages, reference, meta FROM problems ORDER BY rowid")
        problems = []
        for name, messages, reference, meta in rows:
            kind = checked(json.loads(meta).get("kind", "auto"))
            problems.append(
                Problem(
                    name,
                    tuple(Message(m["role"], m["content"]) for m in json.loads(messages)),
                    family=IMPORTED,
                    extract=extractor(kind),
                    grader=None if reference is None else grader(reference, kind),
                    reference=reference,
                    meta={"kind": kind},
                )
            )
        return problems

    def finished(self) -> set[tuple[str, str, int]]:
        """(problem id, method, seed) of every search that is done; failed ones are not."""
        rows = self._db.execute("SELECT problem, method, seed FROM results WHERE error = ''")
        return {(p, m, s) for p, m, s in rows}

    def keep(self, result: Result) -> None:
        """Keep one search in one transaction: after a crash it is there whole, or not at all."""
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            key = (result.problem.id, result.method, result.seed)
            db.execute("DELETE FROM results WHERE problem = ? AND method = ? AND seed = ?", key)
            answer = result.answer
            cursor = db.execute(
                "INSERT INTO results (problem, method, seed, status, value, text, confidence, votes, node, grade,"
                " usage, samples, cost, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *key,
                    answer.status,
                    answer.value,
                    answer.text,
                    answer.confidence,
                    json.dumps(dict(answer.votes)),
                    answer.node.id if answer.node else None,
                    result.grade,
                    json.dumps(result.usage.as_dict()),
                    json.dumps(result.samples),
                    json.dumps(asdict(result.cost)),
                    result.error,
                ),
            )
            number = cursor.lastrowid
            db.executemany(
                "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        number,
                        i,
                        p.answer.value,
                        p.answer.confidence,
                        p.answer.node.id if p.answer.node else None,
                        json.dumps(p.usage.as_dict()),
                    )
                    for i, p in enumerate(result.proposals)
                ],
            )
            db.executemany(
                "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        number,
                        n.id,
                        n.parent.id if n.parent else None,
                        n.beginning_of.id if n.beginning_of else None,
                        n.origin,
                        n.finish,
                        n.label,
                        n.born,
                        len(n.segment),
                        n.segment.text,
                        json.dumps(n.scores),
                        int(n.segment.exact),
                        n.segment.cut,
                        pack(n.segment),
                    )
                    for n in result.tree.nodes
                ),
            )

    # --- reading --------------------------------------------------------------------------------------------------

    def results(
        self, problems: Sequence[Problem], *, problem: str | None = None, method: str | None = None
    ) -> Iterator[Result]:
        """The finished searches with their trees, in the order of problems, methods and seeds of the plan.

        `problems` are the run's problems (their graders and extractors are code, so the file cannot hold them).
        """
        plan = self.plan
        known = {p.id: p for p in problems}
        method_order = {m: i for i, m in enumerate(plan.methods)}
        problem_order = {p: i for i, p in enumerate(self.problem_ids())}
        rows = self._db.execute(
            "SELECT id, problem, method, seed, status, value, text, confidence, votes, node, grade, usage, samples,"
            " cost, error FROM results WHERE (?1 IS NULL OR problem = ?1) AND (?2 IS NULL OR method = ?2)",
            (problem, method),
        ).fetchall()
        rows.sort(key=lambda r: (problem_order.get(r[1], 0), method_order.get(r[2], 0), r[3]))
        for row in rows:
            (
                number,
                pid,
                method,
                seed,
                status,
                value,
                text,
                confidence,
                votes,
                node,
                grade,
                usage,
                samples,
                cost,
                err,
            ) = row
            tree = self._tree(number)
            found = tree[node] if node is not None else None
            yield Result(
                problem=known[pid],
                method=method,
                seed=seed,
                budget=plan.budget,
                answer=Answer(value, text, confidence, found, json.loads(votes), Status(status)),
                grade=grade,
                usage=Usage.from_dict(json.loads(usage)),
                tree=tree,
                proposals=self._proposals(number, tree),
                samples=tuple(json.loads(samples)),
                cost=Cost(**json.loads(cost)),
                error=err,
            )

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of `results`, `proposals`, `nodes` or `problems` as plain data, blobs unpacked to lists."""
        if table not in ("results", "proposals", "nodes", "problems"):
            raise ValueError(f"a run file has no table {table!r}")
        cursor = self._db.execute(f"SELECT * FROM {table}")  # noqa: S608 (one of four constants)
        names = [c[0] for c in cursor.description]
        for row in cursor:
            record = dict(zip(names, row, strict=True))
            blob = record.pop("stats", None)
            if blob is not None:
                record |= {k: v.tolist() for k, v in unpack(blob).items()}
            yield record

    def _proposals(self, number: int, tree: Tree) -> list[Proposal]:
        rows = self._db.execute(
            "SELECT value, confidence, node, usage FROM proposals WHERE result = ? ORDER BY number", (number,)
        )
        proposals = []
        for value, confidence, node, usage in rows:
            leaf = tree[node] if node is not None else None
            text = leaf.solution if leaf is not None else value or ""
            proposals.append(Proposal(Answer(value, text, confidence, leaf), Usage.from_dict(json.loads(usage))))
        return proposals

    def _tree(self, number: int) -> Tree:
        tree = Tree()
        rows = self._db.execute(
            "SELECT parent, beginning_of, origin, finish, label, born, text, scores, exact, cut, stats FROM nodes"
            " WHERE result = ? ORDER BY id",
            (number,),
        )
        for parent, beginning, origin, finish, label, born, text, scores, exact, cut, stats in rows:
            segment = Segment(text=text, finish=Finish(finish), exact=bool(exact), cut=cut, **unpack(stats))
            above: Node | None = tree[parent] if parent is not None else None
            node = tree.add(
                above,
                segment,
                Origin(origin),
                Stream("stored"),
                label=label,
                born=born,
                beginning_of=tree[beginning] if beginning is not None else None,
            )
            node.scores.update(json.loads(scores))
        return tree

    def _get(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise StoreError(f"{self.path} has no {key}", "The file is damaged; run the comparison again")
        return json.loads(row[0])

    def _set(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StoreError(
                    f"{self.path} could not be written ({error})",
                    "Free some space or name another place; what was finished before is kept",
                ) from error
            raise


def _connect(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise StoreError(f"{path} is not a run file of clew", "Name a file that clew wrote") from error
        raise StoreError(
            f"{path} cannot be opened ({error})", "Name a file that clew wrote, in a writable folder"
        ) from error
    return db
