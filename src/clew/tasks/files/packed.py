"""Opens data files, packed (.gz, .zst) or not, and bounds what they unpack to."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from clew.errors import UsageError, how_to_install

LARGEST = 2**30
"""The most bytes that a packed file may unpack to."""
PACKED = (".gz", ".zst")
_CHUNK = 2048  # bytes of a .zst file read at once: at most 64 MiB unpacked, whatever they are (4 bytes make 128 KiB)


def opened(path: Path) -> io.BufferedReader:
    """The bytes of a file, unpacked where its name ends in .gz or .zst. The caller closes it.

    Raises UsageError, then or while reading, where there is no such file, where it is not a regular file (a directory,
    a pipe, a device), where it is damaged, and where it unpacks to more than `LARGEST` bytes.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{path} is a directory", "Name one of the files in it")
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path} is not a regular file", "Write what it gives to a file, and name that one")
        file = path.open("rb")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file", "Check the path") from None
    except (OSError, ValueError) as problem:
        raise UsageError(f"{str(path)!r} cannot be read ({problem})", "Check the path") from None
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return io.BufferedReader(_Unpacked(path, file, _gzip(file)))
    if suffix == ".zst":
        return io.BufferedReader(_Unpacked(path, file, _zstd(path, file)))
    return file


def _gzip(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        while chunk := unpacked.read(2**16):
            yield chunk


def _zstd(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    """The frames of a .zst file one after another, in pieces. `stream_reader` of the library takes a cut file for a
    whole one, so each frame is asked here whether it has ended."""
    try:
        import zstandard
    except ImportError:
        raise UsageError(f"{path} is packed with Zstandard", how_to_install("data") + ", or unpack it") from None
    unpacker = zstandard.ZstdDecompressor()
    frame = None
    while rest := file.read(_CHUNK):
        while rest:
            frame = frame or unpacker.decompressobj()
            try:
                yield frame.decompress(rest)
            except zstandard.ZstdError as problem:
                raise EOFError(str(problem)) from None
            rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise EOFError("it ends in the middle of a frame")


class _Unpacked(io.RawIOBase):
    """The bytes that `pieces` gives, as a file."""

    def __init__(self, path: Path, file: IO[bytes], pieces: Iterator[bytes]) -> None:
        self._path = path
        self._file = file
        self._pieces = pieces
        self._left = memoryview(b"")
        self._count = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            while not self._left:
                piece = next(self._pieces, None)
                if piece is None:
                    return 0
                self._count += len(piece)
                if self._count > LARGEST:
                    raise UsageError(
                        f"{self._path} unpacks to more than {LARGEST:,} bytes", "Unpack it, or split it into parts"
                    )
                self._left = memoryview(piece)
        except (OSError, EOFError, zlib.error) as problem:
            raise UsageError(f"{self._path} cannot be unpacked ({problem})", "Check that it is whole") from None
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
