"""A lock file beside a run file: one process writes at a time. The system frees the lock however that process ends."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from clew.errors import StoreError


class WriterLock:
    """The right to write a file; held until `release`, or until the process ends.

    The lock is a file of its own, `PATH.lock`, which says who holds it and is gone when nobody does. (SQLite locks a
    run file itself, but only while it writes, and loses its locks where the process opens that file once more.)

    path: the file to be written; its folder exists. cure: what to do where another command writes it.

    Raises StoreError, with who it is, where another command writes the file, and where no lock can be made.
    """

    def __init__(self, path: Path, cure: str) -> None:
        if path.is_dir():
            raise StoreError(f"{path} cannot be written (it is a folder)", "Name a file")
        self._beside = path.with_name(path.name + ".lock")
        try:
            while True:
                self._file: IO[str] = self._beside.open("a+", encoding="utf-8", errors="replace")
                if not self._locked():
                    self._file.seek(0)
                    holder = self._file.read(200).strip() or "it does not say who"
                    self._file.close()
                    raise StoreError(f"another command is writing {path} ({holder})", cure)
                if self._is_there():
                    break
                self._file.close()  # whoever held it removed it after we had opened it
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%H:%M:%S')}")
            self._file.flush()
        except OSError as error:
            raise StoreError(f"{path} cannot be written ({error.strerror})", "Name another file or folder") from None

    def _locked(self) -> bool:
        if sys.platform == "win32":  # which has no such lock
            return True
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._beside.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let others write. Idempotent."""
        if self._file.closed:
            return
        with suppress(OSError):
            self._beside.unlink()
        self._file.close()
