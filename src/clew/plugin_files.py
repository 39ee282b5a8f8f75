"""Plug-ins that are one Python file: methods, scorers, tasks and models, registered by running it."""

from __future__ import annotations

import hashlib
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from clew.errors import ClewError, UsageError

_loaded: dict[str, str] = {}


def loaded_plugins() -> dict[str, str]:
    """The files that this process has loaded: path → SHA-256 of what was run."""
    return dict(_loaded)


def load_plugin(path: str | Path, *, sha256: str | None = None) -> None:
    """Run a Python file, so that what its decorators register can be named. A file that is loaded is not run again.

    path: the file. sha256: what it has to hold; whatever it holds, where none is given.

    Raises UsageError for a file that is not there, that fails, or that holds something else.
    """
    file = Path(path).expanduser().resolve()
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(
            f"the plug-in {path} cannot be read: {error.strerror}", "Give the path of a .py file"
        ) from None
    if sha256 is not None and digest != sha256:
        raise UsageError(
            f"the plug-in {file} is no longer what the run was begun with", "Put it back as it was, or begin a new run"
        )
    if _loaded.get(str(file)) == digest:
        return
    # Named by its path: what an edited file registers takes the place of what it registered before.
    name = f"clew_plugin_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"the plug-in {path} is not a Python file", "Give the path of a .py file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(f"the plug-in {path} cannot be loaded: {_said(error, file)}", "Mend it") from error
    _loaded[str(file)] = digest


def _said(error: Exception, file: Path) -> str:
    if isinstance(error, ClewError):
        return str(error)
    lines = [place.lineno for place in traceback.extract_tb(error.__traceback__) if place.filename == str(file)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return f"{type(error).__name__}: {error}" + (f" (line {line})" if line is not None else "")
