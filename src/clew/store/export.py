"""A run file as Parquet or JSONL, one file a table."""

from __future__ import annotations

import json
from pathlib import Path

from clew.errors import StoreError, UsageError
from clew.store import Reader

TABLES = ("problems", "results", "proposals", "nodes")
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
            for table in TABLES:
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
        raise UsageError("Parquet needs pyarrow, which is not installed", "pip install 'clew[data]'") from None
    schema = pa.schema([(name, _arrow_type(kind)) for name, kind in _columns(table).items()])
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


def _columns(table: str) -> dict[str, str]:
    """Column → kind. Written out, so that an export of few rows has the same types as one of many."""
    text = {
        "problems": "id family question messages reference meta",
        "results": "problem method status value text votes usage samples cost error",
        "proposals": "value usage",
        "nodes": "origin role finish label text scores",
    }
    ints = {
        "problems": "",
        "results": "id seed node",
        "proposals": "result number node",
        "nodes": "result id parent beginning_of born tokens exact cut",
    }
    floats = {"problems": "difficulty", "results": "confidence grade", "proposals": "confidence", "nodes": ""}
    columns = dict.fromkeys(ints[table].split(), "int") | dict.fromkeys(text[table].split(), "text")
    columns |= dict.fromkeys(floats[table].split(), "float")
    if table == "nodes":
        columns |= dict.fromkeys(("token_ids", "offsets"), "ints")
        columns |= dict.fromkeys(("logprob", "entropy", "certainty", "proposal_logprob"), "floats")
    return columns


def _arrow_type(kind: str) -> object:
    import pyarrow

    return {
        "int": pyarrow.int64(),
        "text": pyarrow.string(),
        "float": pyarrow.float64(),
        "ints": pyarrow.list_(pyarrow.int32()),
        "floats": pyarrow.list_(pyarrow.float32()),
    }[kind]
