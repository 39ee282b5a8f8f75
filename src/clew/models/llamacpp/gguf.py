"""Reading one fact from the metadata at the head of a model file (GGUF), without loading the file.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. All numbers are little-endian.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_LIMIT = 64 << 20
"""Bytes of metadata that are looked through at most: twice what a vocabulary of 256,000 tokens and its merges take."""
_HEADER = struct.Struct("<4sIQQ")
"""Magic, version, number of tensors, number of metadata entries."""
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
"""Type of a value → how `struct` reads it."""
_STRING, _ARRAY = 8, 9


def number(path: Path, key: str) -> int | float | None:
    """The number that a model file keeps under `key`; None where there is none, or it is not GGUF of version 2 or 3.

    The entries come in any order, so all before it are passed over, vocabularies included.
    """
    wanted = key.encode()
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            return None  # an empty file
    with data:
        try:
            magic, version, _, entries = _HEADER.unpack_from(data)
            if magic != b"GGUF" or version not in (2, 3):
                return None
            at = _HEADER.size
            for _ in range(entries):
                name, at = _string(data, at)
                (kind,) = struct.unpack_from("<I", data, at)
                at += 4
                if name == wanted:
                    found: int | float | None = struct.unpack_from(_NUMBERS[kind], data, at)[0]
                    return found
                at = _after(data, at, kind)
                if at > _LIMIT:
                    return None
        except (struct.error, OverflowError, KeyError):
            return None  # the file is cut off or damaged here; loading it says so in the user's words
    return None


def _string(data: mmap.mmap, at: int) -> tuple[bytes, int]:
    """The string at a place, and the place after it."""
    (size,) = struct.unpack_from("<Q", data, at)
    return data[at + 8 : at + 8 + size], at + 8 + size


def _after(data: mmap.mmap, at: int, kind: int) -> int:
    """The place after a value of this type; KeyError for a type that is not known, arrays of arrays among them."""
    if kind in _NUMBERS:
        return at + struct.calcsize(_NUMBERS[kind])
    if kind == _STRING:
        return at + 8 + int(struct.unpack_from("<Q", data, at)[0])
    if kind != _ARRAY:
        raise KeyError(kind)
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner != _STRING:
        return at + int(count) * struct.calcsize(_NUMBERS[inner])
    for _ in range(count):
        at += 8 + int(struct.unpack_from("<Q", data, at)[0])
        if at > _LIMIT:
            return at
    return at
