"""Operations of llama.cpp that clew computes itself where the processor has AVX-512 VNNI: see `ops.c`.

Products of weights in Q8_0 with a batch, and attention of a few queries, are what decoding many branches consists of,
and llama.cpp has no kernels for either that share work within the batch. Its library calls both by name; on Linux a
library loaded earlier and globally answers to a name before it does.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

from clew.models.llamacpp.compiled import compiled

_PACKAGE = "llama_cpp_python"
_OWNER = "libggml-cpu.so.0"
"""llama.cpp's library of operations."""


@functools.cache
def replacements() -> ctypes.CDLL | None:
    """The compiled operations; None where they were not built, or are not for this processor, system or engine.

    They take effect on a llama.cpp that is loaded afterwards.
    """
    if sys.platform != "linux" or not _engine_is_known():
        return None
    library = compiled("_ops", ctypes.RTLD_GLOBAL)
    if library is None:
        return None
    library.clew_ops_usable.restype = ctypes.c_bool
    library.clew_ops_start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_bool]
    return library if library.clew_ops_usable() else None


def start(use: bool = True) -> None:
    """Compute with the replacements from now on, or with llama.cpp's own operations. llama.cpp must be loaded."""
    library = replacements()
    if library is not None:
        # By name, which finds the one that is loaded: a wheel has several copies of the file.
        own = ctypes.CDLL(_OWNER, mode=os.RTLD_NOLOAD)
        names = ("llamafile_sgemm", "ggml_compute_forward_flash_attn_ext")
        library.clew_ops_start(*(ctypes.cast(getattr(own, name), ctypes.c_void_p) for name in names), use)


def counts() -> tuple[int, int]:
    """Products and attentions that the replacements have computed in this process."""
    library = replacements()
    found = (ctypes.c_int64 * 2)()
    if library is not None:
        library.clew_ops_counts(found)
    return found[0], found[1]


def _engine_is_known() -> bool:
    """Whether the engine is the one that clew asks for: the replacements read its structures."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None or "LLAMA_CPP_LIB_PATH" in os.environ:
        return False
    version = importlib.metadata.version(_PACKAGE)
    wanted = [r.replace("-", "_") for r in importlib.metadata.requires("clew") or []]
    here = (Path(found.origin).parent / "lib" / _OWNER).exists()
    return here and any(r.startswith(f"{_PACKAGE}=={version};") for r in wanted)
