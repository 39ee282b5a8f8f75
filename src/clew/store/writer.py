"""Writes a run file: a search at a time, each whole or not at all."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from clew.budget import Usage
from clew.errors import StoreError, UsageError
from clew.plan import Plan
from clew.problem import Problem
from clew.result import Result
from clew.store import seal
from clew.store.format import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, columns, connect, log_of, pack
from clew.store.lock import WriterLock
from clew.store.origin import begun_here, mark_of
from clew.store.problems import data_of
from clew.store.reader import Reader
from clew.store.shapes import FACTS, select
from clew.store.trees import at
from clew.store.typed import parsed

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ODD_VALUE = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)
"""What SQLite raises for a value of a type that it does not know."""


def _text(text: str | None) -> str | None:
    """A text as UTF-8 can hold it: half a surrogate pair, which a reply may have, becomes U+FFFD, a character for a
    character, so that offsets still hold."""
    return None if text is None else _LONE_SURROGATE.sub("\ufffd", text)


def _json(value: Any) -> str:
    return _LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False))


def _meta(problem: Problem) -> str | None:
    return _text(json.dumps(dict(problem.meta), ensure_ascii=False, default=str))


class Store(Reader):
    """A run file, which nobody else writes meanwhile. Open one with `Store.create` or `Store.open`."""

    def __init__(self, path: Path, db: sqlite3.Connection, lock: WriterLock | None = None) -> None:
        super().__init__(path, db)
        self._lock = lock
        self._opened = path.stat()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing run file.

        Raises StoreError as `Reader.open`, and where another command writes it.
        """
        path = Path(path)
        Reader.open(path).close()
        lock = WriterLock(path, "Wait for it to end")
        try:
            return cls(path, connect(path, read_only=False), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def create(cls, path: Path, plan: Plan, problems: Sequence[Problem]) -> Self:
        """A new run file for this plan, which appears whole or not at all.

        Raises StoreError when the file exists, cannot be written, or another command writes it.
        """
        return cls._made(path, lambda part: part._begin(plan, problems))

    @classmethod
    def copy(
        cls, source: Reader, path: Path, plan: Plan, problems: Sequence[Problem], fill: Callable[[Self], None]
    ) -> Self:
        """A new run file with all that another one holds, but for the plan and what is known of the problems.

        plan, problems: those of the copy; the problems have the same ids. fill: what else is changed in the copy,
        before it appears under its name.

        Raises as `create`.
        """

        def begin(part: Self) -> None:
            source.db.backup(part.db)
            part._refound(plan, problems)
            fill(part)

        return cls._made(path, begin)

    @classmethod
    def _made(cls, path: Path, begin: Callable[[Self], None]) -> Self:
        """A new run file, which appears under its name once `begin` has filled it."""
        _must_not_exist(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be made: {error.strerror}", "Name another folder") from error
        lock = WriterLock(path, "Name another file")
        part = path.with_name(path.name + ".part")
        try:
            _must_not_exist(path)
            # What a killed command left; SQLite would take the log of another file for that of the new one.
            for left in (part, log_of(part), log_of(path)):
                left.unlink(missing_ok=True)
            try:
                with cls(part, _begun(part)) as store:
                    begin(store)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            return cls(path, connect(path, read_only=False), lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Close the file and let others write it. Idempotent."""
        super().close()
        if self._lock is not None:
            self._lock.release()

    def _begin(self, plan: Plan, problems: Sequence[Problem]) -> None:
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._set("plan", plan.as_dict())
            self._set("created", time.time())
            if (mark := mark_of(plan)) is not None:
                self._set("origin", mark)
            if (data := data_of(plan)) is not None:
                self._set("data", data)
            db.executemany(
                "INSERT INTO problems VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        _text(p.id),
                        p.family,
                        p.difficulty,
                        _text(p.question),
                        _json([{"role": m.role, "content": m.content} for m in p.messages]),
                        _text(p.reference),
                        _meta(p),
                    )
                    for p in problems
                ],
            )
            try:
                FACTS["plan"](parsed(_json(plan.as_dict())))
                _check_readable(db, "problems")
            except ValueError as error:
                raise UsageError(f"no run file can hold this ({error})", "Give plain data, of finite numbers") from None
            self._set("sha256", seal.of_run(db))

    def _refound(self, plan: Plan, problems: Sequence[Problem]) -> None:
        """Put another plan, and what it says of the right answers, in the place of the file's own."""
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            if plan.task != self.plan.task and (data := data_of(plan)) is not None:
                self._set("data", data)
            if begun_here(self) and (mark := mark_of(plan)) is not None:
                self._set("origin", mark)
            self._set("plan", plan.as_dict())
            db.executemany(
                "UPDATE problems SET reference = ?, meta = ? WHERE id = ?",
                [(_text(p.reference), _meta(p), _text(p.id)) for p in problems],
            )
            self._set("sha256", seal.of_run(db))

    def regrade(self, result: Result) -> None:
        """Put the answer and the grade of a kept search, and its proposals, in the place of the earlier ones."""
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            answer = result.answer
            key = (_text(result.problem.id), result.method, result.seed)
            (number,) = db.execute(
                "SELECT id FROM results WHERE problem = ? AND method = ? AND seed = ?", key
            ).fetchone()
            db.execute(
                "UPDATE results SET status = ?, value = ?, text = ?, confidence = ?, votes = ?, node = ?, grade = ?"
                " WHERE id = ?",
                (
                    answer.status,
                    _text(answer.value),
                    _text(answer.text),
                    answer.confidence,
                    _json(dict(answer.votes)),
                    answer.node.id if answer.node else None,
                    result.grade,
                    number,
                ),
            )
            db.executemany(
                "UPDATE proposals SET value = ? WHERE result = ? AND number = ?",
                [(_text(p.answer.value), number, i) for i, p in enumerate(result.proposals)],
            )
            db.execute("UPDATE results SET sha256 = ? WHERE id = ?", (seal.of_search(db, number), number))

    def note_maker(self, maker: Mapping[str, Any]) -> None:
        """Record what makes the searches from now on; nothing changes where that is what made the last ones."""
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            before = self.made_by
            if not before or before[-1] != maker:
                self._set("made_by", [*before, maker])
                self._set("sha256", seal.of_run(db))

    def keep(self, result: Result) -> None:
        """Keep one search in one transaction: after a crash it is there whole, or not at all."""
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            key = (_text(result.problem.id), result.method, result.seed)
            db.execute("DELETE FROM results WHERE problem = ? AND method = ? AND seed = ?", key)
            answer = result.answer
            cursor = db.execute(
                "INSERT INTO results (problem, method, seed, nodes, status, value, text, confidence, votes, node,"
                " grade, usage, samples, cost, error, tree_sha256, sha256)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')",
                (
                    *key,
                    len(result.tree),
                    answer.status,
                    _text(answer.value),
                    _text(answer.text),
                    answer.confidence,
                    _json(dict(answer.votes)),
                    answer.node.id if answer.node else None,
                    result.grade,
                    _json(result.usage.as_dict()),
                    _json(result.samples),
                    _json(asdict(result.cost)),
                    _text(result.error),
                ),
            )
            number = cursor.lastrowid
            db.executemany(
                "INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        number,
                        i,
                        _text(p.answer.value),
                        p.answer.confidence,
                        p.answer.node.id if p.answer.node else None,
                        _json(p.usage.as_dict()),
                    )
                    for i, p in enumerate(result.proposals)
                ],
            )
            db.executemany(
                "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        number,
                        n.id,
                        n.parent.id if n.parent else None,
                        n.beginning_of.id if n.beginning_of else None,
                        n.origin,
                        n.role,
                        n.finish,
                        _text(n.label),
                        _text(n.fate),
                        n.born,
                        len(n.segment),
                        _text(n.segment.text),
                        _json(n.scores),
                        int(n.segment.exact),
                        n.segment.cut,
                        pack(n.segment),
                    )
                    for n in result.tree.nodes
                ),
            )
            assert number is not None
            for held in (answer, *(p.answer for p in result.proposals)):
                if held.node is not None and held.node is not at(result.tree, held.node.id):
                    raise ValueError("an answer ends at a node of another tree")
            _check_readable(db, "results", "WHERE id = ?", number)
            for table in ("proposals", "nodes"):
                _check_readable(db, table, "WHERE result = ?", number)
            db.execute("UPDATE results SET tree_sha256 = ? WHERE id = ?", (seal.of_nodes(db, number), number))
            db.execute("UPDATE results SET sha256 = ? WHERE id = ?", (seal.of_search(db, number), number))

    def keep_anchors(
        self,
        result: Result,
        node: int,
        model: str,
        rollouts: int,
        usage: Usage,
        sentences: Sequence[Mapping[str, Any]],
    ) -> None:
        """Keep the thought anchors of the solution that ends at `node` of a kept search, in the place of earlier ones.

        sentences: in order, each with `start`, `end` (characters of the solution) and the fields of `Anchor`.
        """
        with self._writing() as db:
            db.execute("BEGIN IMMEDIATE")
            kept = db.execute(
                "INSERT OR REPLACE INTO anchors SELECT id, ?, ?, ?, ?, ?, '' FROM results WHERE problem = ?"
                " AND method = ? AND seed = ? RETURNING result",
                (
                    node,
                    model,
                    rollouts,
                    _json(usage.as_dict()),
                    _json(list(sentences)),
                    _text(result.problem.id),
                    result.method,
                    result.seed,
                ),
            ).fetchall()
            for (number,) in kept:
                place = (number, node)
                db.execute(
                    "UPDATE anchors SET sha256 = ? WHERE result = ? AND node = ?", (seal.of_anchors(db, *place), *place)
                )

    def _set(self, key: str, value: Any) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, _json(value)))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self._check_place()
            yield self.db
            self.db.execute("COMMIT")
        except BaseException as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and not isinstance(error, _ODD_VALUE):
                raise StoreError(
                    f"{self.path} could not be written ({error})",
                    "Free some space or name another place; what was finished before is kept",
                ) from error
            raise

    def _check_place(self) -> None:
        """Raise StoreError where the file is gone: what is written to it would be lost with the process."""
        try:
            if os.path.samestat(self._opened, self.path.stat()):
                return
        except OSError:
            pass
        raise StoreError(f"{self.path} was removed or replaced while it was written", "Begin the run again")


def _check_readable(db: sqlite3.Connection, table: str, tail: str = "", *values: Any) -> None:
    """Raise ValueError for rows that no reader would take: kept, they would be a damaged file."""
    for _ in select(db, table, tuple(columns()[table]), tail, values):
        pass


def _must_not_exist(path: Path) -> None:
    if path.exists():
        raise StoreError(f"{path} exists", f"Go on with it by `clew resume {path}`, or name another file")


def _begun(path: Path) -> sqlite3.Connection:
    """A connection to a new file, which is there when it returns."""
    db = connect(path, read_only=False)
    path.touch()
    return db
