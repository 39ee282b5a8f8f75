"""What the machine can do at most, so that decoding is seen as a share of it: see `benchmarks.engine`.

Compiled when it is run: the processor needs AVX-512 VNNI, and a C compiler must be there.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clew.models.llamacpp.binding import buffer_of
from clew.models.llamacpp.format import processor_flags
from clew.models.llamacpp.threads import threads_choice

_ROUNDS = 20_000_000
_INSTRUCTIONS, _PAIRS = 12, 64
"""Of a round, and pairs of bytes multiplied and added by each."""
_BYTES = 256 << 20
"""Of each thread: far more than any cache holds."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """int8: multiplications and additions of 8-bit numbers a second. bandwidth: bytes read from memory a second."""

    int8: float
    bandwidth: float


def roofline() -> Roofline | None:
    """The best of three rounds by as many threads as there are cores; None where it cannot be measured."""
    compiler = shutil.which("cc")
    if compiler is None or "avx512_vnni" not in processor_flags():
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "roofline.so"
        flags = ["-O3", "-mavx512f", "-mavx512bw", "-mavx512vnni", "-shared", "-fPIC"]
        source = Path(__file__).with_suffix(".c")
        subprocess.run([compiler, *flags, "-o", str(target), str(source)], check=True)
        library = ctypes.CDLL(str(target))
    threads = threads_choice()
    areas = [buffer_of(_BYTES) for _ in range(threads)]
    for area in areas:
        area.fill(1)
    products = 2 * _INSTRUCTIONS * _PAIRS * _ROUNDS * threads
    spins: list[Callable[[], object]] = [lambda: library.spin_int8(ctypes.c_int64(_ROUNDS))] * threads
    reads: list[Callable[[], object]] = [
        lambda area=area: library.read_all(ctypes.c_void_p(area.ctypes.data), ctypes.c_size_t(_BYTES))  # type: ignore[misc]
        for area in areas
    ]
    return Roofline(
        products / min(_together(spins) for _ in range(3)), _BYTES * threads / min(_together(reads) for _ in range(3))
    )


def _together(work: list[Callable[[], object]]) -> float:
    """Seconds until all are done, each on a thread of its own."""
    threads = [threading.Thread(target=one) for one in work]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin
