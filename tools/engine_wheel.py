"""Install llama-cpp-python into the running Python: from a wheel built earlier on this machine, or by building it now.

The package comes as source only, and building it for the processor at hand takes minutes; so the wheel is kept in
clew's cache folder and is used again as long as version, processor and system library are the same. Needs nothing but
Python's standard library, pip and a C++ compiler.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

PACKAGE = "llama-cpp-python"
# For this processor, only the library (no vision tools), and several source files to a compiler run: less than half the
# time of building it as it is.
CMAKE_ARGS = "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"
FASTER = "-DCMAKE_UNITY_BUILD=ON"
# The package switches llama.cpp's helpers for command line programs on by force; nothing in the wheel uses them.
CMAKE_INCLUDE = "set(LLAMA_BUILD_COMMON OFF)\n"
_STEP = re.compile(r"\[(\d+)/(\d+)\]")


def requirement() -> str:
    """The pinned requirement, as clew's `engine` extra states it."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    return next(r for r in project["optional-dependencies"]["engine"] if r.startswith(PACKAGE))


def cache_folder(version: str) -> Path:
    """Where the wheel for this version, processor and system library is kept."""
    if chosen := os.environ.get("CLEW_CACHE"):
        base = Path(chosen)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "clew"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clew"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        processor = platform.processor()
    about = repr((CMAKE_ARGS, CMAKE_INCLUDE, platform.machine(), platform.libc_ver(), processor))
    return base / "wheels" / f"{PACKAGE}-{version}-{hashlib.sha256(about.encode()).hexdigest()[:12]}"


def build(wanted: str, folder: Path) -> Path:
    """Build the wheel into `folder`, telling how far it is; exits when that fails."""
    if not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")):
        sys.exit(f"Building {PACKAGE} needs a C++ compiler: install g++ (Debian: apt install build-essential)")
    print(f"Building {wanted} for this processor: some minutes, this once (the wheel is kept in {folder}).", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "build.log"
    # Sources that were not written to be compiled together may refuse it with another compiler: then one by one.
    wheel = attempt(wanted, folder, log, FASTER) or attempt(wanted, folder, log, "")
    if wheel is None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        sys.exit(f"{tail}\nBuilding {wanted} failed; the whole log is {log}")
    return wheel


def attempt(wanted: str, folder: Path, log: Path, extra: str) -> Path | None:
    """Build the wheel into `folder` with these further CMake arguments; None when that fails."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as temporary:
        command = [sys.executable, "-m", "pip", "wheel", "-v", "--disable-pip-version-check", "--no-deps"]
        # Without pip's own cache: a wheel in there may have been built for another processor.
        command += ["--no-cache-dir", "--no-binary", PACKAGE, "--wheel-dir", temporary, wanted]
        include = Path(temporary) / "without_common.cmake"
        include.write_text(CMAKE_INCLUDE)
        flags = f"{CMAKE_ARGS} {extra} -DCMAKE_PROJECT_llama.cpp_INCLUDE={include} {os.environ.get('CMAKE_ARGS', '')}"
        environment = {**os.environ, "CMAKE_ARGS": flags.strip()}
        status = _watched(command, environment, log, start)
        wheels = list(Path(temporary).glob("*.whl"))
        return None if status or not wheels else wheels[0].replace(folder / wheels[0].name)


def _watched(command: list[str], environment: dict[str, str], log: Path, start: float) -> int:
    """Run the build, its output in `log` and its progress on the terminal; the exit status."""
    live = sys.stdout.isatty()
    shown = -1
    with (
        log.open("w") as out,
        subprocess.Popen(  # noqa: S603 - our own command, no shell
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            found = _STEP.search(line)
            if not found:
                continue
            percent = 100 * int(found[1]) // int(found[2])
            if percent > shown and (live or percent // 10 > shown // 10):
                shown = percent
                print(f"\r  {percent:3d} %  {time.monotonic() - start:4.0f} s", end="" if live else "\n", flush=True)
    if live and shown >= 0:
        print()
    return process.returncode


def main() -> None:
    """See the module's first lines."""
    wanted = requirement()
    version = wanted.partition("==")[2]
    try:
        if importlib.metadata.version(PACKAGE) == version:
            print(f"{wanted} is installed.")
            return
    except importlib.metadata.PackageNotFoundError:
        pass
    folder = cache_folder(version)
    wheel = next(iter(sorted(folder.glob("*.whl"))), None) or build(wanted, folder)
    print(f"Installing {wheel.name}.", flush=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    if subprocess.run(install, check=False).returncode:  # noqa: S603 - our own command, no shell
        sys.exit(f"pip could not install {wheel}; remove {folder} to build it again")


if __name__ == "__main__":
    main()
