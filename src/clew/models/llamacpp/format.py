"""Which number format to compute in, chosen by measurement or by what the processor has."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clew.errors import ModelError
from clew.models.llamacpp import gguf, ops, provenance
from clew.models.llamacpp.binding import library
from clew.models.llamacpp.threads import threads_choice
from clew.models.pull import cache_dir, free_bytes

_LARGEST_COPY = 4 << 30
"""Bytes. Larger copies are not made: they would fill a user's disk unasked."""
_GROWTH = 3.2
"""How many times larger than its file a copy can get: bfloat16 has 16 bits a number, Q4_1 has 5."""
_SPARE = 4
"""A copy is made where this many times the file's size is free: room for the copy, and some left."""
# llama.cpp's numbers for formats (`general.file_type`).
_F32, _F16, _BF16 = 0, 1, 32
_UNQUANTISED = frozenset((_F32, _F16, _BF16))
_Q4_0, _Q4_1, _Q8_0, _Q5_0, _Q5_1 = 2, 3, 7, 8, 9
FORMATS: Mapping[str, int | None] = {"as shipped": None, "q8_0": _Q8_0, "bf16": _BF16}
"""The formats that are chosen from; llama.cpp's number for each."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A compute format, and which files it suits.

    format: one of `FORMATS`. why: one line. slow: which types of files (`general.file_type`) it makes faster; None for
    all that are quantised in another way.
    """

    format: str
    why: str
    slow: frozenset[int] | None = frozenset()

    @property
    def file_type(self) -> int | None:
        """llama.cpp's number for the format; None for 'as shipped'."""
        return FORMATS[self.format]

    def suits(self, file_type: int | None) -> bool:
        """Whether a file of this type is to be converted."""
        if self.slow is None:
            return file_type not in _UNQUANTISED and file_type != self.file_type
        return file_type in self.slow


@functools.cache
def processor_flags() -> frozenset[str]:
    """The features of the processor as the kernel names them; empty where it does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return frozenset()
    lines = (line.partition(":") for line in text.splitlines())
    return frozenset(next((v.split() for k, _, v in lines if k.strip() in ("flags", "Features")), []))


@dataclass(frozen=True, slots=True)
class Measured:
    """What `clew doctor --measure` found: the fastest format, and tokens a second by format and number of branches."""

    format: str
    rates: dict[str, dict[int, float]]

    def __str__(self) -> str:
        said = (f"{name} {', '.join(f'{r:,.0f}' for r in by.values())}" for name, by in self.rates.items())
        branches = ", ".join(map(str, next(iter(self.rates.values()), ())))
        return f"tokens a second at {branches} branches: {'; '.join(said)}"


def remember(found: Measured) -> Measured:
    """Keep a measurement for this machine; the measurement itself.

    Raises ModelError when it cannot be stored.
    """
    path = _measured_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"format": found.format, "rates": found.rates}))
        part.replace(path)
    except OSError as error:
        raise ModelError(f"cannot store what was measured: {error.strerror}", "Set CLEW_CACHE to a folder") from error
    return found


def measured() -> Measured | None:
    """What was measured on this machine with this engine; None where nothing was."""
    try:
        data = json.loads(_measured_file().read_text())
        rates = {str(name): {int(n): float(r) for n, r in by.items()} for name, by in data["rates"].items()}
        return Measured(data["format"], rates) if data["format"] in FORMATS else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _measured_file() -> Path:
    """Where measurements are kept, by processor and by whose operations compute."""
    machine = f"{sorted(processor_flags())} {ops.in_use()} {threads_choice()} {provenance.build()}"
    return cache_dir() / "compute" / f"formats-{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"


def format_choice() -> Choice:
    """The compute format for this machine: as measured, or what is usual for the processor."""
    found = measured()
    if found is not None:
        slow: frozenset[int] | None = frozenset() if found.format == "as shipped" else None
        return Choice(found.format, f"measured on this machine, {found}", slow)
    flags = processor_flags()
    if ops.in_use():
        why = "clew's own products of Q8_0 are one and a half to three times as fast in batches"
        # Where bfloat16 is fast, all that is quantised is slower than it.
        return Choice("q8_0", why, None if "avx512_bf16" in flags else frozenset((_Q4_0, _Q4_1, _Q5_0, _Q5_1)))
    if "avx512_bf16" in flags:
        why = "the processor multiplies bfloat16 in hardware (avx512_bf16): about twice as fast"
        return Choice("bf16", why, slow=None)
    if "avx2" in flags:
        why = "for files in Q4_1 and Q5_1: llama.cpp has no kernels for them that compute in batches"
        return Choice("q8_0", why, frozenset((_Q4_1, _Q5_1)))
    return Choice("as shipped", "the processor has neither avx512_bf16 nor avx2: nothing faster is known")


def compute_file(path: Path) -> Path:
    """The file to compute with: `path` itself, or a copy in the chosen format in clew's cache, made at the first
    use, and again where it was written to since.

    Models above 4 GiB in that format, and files that it does not make faster, are taken as they are.

    Raises ModelError when the copy cannot be written.
    """
    choice = format_choice()
    wanted = choice.file_type
    if wanted is None or not choice.suits(_file_type(path)) or path.stat().st_size * _GROWTH > _LARGEST_COPY:
        return path
    status = path.stat()
    name = f"{path.stem}-{status.st_size:x}-{status.st_mtime_ns:x}.{choice.format}.gguf"
    target = cache_dir() / "compute" / name
    if _whole(target):
        return target
    if not _room_for(path, target.parent):
        return path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".convert-") as folder:
            part, note = Path(folder) / "part.gguf", Path(folder) / "part.made"
            if not convert(path, part, wanted):
                # A damaged file is reported in the user's words when the file itself is loaded.
                return path
            note.write_text(_state(part))
            # The note first: a copy without one is taken for a damaged one, and only made anew.
            note.replace(_note(target))
            part.replace(target)
    except OSError as error:
        raise ModelError(
            f"cannot store the {choice.format} copy of {path.name}: {error.strerror}",
            "Free some space, set CLEW_CACHE to another folder, or load with format='as shipped'",
        ) from error
    return target


def _whole(copy: Path) -> bool:
    """Whether a copy is there as it was made: one that was cut or written to since is made anew."""
    try:
        return _note(copy).read_text() == _state(copy)
    except (OSError, UnicodeDecodeError):
        return False


def _note(copy: Path) -> Path:
    """The file beside a copy that says how it was made."""
    return copy.with_suffix(".made")


def _state(copy: Path) -> str:
    """Size and time of the last change: what tells of damage without reading gigabytes at every load."""
    status = copy.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def convert(source: Path, target: Path, file_type: int) -> bool:
    """Write a copy of a model file in another format (llama.cpp's number); whether that could be done."""
    lib = library()
    params = lib.llama_model_quantize_default_params()
    params.ftype, params.allow_requantize, params.nthread = file_type, True, threads_choice()
    return not lib.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))


def _room_for(path: Path, folder: Path) -> bool:
    return free_bytes(folder) > _SPARE * path.stat().st_size


def _file_type(path: Path) -> int | None:
    """What the file says of its numbers; None where it says nothing."""
    found = gguf.number(path, "general.file_type")
    return found if isinstance(found, int) else None
