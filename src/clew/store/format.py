"""What a run file is made of: its schema, how arrays are packed, how a connection is opened."""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clew.errors import StoreError
from clew.store.typed import fit, parsed
from clew.tree import Segment

SCHEMA_VERSION = 4
APPLICATION_ID = 0x636C6577  # "clew"
IMPORTED = "imported"
"""The task of a run whose traces come from elsewhere: its problems are made of what the file holds."""
QUESTION = "question"
"""The task of a run that is one question, solved: it too is made of what the file holds."""

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE problems (
    id TEXT PRIMARY KEY, family TEXT NOT NULL, difficulty REAL, question TEXT NOT NULL, messages TEXT NOT NULL,
    reference TEXT, meta TEXT NOT NULL
);
CREATE TABLE results (
    id INTEGER PRIMARY KEY, problem TEXT NOT NULL REFERENCES problems(id), method TEXT NOT NULL, seed INTEGER NOT NULL,
    nodes INTEGER NOT NULL, status TEXT NOT NULL, value TEXT, text TEXT NOT NULL, confidence REAL, votes TEXT NOT NULL,
    node INTEGER, grade REAL, usage TEXT NOT NULL, samples TEXT NOT NULL, cost TEXT NOT NULL, error TEXT NOT NULL,
    tree_sha256 TEXT NOT NULL, sha256 TEXT NOT NULL,
    UNIQUE (problem, method, seed)
);
CREATE TABLE proposals (
    result INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE, number INTEGER NOT NULL, value TEXT,
    confidence REAL, node INTEGER, usage TEXT NOT NULL, PRIMARY KEY (result, number)
) WITHOUT ROWID;
CREATE TABLE nodes (
    result INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE, id INTEGER NOT NULL, parent INTEGER,
    beginning_of INTEGER, origin TEXT NOT NULL, role TEXT NOT NULL, finish TEXT NOT NULL, label TEXT NOT NULL,
    fate TEXT NOT NULL, born INTEGER NOT NULL, tokens INTEGER NOT NULL, text TEXT NOT NULL, scores TEXT NOT NULL,
    exact INTEGER NOT NULL, cut INTEGER NOT NULL, stats BLOB NOT NULL, PRIMARY KEY (result, id)
) WITHOUT ROWID;
CREATE TABLE anchors (
    result INTEGER NOT NULL REFERENCES results(id) ON DELETE CASCADE, node INTEGER NOT NULL, model TEXT NOT NULL,
    rollouts INTEGER NOT NULL, usage TEXT NOT NULL, sentences TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (result, node)
) WITHOUT ROWID;
"""

STATS: Mapping[str, tuple[type[np.generic], int]] = {
    "token_ids": (np.int32, 1),
    "offsets": (np.int32, 1),
    "logprob": (np.float32, 1),
    "entropy": (np.float32, 1),
    "certainty": (np.float32, 1),
    "proposal_logprob": (np.float32, 1),
    "top_ids": (np.int32, 2),
    "top_logprob": (np.float32, 2),
}
"""What `nodes.stats` may hold: name of an array of `Segment` → the type of its numbers and how many axes it has."""


LARGEST = 2**28
"""The most bytes of one text or blob, packed or not: a solution of a million tokens with its statistics has a tenth."""
LARGEST_READING = 2**30
"""The most bytes that the statistics of several nodes unpack to in one reading, or `PACKED` times the file's."""
PACKED = 64
"""Statistics come with their texts, of which a token has a byte and more: no honest file is packed as tightly."""
MOST_NODES = 2**22
"""The most nodes of one search."""


@cache
def _declared() -> frozenset[tuple[str, str, str]]:
    """Kind, name and SQL of all that `SCHEMA` makes, as SQLite keeps them."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    return frozenset(db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema"))


class Column(NamedTuple):
    """A column as `SCHEMA` declares it. kind: its type in SQLite."""

    kind: str
    nullable: bool


@cache
def columns() -> dict[str, dict[str, Column]]:
    """Table → column → how `SCHEMA` declares it."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")]
    found = {
        table: {
            name: Column(kind, not (filled or key))
            for _, name, kind, filled, _, key in db.execute(f"PRAGMA table_info({table})")
        }
        for table in tables
    }
    db.close()
    return found


def pack(segment: Segment) -> bytes:
    """A segment's arrays as one compressed blob: a JSON header line (name → [dtype, shape]), then the raw arrays.

    Raises ValueError for arrays that are not as `Segment` describes them.
    """
    header: dict[str, Any] = {}
    raw = b""
    for name, (kind, axes) in _ARRAYS.items():
        given = getattr(segment, name)
        if given is not None:
            array = np.ascontiguousarray(given, kind)
            if array.ndim != axes or len(array) != len(segment):
                raise ValueError(f"the {name} of {len(segment)} tokens have the shape {array.shape}")
            header[name] = [array.dtype.str, list(array.shape)]
            raw += array.tobytes()
    return zlib.compress(json.dumps(header).encode() + b"\n" + raw, 1)


class Unpacker:
    """The inverse of `pack` (name → array), for all nodes of one reading. most: bytes that they may unpack to.

    Raises ValueError for what `pack` did not make, and for more than `most`, or than `LARGEST` in one node.
    """

    def __init__(self, most: int = LARGEST) -> None:
        self._left = most

    def __call__(self, blob: bytes) -> dict[str, Any]:
        unpacker = zlib.decompressobj()
        most = min(self._left, LARGEST)
        head, _, raw = unpacker.decompress(blob, most).partition(b"\n") if most > 0 else (b"", b"", b"")
        if not unpacker.eof:
            raise ValueError("statistics of a node that are cut off, or too large")
        self._left -= len(head) + len(raw)
        arrays: dict[str, Any] = {}
        at = 0
        length = None
        for name, entry in _HEADER(parsed(head.decode())).items():
            shape = _SHAPE(entry[-1]) if len(entry) == 2 else []
            if length is None and shape:
                length = shape[0]
            kind, axes = _ARRAYS.get(name, (None, 0))
            if kind is None or entry[0] != kind.str or len(shape) != axes or shape[0] != length or min(shape) < 0:
                raise ValueError(f"statistics of a node whose {name} is no array of clew's")
            count = math.prod(shape)
            arrays[name] = np.frombuffer(raw, kind, count, at).reshape(shape)
            at += kind.itemsize * count
        if at != len(raw) or not arrays.keys() >= _NEEDED:
            raise ValueError("statistics of a node that do not fit one another")
        return arrays


_NEEDED = {"token_ids", "offsets"}
_ARRAYS = {name: (np.dtype(number).newbyteorder("<"), axes) for name, (number, axes) in STATS.items()}
_HEADER, _SHAPE = fit(dict[str, list[Any]]), fit(list[int])


def log_of(path: Path) -> Path:
    """Where SQLite keeps what was written last, while a run file is open."""
    return path.with_name(path.name + "-wal")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A checked connection to a run file; a writing one may be to a new file.

    A read-only one changes nothing in the file and sees what another process writes to it meanwhile.

    Raises StoreError when it cannot be opened.
    """
    try:
        if not read_only:
            db = _hardened(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            return db
        for how in ("mode=ro", "mode=ro&immutable=1"):
            db = sqlite3.connect(
                f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False
            )
            try:
                db.execute("PRAGMA schema_version").fetchone()
                return _hardened(db)
            except sqlite3.OperationalError:
                # Beside a file in a folder that cannot be written there is no place for the log; nobody writes there.
                db.close()
                if "immutable" in how:
                    raise
        raise AssertionError
    except sqlite3.DatabaseError as error:
        if "not a database" in str(error):
            raise StoreError(f"{path} is not a run file of clew", "Name a file that clew wrote") from error
        raise StoreError(
            f"{path} cannot be opened ({error})", "Name a file that clew wrote, in a writable folder"
        ) from error


def _hardened(db: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, prepared for a file that somebody else may have made (https://www.sqlite.org/security.html)."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    db.execute("PRAGMA mmap_size = 0")
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def check(path: Path, db: sqlite3.Connection) -> None:
    """Raise StoreError for a file that is not a run file, or has another schema version."""
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        made = frozenset(db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema LIMIT 100"))
    except sqlite3.DatabaseError as error:
        said = " ".join(str(error).split())
        raise StoreError(f"{path} is not a run file of clew ({said})", "Name a file that clew wrote") from error
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is not a run file of clew", "Name a file that clew wrote")
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema version {version}, this clew reads {SCHEMA_VERSION}",
            "Read it with the clew version that wrote it, or run the comparison again",
        )
    if made != _declared():  # a view in the place of a table computes what it likes, for as long as it likes
        raise StoreError(f"{path} does not have the tables of a run file", "Name a file that clew wrote")
