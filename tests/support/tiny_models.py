"""Tiny model files (GGUF) with random weights, of the architectures that people have.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; names of tensors and keys as llama.cpp reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
ALIGNMENT = 32
WIDTH, FEED, HEADS, GROUPS, LAYERS, WINDOW = 256, 512, 4, 2, 6, 64
VOCABULARY = 320

SIZES = {"llama": 64, "qwen3": 64, "gemma3": 128, "smollm3": 64}
"""Architecture → width of a head. Llama 3 is `llama` with factors for its rotations."""


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _value(value: object) -> bytes:
    """A typed value."""
    if isinstance(value, bool):
        return struct.pack("<I?", BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _text(value)
    assert isinstance(value, list)
    kind = {str: STRING, float: FLOAT32, int: INT32}[type(value[0])]
    items = b"".join(_text(v) if kind == STRING else struct.pack("<f" if kind == FLOAT32 else "<i", v) for v in value)
    return struct.pack("<IIQ", ARRAY, kind, len(value)) + items


def write(path: Path, metadata: Mapping[str, object], tensors: Mapping[str, np.ndarray]) -> Path:
    """Write a model file of float32 tensors."""
    tensors = {name: array.astype(np.float32) for name, array in tensors.items()}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_text(key) + _value(value) for key, value in metadata.items())
    at = 0
    for name, array in tensors.items():
        # The innermost dimension comes first.
        head += _text(name) + struct.pack("<I", array.ndim)
        head += struct.pack(f"<{array.ndim}Q", *reversed(array.shape)) + struct.pack("<IQ", 0, at)
        at += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    with path.open("wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for array in tensors.values():
            file.write(array.tobytes() + bytes(-array.nbytes % ALIGNMENT))
    return path


def tiny_model(architecture: str, path: Path) -> Path:
    """A model of this architecture (a key of `SIZES`) whose tokens are bytes."""
    size, rng = SIZES[architecture], np.random.default_rng(7)
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
    tokens += [f"▁w{i}" for i in range(VOCABULARY - len(tokens))]
    kinds = [2, 3, 3, *[6] * 256, *[1] * (VOCABULARY - 259)]
    a = architecture
    metadata: dict[str, object] = {
        "general.architecture": a,
        "general.name": f"tiny {a}",
        "general.file_type": 0,
        f"{a}.block_count": LAYERS,
        f"{a}.context_length": 2048,
        f"{a}.embedding_length": WIDTH,
        f"{a}.feed_forward_length": FEED,
        f"{a}.attention.head_count": HEADS,
        f"{a}.attention.head_count_kv": GROUPS,
        f"{a}.attention.key_length": size,
        f"{a}.attention.value_length": size,
        f"{a}.attention.layer_norm_rms_epsilon": 1e-6,
        f"{a}.rope.freq_base": 10000.0,
        f"{a}.rope.dimension_count": size,
        f"{a}.vocab_size": VOCABULARY,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-float(i) for i in range(VOCABULARY)],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }

    def weight(*shape: int) -> np.ndarray:
        return rng.normal(0, 1.5 / np.sqrt(shape[-1]), shape).astype(np.float32)

    def norm(width: int) -> np.ndarray:
        return rng.uniform(0.5, 1.5, width).astype(np.float32)

    # Gemma multiplies its embeddings by the root of the width, and predicts with the same ones.
    spread = 0.05 if a == "gemma3" else 1
    tensors = {"token_embd.weight": rng.normal(0, spread, (VOCABULARY, WIDTH)), "output_norm.weight": norm(WIDTH)}
    if a == "gemma3":
        metadata["gemma3.attention.sliding_window"] = WINDOW
    else:
        tensors["output.weight"] = weight(VOCABULARY, WIDTH) * 3
    if a == "llama":
        tensors["rope_freqs.weight"] = np.linspace(1, 8, size // 2)
    for i in range(LAYERS):
        layer = {
            "attn_norm": norm(WIDTH),
            "attn_q": weight(HEADS * size, WIDTH) * 2,
            "attn_k": weight(GROUPS * size, WIDTH) * 2,
            "attn_v": weight(GROUPS * size, WIDTH),
            "attn_output": weight(WIDTH, HEADS * size),
            "ffn_norm": norm(WIDTH),
            "ffn_gate": weight(FEED, WIDTH),
            "ffn_up": weight(FEED, WIDTH),
            "ffn_down": weight(WIDTH, FEED),
        }
        if a in ("qwen3", "gemma3"):
            layer |= {"attn_q_norm": norm(size), "attn_k_norm": norm(size)}
        if a == "gemma3":
            layer |= {"post_attention_norm": norm(WIDTH), "post_ffw_norm": norm(WIDTH)}
        tensors |= {f"blk.{i}.{name}.weight": array for name, array in layer.items()}
    return write(path, metadata, tensors)
