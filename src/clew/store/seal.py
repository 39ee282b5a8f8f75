"""Checksums of the searches and facts of a run file, so that no byte that changed since changes a table unnoticed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable


def of_nodes(db: sqlite3.Connection, result: int) -> str:
    """The SHA-256 of a search's tree."""
    return _sha256(db.execute("SELECT * FROM nodes WHERE result = ? ORDER BY id", (result,)))


def of_search(db: sqlite3.Connection, result: int) -> str:
    """The SHA-256 of what a search found and spent, with the checksum of its tree in it."""
    found = db.execute("SELECT * FROM results WHERE id = ?", (result,)).fetchall()
    proposals = db.execute("SELECT * FROM proposals WHERE result = ? ORDER BY number", (result,))
    return _sha256([row[:-1] for row in found] + proposals.fetchall())  # the last column is this checksum


def of_anchors(db: sqlite3.Connection, result: int, node: int) -> str:
    """The SHA-256 of the thought anchors of one solution."""
    rows = db.execute("SELECT * FROM anchors WHERE result = ? AND node = ?", (result, node)).fetchall()
    return _sha256([row[:-1] for row in rows])  # the last column is this checksum


def anchors_hold(db: sqlite3.Connection, result: int) -> bool:
    """Whether the thought anchors of a search have their checksums."""
    kept = db.execute("SELECT node, sha256 FROM anchors WHERE result = ?", (result,)).fetchall()
    return all(sha256 == of_anchors(db, result, node) for node, sha256 in kept)


def of_run(db: sqlite3.Connection) -> str:
    """The SHA-256 of the facts of a run and of its problems."""
    facts = db.execute("SELECT * FROM meta WHERE key != 'sha256' ORDER BY key")
    return _sha256([*facts, *db.execute("SELECT * FROM problems ORDER BY rowid")])


def _sha256(rows: Iterable[tuple[object, ...]]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        for cell in row:
            raw = cell if isinstance(cell, bytes) else repr(cell).encode("utf-8", "surrogatepass")
            digest.update(b"%d:" % len(raw) + raw)
    return digest.hexdigest()
