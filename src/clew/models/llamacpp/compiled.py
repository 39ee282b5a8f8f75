"""The libraries that were compiled when clew was installed."""

from __future__ import annotations

import ctypes
from pathlib import Path


def compiled(name: str, mode: int = ctypes.DEFAULT_MODE) -> ctypes.CDLL | None:
    """The library of this name beside this file, or None where it was not built.

    mode: who else finds its symbols, as in `ctypes.CDLL`.
    """
    for path in sorted(Path(__file__).parent.glob(f"{name}.*")):
        if path.suffix in (".so", ".dylib", ".pyd", ".dll"):
            try:
                return ctypes.CDLL(str(path), mode=mode)
            except OSError:
                continue  # built for another machine
    return None
