"""What `clew doctor` says of the embedded engine on this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clew.errors import UsageError
from clew.models.llamacpp import ops, provenance
from clew.models.llamacpp.binding import Weights, library
from clew.models.llamacpp.engine import LIVE
from clew.models.llamacpp.format import Measured, compute_file, format_choice
from clew.models.llamacpp.measure import measure
from clew.models.llamacpp.memory import bytes_of, plan
from clew.models.llamacpp.sampler import kernel
from clew.models.llamacpp.threads import threads_choice

_LACKING = "clew's own make batches faster, and need Linux, AVX-512 VNNI, and a compiler when clew is installed"
_UNITS = ("bytes", "KB", "MB", "GB")


def describe(memory: str | None = None) -> dict[str, str]:
    """Formats, operations and threads, as name → line; and for each embedded model on this machine what it may take.

    memory: the limit that a command would be given by `--memory`.

    Raises UsageError when the engine is not installed, and for a limit that does not hold a model.
    """
    from clew.models.pull import EMBEDDED, model_path

    library()
    choice = format_choice()
    own = "clew's own for products of Q8_0 and for attention (AVX-512 VNNI)"
    found = {
        "compute format": f"{choice.format}: {choice.why}",
        "engine build": provenance.build(),
        "engine threads": f"{threads_choice()}, fewer while other programs want the cores and that is faster",
        "engine operations": own if ops.in_use() else f"llama.cpp's; {_LACKING}",
        "sampling kernel": "compiled" if kernel() else "NumPy (no compiler was there when clew was installed: slower)",
    }
    here = {name: path for name in EMBEDDED if (path := model_path(name))}
    return found | {f"memory of {name}": _memory(path, memory) for name, path in here.items()}


def measure_formats(say: Callable[[str], object]) -> Measured:
    """Measure the formats on the embedded model, and keep the fastest as the default.

    say: told what is measured now. Raises UsageError when that model is not on this machine.
    """
    from clew.models.pull import EMBEDDED, model_path

    library()
    path = next(filter(None, map(model_path, EMBEDDED)), None)
    if path is None:
        raise UsageError("there is no model to measure with yet", f"Run: clew pull {next(iter(EMBEDDED))}")
    return measure(path, say)


def _memory(path: Path, limit: str | None) -> str:
    weights = Weights(compute_file(path))
    try:
        allowed = plan(weights, LIVE, None if limit is None else bytes_of(limit))
        tokens = allowed.modest // weights.kv_bytes
        parts = [
            f"weights {_shown(allowed.weights)} (the file, which the system drops where memory is short)",
            f"KV cache up to {_shown(allowed.modest)} ({tokens:,} tokens, {_shown(weights.kv_bytes)} each)",
            f"logits and intermediate results about {_shown(allowed.buffers)}",
            f"swap pool up to {_shown(allowed.copies)}",
        ]
        if allowed.cells > allowed.modest:
            parts[1] += f", for long solutions up to {_shown(allowed.cells)}"
        return "; ".join(parts)
    finally:
        weights.close()


def _shown(count: float) -> str:
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.3g} {_UNITS[power]}"
