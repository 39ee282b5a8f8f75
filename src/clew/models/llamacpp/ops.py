"""Operations of llama.cpp that clew computes itself where the processor has AVX-512 VNNI: see `ops.c`.

Products of weights in Q8_0 with a batch, and attention, are what decoding many branches consists of, and llama.cpp has
no kernels for either that share work within the batch. Nor do its results for a token stay the same when the batch
changes; these do, to the last bit.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os

from clew.models.llamacpp.compiled import compiled

_PACKAGE = "llama-cpp-python"
_OWNER = "libggml-cpu.so.0"
"""llama.cpp's library of operations."""

_using = False


@functools.cache
def replacements() -> ctypes.CDLL | None:
    """The compiled operations; None where they were not built, or are not for this processor, system or engine."""
    library = compiled("_ops") if _known_engine() else None
    if library is None:
        return None
    library.clew_ops_usable.restype = library.clew_ops_start.restype = ctypes.c_bool
    library.clew_ops_start.argtypes = [ctypes.c_void_p, ctypes.c_bool]
    return library if library.clew_ops_usable() else None


def start(use: bool = True) -> None:
    """Compute with the replacements from now on, where there are some, or with llama.cpp's own operations.

    llama.cpp must be loaded.
    """
    global _using
    library = replacements()
    if library is None:
        return
    try:
        # By name, which finds the one that is loaded: a wheel has several copies of the file.
        owner = ctypes.CDLL(_OWNER, mode=os.RTLD_NOLOAD)
    except OSError:
        return  # built into one library: there is nothing to replace, and llama.cpp's own do as ever
    _using = library.clew_ops_start(owner._handle, use)


def in_use() -> bool:
    """Whether the engine computes with the replacements."""
    return _using


def counts() -> tuple[int, int]:
    """Products and attentions that the replacements have computed in this process."""
    library = replacements()
    found = (ctypes.c_int64 * 2)()
    if library is not None:
        library.clew_ops_counts(found)
    return found[0], found[1]


def _known_engine() -> bool:
    """Whether the engine is of the version that clew asks for: the replacements read its structures."""
    try:
        wanted = importlib.metadata.requires("clew") or []
        version = importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False  # clew runs from its sources, or the engine came under another name
    return any(r.partition(";")[0].strip() == f"{_PACKAGE}=={version}" for r in wanted)
