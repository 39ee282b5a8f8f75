"""What `clew doctor` tells of this machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from clew.errors import ClewError, how_to_install

_EXTRAS = {
    "llama-cpp-python": "engine",
    "huggingface_hub": "hub",
    "reasoning-gym": "tasks",
    "pyarrow": "data",
    "matplotlib": "report",
}


def machine(memory: str | None = None) -> dict[str, Any]:
    """Versions, processors, the compute format chosen for the embedded models, and the memory that they may take.

    memory: the limit that `--memory` would set. Raises UsageError for one that does not hold a model.
    """
    found: dict[str, Any] = {
        "clew": version("clew"),
        "python": f"{sys.version.split()[0]} on {platform.platform()}",
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    for package, extra in _EXTRAS.items():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = f"missing. {how_to_install(extra)}"
    try:
        from clew.models.llamacpp import describe

        found |= describe(memory)
    except (ClewError, ImportError) as error:
        if memory is not None:
            raise
        found["embedded engine"] = str(error)
    return found
