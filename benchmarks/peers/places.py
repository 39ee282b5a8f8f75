"""Where peers live, and the server that they are measured against."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clew.models.llamacpp.threads import threads_choice
from clew.models.pull import cache_dir

REQUIREMENTS = {
    "its_hub": ("its_hub[lm]==1.2.0",),
    "optillm": ("torch==2.13.0", "optillm==0.4.0"),
    "treequest": ("treequest==0.3.3",),
}
"""What is installed for each peer, one after the other."""

SLOTS = 16
_SPACE = 6 << 30

_SERVER = f"""
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_parallel = {SLOTS}
params.n_ctx = {SLOTS} * 1024
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[2])
params.hostnames = ["127.0.0.1"]
params.port = 0
server = xllamacpp.Server(params)
print(f"{{server.listening_address}}/v1", flush=True)
sys.stdin.read()
"""


def home(peer: str) -> Path:
    """The virtual environment of a peer, in clew's cache."""
    return cache_dir() / "peers" / peer


def installed(peer: str) -> bool:
    """Whether the peer's environment was made to the end."""
    return (home(peer) / "ready").exists()


def how_to_install(peer: str) -> str:
    """What to say where it was not."""
    return f"not installed: python -m benchmarks.peers --install --only {peer}"


def install(peer: str) -> None:
    """Make the peer's virtual environment. optillm takes minutes and more than 3 GB."""
    place = home(peer)
    if installed(peer):
        return
    place.mkdir(parents=True, exist_ok=True)
    if peer == "optillm" and shutil.disk_usage(place).free < _SPACE:
        raise SystemExit(f"{place} has less than {_SPACE >> 30} GiB free")
    venv.create(place, with_pip=True)
    for requirement in REQUIREMENTS[peer]:
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", requirement], check=True)
    (place / "ready").touch()


@contextmanager
def llama_server(model: Path) -> Iterator[str]:
    """The URL of llama-server on loopback, with this model file, as many threads as clew takes, and 16 slots."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-c", _SERVER, str(model), str(threads_choice())]
    with subprocess.Popen(command, text=True, **pipes) as server:
        try:
            url = next((line.strip() for line in server.stdout or () if line.startswith("http")), "")
            assert url, "llama-server did not start"
            yield url
        finally:
            server.terminate()
