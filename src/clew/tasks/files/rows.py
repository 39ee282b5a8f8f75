"""The rows of a data file: JSON lines, JSON, CSV, TSV, Parquet; each packed or not."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from clew.errors import UsageError, how_to_install
from clew.tasks.files.packed import LARGEST, PACKED, opened

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""How the name of a data file ends, `PACKED` aside."""
LONGEST_LINE = 2**26
"""The most bytes of one line, and the most characters of one CSV field."""
LARGEST_JSON = 2**28
"""The most characters of a .json file, which is read whole: as objects they may take twenty times the memory."""
MOST_ROWS = 2_000_000
_MOST_DIGITS = 4_000  # of a whole number that is read as one; Python refuses more than 4,300


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a data file.

    number: the number of the line where the format has lines, else of the row; both from 1.
    place: file and row, for messages.
    data: field → cell.
    """

    number: int
    place: str
    data: Mapping[str, Any]


def format_of(name: str | Path) -> str | None:
    """The format of a data file by its name, one of `FORMATS`; None for any other name."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in FORMATS else None


def stem_of(path: Path) -> str:
    """The name of a data file without what says its format and how it is packed."""
    return Path(path.stem).stem if path.suffix.lower() in PACKED else path.stem


def rows_of(path: Path) -> Iterator[Row]:
    """The rows of a data file, one at a time.

    Raises UsageError, with the line, for a file that cannot be read or is not of the format that its name says.
    """
    kind = format_of(path)
    if kind is None:
        raise UsageError(
            f"{path} is not a file of problems",
            f"Its name must end in {', '.join(FORMATS)}, and then perhaps {' or '.join(PACKED)}",
        )
    with opened(path) as file:
        if kind == ".parquet":
            found = _parquet(path, file)
        elif kind in (".csv", ".tsv"):
            found = _csv(path, file, "\t" if kind == ".tsv" else ",")
        elif kind == ".json":
            found = _json(path, file)
        else:
            found = _json_lines(path, file)
        for count, row in enumerate(found, 1):
            if count > MOST_ROWS:
                raise UsageError(f"{path} has more than {MOST_ROWS:,} rows", "Split it into parts")
            yield row


# --- text -------------------------------------------------------------------------------------------------------------


def _lines(path: Path, file: IO[bytes]) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers, without its byte order mark."""
    number = 0
    try:
        while raw := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(raw) > LONGEST_LINE:
                raise UsageError(f"{path}:{number}: this line has more than {LONGEST_LINE:,} bytes", "Shorten it")
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            if "\0" in line:
                raise UsageError(f"{path}:{number}: this line has a NUL character", "Save the file as text in UTF-8")
            yield number, line
    except UnicodeDecodeError as problem:
        raise UsageError(f"{path}:{number}: this line is not UTF-8 ({problem.reason})", "Save it as UTF-8") from None
    except OSError as problem:
        raise UsageError(f"{path} cannot be read ({problem.strerror})", "Check the path") from None


def _csv(path: Path, file: IO[bytes], delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))  # 131,072 else; it holds for the whole process
    table = csv.reader((line for _, line in _lines(path, file)), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(table, [])]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"{path}:1: two columns are called {twice[:40]!r}", "Rename one of them")
        for cells in table:
            if not cells:
                continue
            place = f"{path}:{table.line_num}"
            if len(cells) != len(names):
                cause = f"{place}: this row has {len(cells)} fields, and the header {len(names)}"
                raise UsageError(cause, "Quote fields that hold commas")
            yield Row(table.line_num, place, dict(zip(names, cells, strict=True)))
    except csv.Error as problem:
        cause = f"{path}:{table.line_num}: this row is not CSV ({problem})"
        raise UsageError(cause, "Quote fields that hold commas") from None


# --- JSON -------------------------------------------------------------------------------------------------------------


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def _constant(name: str) -> str | None:
    return None if name == "NaN" else name


def parsed(text: str) -> Any:
    """A JSON text as a value. Numbers with a point stay as they are written, and so do whole numbers of thousands of
    digits: both become text. NaN is None.

    Raises ValueError for what is not JSON, or is nested too deep.
    """
    try:
        return json.loads(text, parse_int=_whole, parse_float=str, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as problem:
        raise ValueError(problem.msg) from None


def _json_lines(path: Path, file: IO[bytes]) -> Iterator[Row]:
    for number, line in _lines(path, file):
        if line.strip():
            yield _object(f"{path}:{number}", number, line)


def _object(place: str, number: int, line: str) -> Row:
    try:
        data = parsed(line)
    except ValueError as problem:
        raise UsageError(f"{place}: this line is not JSON ({problem})", "Write one JSON object a line") from None
    if not isinstance(data, dict):
        raise UsageError(f"{place}: this line is not a JSON object", 'Write one {"question": …} a line')
    return Row(number, place, data)


def _json(path: Path, file: IO[bytes]) -> Iterator[Row]:
    """The objects of a JSON list, which may be all that an object holds; or an object a line, as some name them."""
    lines: list[tuple[int, str]] = []
    size = 0
    for number, line in _lines(path, file):
        lines.append((number, line))
        size += len(line)
        if size > LARGEST_JSON:
            raise UsageError(f"{path} has more than {LARGEST_JSON:,} characters", "Write one object a line, as .jsonl")
    try:
        data = parsed("".join(line for _, line in lines))
    except ValueError as problem:
        filled = [(number, line) for number, line in lines if line.strip()]
        if len(filled) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for _, line in filled):
            for number, line in filled:
                yield _object(f"{path}:{number}", number, line)
            return
        if not filled:
            return
        raise UsageError(f"{path} is not JSON ({problem})", "Write a list of objects") from None
    if isinstance(data, dict):
        inner = list(data.values())
        data = inner[0] if len(inner) == 1 and isinstance(inner[0], list) else [data]
    if not isinstance(data, list):
        raise UsageError(f"{path} is not a list of JSON objects", 'Write [{"question": …}, …]')
    for number, item in enumerate(data, 1):
        if not isinstance(item, dict):
            raise UsageError(f"{path}, row {number}: this is not a JSON object", 'Write [{"question": …}, …]')
        yield Row(number, f"{path}, row {number}", item)


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(path: Path, file: IO[bytes]) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("Parquet files need pyarrow", how_to_install("data")) from None
    source = io.BytesIO(file.read()) if path.suffix.lower() in PACKED else file
    number = size = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(source).iter_batches(batch_size=1024):
            size += batch.nbytes
            if size > LARGEST:
                raise UsageError(f"{path} holds more than {LARGEST:,} bytes", "Split it into parts")
            for data in batch.to_pylist():
                number += 1
                yield Row(number, f"{path}, row {number}", data)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError) as problem:
        said = " ".join(str(problem).split())[:200]
        raise UsageError(f"{path} is not a Parquet file, or is damaged ({said})", "Check the file") from None
