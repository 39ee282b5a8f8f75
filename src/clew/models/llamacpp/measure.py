"""Measuring which format decodes fastest on this machine: once, on request, and kept for all models."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from clew.errors import UsageError
from clew.models.llamacpp.binding import BATCH, Decoder, Weights
from clew.models.llamacpp.format import FORMATS, Measured, convert, processor_flags, remember
from clew.models.llamacpp.threads import ThreadControl, threads_choice

BRANCHES = (1, 16, 64)
_LENGTH = 256
_CONTEXT = BATCH // max(BRANCHES)
"""Tokens of each sequence before the first measured step: as many as one call computes."""
_SECONDS = 0.8
"""Of decoding, for each format and number of branches."""


def measure(path: Path, say: Callable[[str], object] = lambda text: None) -> Measured:
    """Tokens a second in each format at 1, 16 and 64 branches; the format with the greatest geometric mean is kept in
    clew's cache, and is the default from now on.

    path: a quantised model file. say: told of each format before it is measured, which takes some seconds.

    Raises UsageError when no copy of the file could be made.
    """
    rates: dict[str, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, number in FORMATS.items():
            # Without the instruction, bfloat16 is unpacked in software: never the fastest.
            if name == "bf16" and "avx512_bf16" not in processor_flags():
                continue
            say(name)
            file = path
            if number is not None:
                file = Path(folder) / f"{name}.gguf"
                if not convert(path, file, number):
                    raise UsageError(f"{path.name} cannot be converted to {name}", "Take another model file")
            weights = Weights(file)
            rates[name] = {n: round(rate, 1) for n, rate in _rates(weights)}
            weights.close()
    best = max(rates, key=lambda name: math.prod(rates[name].values()))
    return remember(Measured(best, rates))


def _rates(weights: Weights) -> Iterator[tuple[int, float]]:
    """Branches and tokens a second, for each of `BRANCHES`."""
    most = max(BRANCHES)
    decoder = Decoder(weights, most, _LENGTH, ThreadControl(threads_choice(), fixed=True))
    rng = np.random.default_rng(0)
    try:
        count = most * _CONTEXT
        decoder.token[:count] = rng.integers(0, weights.vocab_size, count)
        decoder.position[:count] = np.tile(np.arange(_CONTEXT), most)
        decoder.sequence[:count] = np.repeat(np.arange(most), _CONTEXT)
        decoder.wanted[:count] = 0
        decoder.wanted[count - 1] = 1
        decoder.decode(count)
        for branches in BRANCHES:
            decoder.token[:branches] = rng.integers(0, weights.vocab_size, branches)
            decoder.sequence[:branches] = np.arange(branches)
            decoder.wanted[:branches] = 1
            begin = time.perf_counter()
            for step in itertools.count(1):
                decoder.position[:branches] = _CONTEXT + step - 1
                decoder.decode(branches)
                if step == 1:
                    # The first step of a new shape prepares its buffers.
                    begin = time.perf_counter()
                elif time.perf_counter() - begin > _SECONDS or _CONTEXT + step >= _LENGTH:
                    break
            yield branches, branches * (step - 1) / (time.perf_counter() - begin)
            for slot in range(branches):
                decoder.trim(slot, _CONTEXT)
    finally:
        decoder.close()
