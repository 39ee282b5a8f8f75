"""The yardstick of `benchmarks.engine`: a bare decode-and-sample loop over the same binding, and nothing else.

It forks one prompt into B sequences and takes T tokens of each, with the fastest sampler at hand (clew's kernel, in one
call a step) and no searches, budgets, text, stop conditions or cache to look after.

`Apart` runs it in a process of its own: with two sets of threads in one process, the threads of both wait in the system
instead of spinning, and both loops run at half their speed.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.models.llamacpp.binding import BATCH, Weights
from clew.models.llamacpp.sampler import kernel
from clew.models.llamacpp.threads import threads_choice
from clew.tree import Ints

MODES = ("streams", "unified")


class Bare:
    """One llama.cpp context of `slots` sequences in one of the two cache modes."""

    def __init__(self, weights: Weights, mode: str, slots: int, length: int, threads: int) -> None:
        self.lib = lib = weights.lib
        self.vocab = weights.vocab_size
        params = lib.llama_context_default_params()
        params.n_ctx = slots * length
        params.n_seq_max = slots
        params.n_batch, params.n_ubatch = BATCH, 512
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = mode == "unified"
        params.flash_attn_type = 1
        params.no_perf = True
        self.handle = lib.llama_init_from_model(weights.handle, params)
        assert self.handle, "no memory for the bare loop"
        self.memory = lib.llama_get_memory(self.handle)
        self.token = np.zeros(BATCH, np.int32)
        self.position = np.zeros(BATCH, np.int32)
        self.sequence = np.zeros(BATCH, np.int32)
        self.wanted = np.zeros(BATCH, np.int8)
        self.ones = np.ones(BATCH, np.int32)
        self.pointers = (self.sequence.ctypes.data + 4 * np.arange(BATCH)).astype(np.uintp)
        self.batch = lib.llama_batch()
        arrays: tuple[NDArray[Any], ...] = (self.token, self.position, self.ones, self.pointers, self.wanted)
        for name, array in zip(("token", "pos", "n_seq_id", "seq_id", "logits"), arrays, strict=True):
            setattr(self.batch, name, ctypes.cast(array.ctypes.data, dict(lib.llama_batch._fields_)[name]))

    def rate(self, prompt: Ints, branches: int, length: int, temperature: float) -> float:
        """Tokens a second of `branches` continuations of `length` tokens, the prompt's own time left out."""
        lib, vocab, sampler = self.lib, self.vocab, kernel()
        assert sampler is not None, "the bare loop needs the compiled kernel"
        lib.llama_memory_clear(self.memory, False)
        size = len(prompt)
        self.token[:size], self.position[:size], self.sequence[:size] = prompt, np.arange(size), 0
        self.wanted[:size] = 0
        self.wanted[size - 1] = 1
        base = self.decode(size)
        rng = np.random.default_rng(0)
        settings = [
            np.full(branches, temperature, np.float32),
            np.zeros(branches, np.int32),
            np.ones(branches, np.float32),
            np.zeros(branches, np.float32),
        ]
        uniform = np.zeros(branches)
        nothing, none = np.full(branches, -1, np.int32), np.zeros(branches, np.int32)
        ids, stats = np.zeros(branches, np.int32), np.zeros((branches, 4), np.float32)
        offsets = 4 * vocab * np.arange(branches)
        begin = time.perf_counter()
        for s in range(1, branches):
            lib.llama_memory_seq_cp(self.memory, 0, s, -1, -1)
        rows = np.full(branches, base, np.uintp)
        for step in range(length):
            uniform[:] = rng.random(branches)
            arrays: tuple[NDArray[Any], ...] = (rows, rows, *settings, uniform, nothing, ids, stats, none)
            sampler.clew_sample(branches, vocab, *(_at(a) for a in arrays), 0, _at(none), _at(none))
            if step < length - 1:
                self.token[:branches], self.position[:branches] = ids, size + step
                self.sequence[:branches], self.wanted[:branches] = np.arange(branches), 1
                rows = (self.decode(branches) + offsets).astype(np.uintp)
        return branches * length / (time.perf_counter() - begin)

    def decode(self, count: int) -> int:
        """Compute the first `count` tokens of the batch; the address of the first row of logits."""
        self.batch.n_tokens = count
        assert self.lib.llama_decode(self.handle, self.batch) == 0
        return ctypes.cast(self.lib.llama_get_logits(self.handle), ctypes.c_void_p).value or 0

    def close(self) -> None:
        self.lib.llama_free(self.handle)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


class Apart:
    """Both cache modes of the bare loop over a model file, in a process of their own that ends with the context."""

    def __init__(self, file: Path, slots: int, length: int) -> None:
        command = [sys.executable, "-m", "benchmarks.bare", str(file), str(slots), str(length)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rate(self, mode: str, prompt: Ints, branches: int, length: int, temperature: float) -> float:
        """What `Bare.rate` says."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([mode, prompt.tolist(), branches, length, temperature]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """The other side of `Apart`: a rate for every line of arguments."""
    weights = Weights(Path(sys.argv[1]))
    loops = {mode: Bare(weights, mode, int(sys.argv[2]), int(sys.argv[3]), threads_choice()) for mode in MODES}
    for line in sys.stdin:
        mode, prompt, *settings = json.loads(line)
        print(loops[mode].rate(np.array(prompt, np.int32), *settings), flush=True)


if __name__ == "__main__":
    main()
