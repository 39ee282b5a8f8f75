"""Which number format to compute in, and with how many threads, chosen by what the processor has."""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clew.errors import ModelError
from clew.models.llamacpp.binding import library
from clew.models.pull import cache_dir, free_bytes

_FTYPE_BF16 = 32
_BF16_LIMIT = 4 << 30


@dataclass(frozen=True, slots=True)
class Choice:
    """format: 'bf16', or 'as shipped'. why: one line."""

    format: str
    why: str


@functools.cache
def processor_flags() -> frozenset[str]:
    """The features of the processor as the kernel names them; empty where it does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    lines = (line.partition(":") for line in text.splitlines())
    return frozenset(next((v.split() for k, _, v in lines if k.strip() in ("flags", "Features")), []))


def format_choice() -> Choice:
    """The compute format for this processor."""
    flags = processor_flags()
    if "avx512_bf16" in flags:
        return Choice("bf16", "the processor multiplies bfloat16 in hardware (avx512_bf16): about twice as fast")
    return Choice("as shipped", "the processor has no avx512_bf16, so the file's own quantisation is fastest")


def threads_choice() -> int:
    """Physical cores that this process may use."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add(((topology / "physical_package_id").read_text(), (topology / "core_id").read_text()))
        except OSError:
            return len(allowed)
    return min(len(cores), _quota() or len(cores))


def _quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))


def compute_file(path: Path) -> Path:
    """The file to compute with: `path` itself, or a bfloat16 copy of it in clew's cache, made at the first use.

    Models above 4 GiB in bfloat16, and files that are unquantised already, are taken as they are.

    Raises ModelError when the copy cannot be written.
    """
    if format_choice().format != "bf16" or _is_unquantised(path) or path.stat().st_size * 3.2 > _BF16_LIMIT:
        return path
    status = path.stat()
    target = cache_dir() / "compute" / f"{path.stem}-{status.st_size:x}-{status.st_mtime_ns:x}.bf16.gguf"
    if target.exists() or not _room_for(path, target.parent):
        return target if target.exists() else path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".convert-") as folder:
            part = Path(folder) / "part.gguf"
            lib = library()
            params = lib.llama_model_quantize_default_params()
            params.ftype = _FTYPE_BF16
            params.allow_requantize = True
            params.nthread = threads_choice()
            if lib.llama_model_quantize(str(path).encode(), str(part).encode(), ctypes.byref(params)):
                # A damaged file is reported in the user's words when the file itself is loaded.
                return path
            part.replace(target)
    except OSError as error:
        raise ModelError(
            f"cannot store the bfloat16 copy of {path.name}: {error.strerror}",
            "Free some space, set CLEW_CACHE to another folder, or load with format='as shipped'",
        ) from error
    return target


def _room_for(path: Path, folder: Path) -> bool:
    return free_bytes(folder) > 4 * path.stat().st_size


def _is_unquantised(path: Path) -> bool:
    """Whether the file says that it holds 16- or 32-bit floats (general.file_type 0, 1 or 32)."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    key = b"general.file_type"
    at = head.find(key)
    if at < 0:
        return False
    kind, value = struct.unpack_from("<II", head.ljust(at + len(key) + 8, b"\0"), at + len(key))
    return kind == 4 and value in (0, 1, _FTYPE_BF16)
