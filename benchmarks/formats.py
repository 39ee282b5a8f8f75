"""How fast llama.cpp decodes the embedded model in each format: `python -m benchmarks.formats [--json] [--quick]`.

tokens_per_second: by format and number of branches, of the bare loop of `benchmarks.bare`, cache in streams, from a
    prompt of 128 tokens; q4_1 is the file as shipped. kl: the mean divergence KL(as shipped ‖ format), in nats a token
    over a text of this repository. One run each. "theirs": with llama.cpp's own operations instead of clew's.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bare import Bare
from benchmarks.engine import MODEL
from clew.models import load
from clew.models.llamacpp import LlamaCppModel, ops
from clew.models.llamacpp.binding import Weights
from clew.models.llamacpp.format import convert
from clew.models.llamacpp.threads import threads_choice
from clew.models.pull import pull
from clew.tree import Ints

FORMATS = {"q4_1": None, "q8_0": 7, "q4_0": 2, "q5_0": 8, "bf16": 32, "f16": 1, "f32": 0}
"""llama.cpp's number of each; None is the file itself."""
THEIRS = ("q4_1", "q8_0")
BRANCHES = (1, 16, 64)
LENGTH = 12
READ = 400


def converted(source: Path, kind: int, folder: Path) -> Path:
    """A copy of the model in another format."""
    target = folder / f"{kind}.gguf"
    assert convert(source, target, kind)
    return target


def log_probabilities(weights: Weights, text: Ints) -> NDArray[np.float64]:
    """[READ, vocabulary], of what may follow each token of a text."""
    loop = Bare(weights, "unified", 1, 2 * READ, threads_choice())
    loop.token[:READ], loop.position[:READ], loop.sequence[:READ], loop.wanted[:READ] = text[:READ], range(READ), 0, 1
    address = ctypes.cast(loop.decode(READ), ctypes.POINTER(ctypes.c_float))
    logits = np.ctypeslib.as_array(address, (READ, weights.vocab_size)).astype(np.float64)
    loop.close()
    logits -= logits.max(1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(1, keepdims=True)))


def measured(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The figures by format."""
    source = pull(MODEL)
    model = load(MODEL)
    assert isinstance(model, LlamaCppModel)
    text = model.encode((Path(__file__).parents[1] / "README.md").read_text()).token_ids
    asyncio.run(model.close())
    found: dict[str, dict[str, Any]] = {}
    shipped: NDArray[np.float64] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            kind = FORMATS[name]
            weights = Weights(source if kind is None else converted(source, kind, Path(folder)))
            for own in (False, True) if name in THEIRS else (True,):
                ops.start(own)
                said = log_probabilities(weights, text)
                shipped = said if shipped is None else shipped
                loop = Bare(weights, "streams", max(BRANCHES), 256, threads_choice())
                loop.rate(text[:128], 2, 2, 0.8)
                rates = {n: round(loop.rate(text[:128], n, LENGTH, 0.8), 1) for n in BRANCHES}
                loop.close()
                divergence = float((np.exp(shipped) * (shipped - said)).sum(1).mean())
                found[name if own else f"{name} theirs"] = {"tokens_per_second": rates, "kl": round(divergence, 4)}
            weights.close()
    return found


def main() -> None:
    """Run what the module's first lines say."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="the file as shipped and q8_0 only")
    options = parser.parse_args()
    found = measured(THEIRS if options.quick else list(FORMATS))
    if options.json:
        print(json.dumps(found))
        return
    for name, part in found.items():
        rates = "  ".join(f"{n:2} branches {rate:6.1f}" for n, rate in part["tokens_per_second"].items())
        print(f"{name:11} {rates} tokens/s   KL {part['kl']:.4f}")


if __name__ == "__main__":
    main()
