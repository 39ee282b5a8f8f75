"""A run file as Parquet or JSONL, one file a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from clew.errors import StoreError, UsageError, how_to_install
from clew.store import Reader
from clew.store.format import STATS, columns

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 2000


def export_run(run: Path, form: str, folder: Path) -> dict[str, int]:
    """Write each table of `run` to `folder/TABLE.{form}`; path → number of rows.

    Each file appears whole or not at all. Raises StoreError for an unreadable run or an unwritable folder, UsageError
    when Parquet is asked for without pyarrow.
    """
    counts = {}
    with Reader.open(run) as store:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for table in columns():
                path = folder / f"{table}.{form}"
                part = path.with_suffix(path.suffix + ".part")
                counts[str(path)] = _jsonl(store, table, part) if form == "jsonl" else _parquet(store, table, part)
                part.replace(path)
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be written ({error.strerror})", "Name another folder by --out"
            ) from error
    return counts


def _jsonl(store: Reader, table: str, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in store.rows(table):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _parquet(store: Reader, table: str, path: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("Parquet needs pyarrow, which is not installed", how_to_install("data")) from None
    schema = pa.schema(_fields(table))
    count = 0
    batch: list[dict[str, object]] = []
    with pq.ParquetWriter(path, schema) as writer:
        for row in store.rows(table):
            batch.append(row)
            count += 1
            if len(batch) == _BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema))
    return count


def _fields(table: str) -> list[tuple[str, pa.DataType]]:
    """Its columns with their types in Arrow; `stats` becomes a column an array."""
    import pyarrow as pa

    scalars = {"INTEGER": pa.int64(), "REAL": pa.float64(), "TEXT": pa.string()}
    found = [(name, scalars[kind]) for name, (kind, _) in columns()[table].items() if kind != "BLOB"]
    if "stats" in columns()[table]:
        for name, (number, axes) in STATS.items():
            kind = pa.from_numpy_dtype(number)
            for _ in range(axes):
                kind = pa.list_(kind)
            found.append((name, kind))
    return found
