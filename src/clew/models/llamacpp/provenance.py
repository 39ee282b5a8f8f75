"""What a run records of the embedded engine: its versions, whose operations compute, and the model file's digest."""

from __future__ import annotations

import ctypes
import hashlib
from contextlib import suppress
from pathlib import Path

from clew.models.llamacpp import ops
from clew.models.llamacpp.binding import library
from clew.models.llamacpp.sampler import kernel
from clew.models.pull import cache_dir

_VERSIONS = {"llama_version": "llama.cpp", "ggml_version": "ggml", "ggml_commit": "commit"}
"""Function of llama.cpp's libraries → what it tells."""


def engine() -> dict[str, str]:
    """The engine itself: its package, llama.cpp's build, whose operations are in use, and which sampler draws.

    Raises UsageError when it is not installed.
    """
    library()
    import llama_cpp

    return {
        "engine": f"llama-cpp-python {llama_cpp.__version__}",
        "build": build(),
        "operations": "clew" if ops.in_use() else "llama.cpp",
        "sampler": "NumPy" if kernel() is None else "compiled",
    }


def build() -> str:
    """llama.cpp's versions, as its libraries tell them: `llama.cpp 0.5.0, ggml 0.25.3, commit 0c1e570`."""
    told = []
    for name, what in _VERSIONS.items():
        try:
            function = getattr(library()._lib, name)
        except AttributeError:
            continue  # older builds tell less
        function.restype = ctypes.c_char_p
        told.append(f"{what} {function().decode()}")
    return ", ".join(told)


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal. Read once, then kept in the cache under the file's path, size and time."""
    status = path.stat()
    identity = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    kept = cache_dir() / "compute" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.sha256"
    if kept.exists():
        return kept.read_text()
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    # Where nothing can be written the file is read again the next time.
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        part.write_text(found)
        part.replace(kept)
    return found
