"""The few things clew needs of llama.cpp's C interface, as Python objects over NumPy arrays. No policy here."""

from __future__ import annotations

import ctypes
import functools
import mmap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.errors import ModelError, UsageError, how_to_install
from clew.models.llamacpp import ops
from clew.models.llamacpp.lane import LANE
from clew.models.llamacpp.threads import ThreadControl, short_waits
from clew.models.pull import check_gguf
from clew.tree import Ints

UBATCH = 512
"""Tokens that one pass over the weights computes at most."""
BATCH = 2048
"""Tokens in one call at most."""
MAX_SEQUENCES = 256
"""What llama.cpp allows in one context."""
_FLASH_ATTENTION = 1
_HEADER = 2
"""Words of 4 bytes before the caches of a saved sequence."""


@functools.cache
def library() -> Any:
    """llama_cpp's low-level module, loaded once and silenced.

    Raises UsageError when it is not installed.
    """
    try:
        with short_waits():
            import llama_cpp.llama_cpp as lib
    except ImportError as error:
        raise UsageError("the embedded engine is not installed", how_to_install("engine")) from error

    # llama.cpp keeps the bare pointer: the callback must live as long as the library.
    lib.clew_silent = lib.llama_log_callback(lambda level, text, data: None)
    lib.llama_log_set(lib.clew_silent, ctypes.c_void_p())
    lib.llama_backend_init()
    ops.start()
    return lib


class Weights:
    """A loaded model file.

    kv_bytes: bytes of cache that one token takes. size: bytes of all weights.

    Raises UsageError for a file that cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        self.lib = lib = library()
        check_gguf(path)
        params = lib.llama_model_default_params()
        self.handle = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise UsageError(f"{path} is truncated or damaged: llama.cpp cannot load it", "Fetch it again")
        self.vocab = lib.llama_model_get_vocab(self.handle)
        self.vocab_size: int = lib.llama_vocab_n_tokens(self.vocab)
        self.context_length: int = lib.llama_model_n_ctx_train(self.handle)
        self.layers: int = lib.llama_model_n_layer(self.handle)
        self.width: int = lib.llama_model_n_embd(self.handle)
        self.params: int = lib.llama_model_n_params(self.handle)
        self.size: int = lib.llama_model_size(self.handle)
        recurrent = lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle)
        if not lib.llama_model_has_decoder(self.handle) or recurrent:
            raise UsageError(f"{path} is not a decoder with an attention cache", "Choose another model")

    @property
    def kv_bytes(self) -> int:
        """Bytes of cache (16-bit keys and values) that one token takes."""
        lib = self.lib
        heads, kv_heads = lib.llama_model_n_head(self.handle), lib.llama_model_n_head_kv(self.handle)
        return int(self.layers * 2 * 2 * kv_heads * (self.width // heads))

    @property
    def chat_template(self) -> str:
        """The chat template in the file (Jinja); '' where it has none."""
        found = self.lib.llama_model_chat_template(self.handle, None)
        return found.decode("utf-8", "replace") if found else ""

    def mark(self, name: str) -> str:
        """The text of the model's token for 'bos' or 'eos'; '' where it has none."""
        token = getattr(self.lib, f"llama_vocab_{name}")(self.vocab)
        return self.piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""

    @property
    def controls(self) -> list[str]:
        """The texts of the control tokens: what `tokenize` reads as one of them if `special`."""
        lib, kinds = self.lib, self.lib.LLAMA_TOKEN_ATTR_CONTROL | self.lib.LLAMA_TOKEN_ATTR_UNKNOWN
        found = (i for i in range(self.vocab_size) if lib.llama_vocab_get_attr(self.vocab, i) & kinds)
        return [lib.llama_vocab_get_text(self.vocab, i).decode("utf-8", "replace") for i in found]

    def tokenize(self, text: str, *, special: bool, begin: bool) -> Ints:
        """The tokens of `text`, int32[T].

        special: whether the text of control tokens stands for them. begin: whether to add what the model wants at the
        begin of a text.
        """
        data = text.encode("utf-8", "surrogateescape")
        size = len(data) + 8
        for _ in range(2):
            ids = np.zeros(size, np.int32)
            pointer = ids.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
            count = int(self.lib.llama_tokenize(self.vocab, data, len(data), pointer, size, begin, special))
            if count >= 0:
                return ids[:count].copy()
            # A tokeniser that writes spaces as ▁ may make more tokens than the text has bytes: so many.
            size = -count
        raise ModelError(f"the model cannot tokenise a text of {len(text)} characters")

    def piece(self, token: int, *, special: bool = False) -> bytes:
        """What a token says; b'' for control tokens unless `special`."""
        buffer = ctypes.create_string_buffer(512)
        length = self.lib.llama_token_to_piece(self.vocab, token, buffer, 512, 0, special)
        return buffer.raw[:length] if length > 0 else b""

    def close(self) -> None:
        if self.handle:
            self.lib.llama_model_free(self.handle)
            self.handle = None


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A sequence's cells, copied out. buffer: uint8. parts: where in it the cells of each cache begin and end; there
    are two caches where some layers have sliding windows. first: the first token whose cells are in all of them."""

    buffer: NDArray[np.uint8]
    parts: tuple[tuple[int, int], ...]
    first: int


class Decoder:
    """A llama.cpp context of `slots` sequences of up to `length` tokens, each with cells of its own ("streams").

    Sequences that are decoded together should have consecutive numbers: llama.cpp computes each run of consecutive
    sequences in a pass of its own.
    """

    def __init__(self, weights: Weights, slots: int, length: int, threads: ThreadControl) -> None:
        self.lib = lib = weights.lib
        self._threads = threads
        # Tokens that layers with a sliding window see; 0 where all layers see all.
        self.window: int = lib.llama_model_n_swa(weights.handle)
        self.vocab_size = weights.vocab_size
        self.slots = slots
        self.length = length
        params = lib.llama_context_default_params()
        params.n_ctx = slots * length
        params.n_seq_max = slots
        params.n_batch = BATCH
        params.n_ubatch = UBATCH
        params.n_threads = params.n_threads_batch = self._count = threads.count
        params.kv_unified = False
        params.flash_attn_type = _FLASH_ATTENTION
        params.no_perf = True
        self.handle = lib.llama_init_from_model(weights.handle, params)
        if not self.handle:
            raise ModelError(
                f"no memory for a cache of {slots} x {length} tokens", "Allow the model less: --memory 900M"
            )
        self._user = LANE.enter()
        self.memory = lib.llama_get_memory(self.handle)
        # The batch that llama.cpp reads lies in these arrays; filling it is a few slice assignments.
        self.token = np.zeros(BATCH, np.int32)
        self.position = np.zeros(BATCH, np.int32)
        self.sequence = np.zeros(BATCH, np.int32)
        self.wanted = np.zeros(BATCH, np.int8)
        self._counts = np.ones(BATCH, np.int32)
        self._sequences = (self.sequence.ctypes.data + 4 * np.arange(BATCH)).astype(np.uintp)
        self._batch = lib.llama_batch()
        for name, array in (
            ("token", self.token),
            ("pos", self.position),
            ("n_seq_id", self._counts),
            ("seq_id", self._sequences),
            ("logits", self.wanted),
        ):
            kind = dict(lib.llama_batch._fields_)[name]
            setattr(self._batch, name, ctypes.cast(array.ctypes.data, kind))

    def decode(self, count: int) -> int:
        """Compute the first `count` tokens of the batch; the address of the logits, float32[wanted, V], which the next
        call overwrites.

        Raises ModelError when llama.cpp fails.
        """
        self._batch.n_tokens = count
        status = LANE.compute(self._user, self._decode)
        if status != 0:
            raise ModelError(f"llama.cpp could not decode a batch of {count} tokens (status {status})")
        return ctypes.cast(self.lib.llama_get_logits(self.handle), ctypes.c_void_p).value or 0

    def _decode(self) -> int:
        """llama.cpp's status for the batch. Runs on the lane."""
        threads = self._threads
        if threads.count != self._count:
            self._count = threads.count
            self.lib.llama_set_n_threads(self.handle, self._count, self._count)
        wall, ran = time.perf_counter(), time.thread_time()
        status: int = self.lib.llama_decode(self.handle, self._batch)
        threads.observe(self._batch.n_tokens, time.perf_counter() - wall, time.thread_time() - ran)
        return status

    def trim(self, slot: int, length: int) -> None:
        """Drop all but the first `length` tokens of a sequence."""
        self.lib.llama_memory_seq_rm(self.memory, slot, length, -1)

    def cells(self, slot: int) -> int:
        """How many tokens a sequence's cells hold."""
        return int(self.lib.llama_memory_seq_pos_max(self.memory, slot)) + 1

    def first(self, slot: int) -> int:
        """The first token of a sequence that all layers still hold: cells that left a sliding window are used again."""
        return max(0, int(self.lib.llama_memory_seq_pos_min(self.memory, slot))) if self.window else 0

    def first_saved(self, slot: int) -> int:
        """The first token that a copy by `save` holds in all layers: what the next token does not see is left out."""
        return max(self.first(slot), self.cells(slot) - self.window) if self.window else 0

    def snapshot_size(self, slot: int) -> int:
        """Bytes that `save` needs for a sequence."""
        return int(self.lib.llama_state_seq_get_size(self.handle, slot)) + 4 * MAX_SEQUENCES

    def save(self, slot: int, buffer: NDArray[np.uint8]) -> Snapshot:
        """Copy a sequence's cells out into `buffer`."""
        pointer = ctypes.cast(buffer.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
        size = int(self.lib.llama_state_seq_get_data(self.handle, pointer, len(buffer), slot))
        # A header of two words; then for each cache the number of sequences, and a count of cells for each, zero for
        # all but one, which is followed by its cells.
        before, after = 4 * (1 + slot), 4 * (self.slots - 1 - slot)
        begin = 4 * _HEADER + before
        if not self.window:
            return Snapshot(buffer, ((begin, size - after),), 0)
        parts = []
        while begin < size:
            end = _end_of_cells(buffer, begin)
            parts.append((begin, end))
            begin = end + after + before
        return Snapshot(buffer, tuple(parts), self.first_saved(slot))

    def restore(self, slot: int, snapshot: Snapshot) -> None:
        """Replace a sequence's cells by what `save` wrote, also where that was another decoder.

        Raises ModelError when they do not fit.
        """
        self.trim(slot, 0)
        # The cells stand first among this decoder's number of sequences: llama.cpp puts them where it is told.
        data, zeros = snapshot.buffer, 4 * (self.slots - 1)
        header, number = data[: 4 * _HEADER], np.array([self.slots], np.uint32).view(np.uint8)
        (begin, end), *more = snapshot.parts
        if more:
            nothing = np.zeros(zeros, np.uint8)
            data = np.concatenate([header, *(a for b, e in snapshot.parts for a in (number, data[b:e], nothing))])
            first, size = 0, len(data)
        else:
            # In place: there is room before the cells and behind them.
            first = begin - 4 * (_HEADER + 1)
            data[first : begin - 4] = header.copy()
            data[begin - 4 : begin] = number
            data[end : end + zeros] = 0
            size = end + zeros - first
        pointer = ctypes.cast(data.ctypes.data + first, ctypes.POINTER(ctypes.c_uint8))
        if not self.lib.llama_state_seq_set_data(self.handle, pointer, size, slot):
            raise ModelError("llama.cpp could not restore a sequence")

    def close(self) -> None:
        if self.handle:
            self.lib.llama_free(self.handle)
            LANE.leave(self._user)
            self.handle = None


def _end_of_cells(data: NDArray[np.uint8], at: int) -> int:
    """Where the saved cells of a cache end that begin at a place: their count; for each its position, the number of its
    sequences and their one number; whether values are transposed, and the number of layers; then for keys, and again
    for values, the rows of each layer after its type (4 bytes) and the size of a row (8)."""

    def number(place: int, kind: type[np.unsignedinteger[Any]] = np.uint32) -> int:
        return int(data[place : place + np.dtype(kind).itemsize].view(kind)[0])

    count = number(at)
    at += 4
    if count == 0:
        return at
    at += 12 * count
    layers = number(at + 4)
    at += 8
    for _ in range(2 * layers):
        at += 12 + count * number(at + 4, np.uint64)
    return at


def buffer_of(size: int) -> NDArray[np.uint8]:
    """uint8[size], of huge pages where the system has them: first touching ordinary ones costs more than the copy."""
    area = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        area.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(area, np.uint8)
