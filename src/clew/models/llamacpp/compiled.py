"""The libraries that were compiled when clew was installed."""

from __future__ import annotations

import ctypes
from pathlib import Path


def compiled(name: str) -> ctypes.CDLL | None:
    """The library of this name beside this file, or None where it was not built."""
    for path in sorted(Path(__file__).parent.glob(f"{name}.*")):
        if path.suffix in (".so", ".dylib", ".pyd", ".dll"):
            try:
                return ctypes.CDLL(str(path))
            except OSError:
                continue  # built for another machine
    return None
