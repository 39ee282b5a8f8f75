"""Fetching from a hub: huggingface_hub's own client against a hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="needs the extra hub")

FILES = {
    "me/one": {"README.md": b"# one", "one-Q8_0.gguf": b"GGUF" + (3).to_bytes(4, "little") + bytes([5]) + bytes(15)},
    "me/two": {"a.gguf": b"GGUF", "b.gguf": b"GGUF"},
    "me/none": {"README.md": b"# nothing here"},
    "me/page": {"page.gguf": b"<html>not a model</html>"},
}
COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """What the hub's API answers for these repositories."""

    asked: list[str]

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        Hub.asked.append(f"{self.command} {self.path}")
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"] and (files := FILES.get("/".join(parts[2:4]))) is not None:
            listed: object = {"id": "/".join(parts[2:4]), "sha": COMMIT, "siblings": [{"rfilename": n} for n in files]}
            if "tree" in parts:
                listed = [{"type": "file", "path": n, "size": len(b), "oid": COMMIT} for n, b in files.items()]
            return self._reply(200, json.dumps(listed).encode(), Content_Type="application/json")
        if parts[2:3] == ["resolve"] and (body := FILES.get("/".join(parts[:2]), {}).get("/".join(parts[4:]))):
            etag = hashlib.sha256(body).hexdigest()
            return self._reply(200, body, ETag=f'"{etag}"', X_Repo_Commit=COMMIT, Accept_Ranges="bytes")
        return self._reply(404, b"{}", X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")

    def do_HEAD(self) -> None:
        self.do_GET()


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def pulled(name: str, hub: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """`clew pull`, as a process of its own: the hub's client reads where the hub is when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": hub, "CLEW_CACHE": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "clew", "pull", name, "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["hf:me/one", "hf:me/one/one-Q8_0.gguf"])
def test_a_file_of_a_repository_is_fetched_once(name: str, hub: str, tmp_path: Path) -> None:
    done = pulled(name, hub, tmp_path)
    assert done.returncode == 0, done.stderr
    path = Path(json.loads(done.stdout)["path"])
    assert path.is_relative_to(tmp_path) and path.read_bytes() == FILES["me/one"]["one-Q8_0.gguf"]
    Hub.asked.clear()
    assert pulled(name, hub, tmp_path).returncode == 0
    assert not any(line.startswith("GET") and "resolve" in line for line in Hub.asked), Hub.asked


@pytest.mark.parametrize(
    ("name", "cause", "cure"),
    [
        ("hf:me/two", "holds 2 .gguf files", "hf:me/two/a.gguf"),
        ("hf:me/none", "holds no .gguf file", "GGUF"),
        ("hf:me/missing", "cannot fetch hf:me/missing", "Check the name"),
        ("hf:me/one/other.gguf", "cannot fetch hf:me/one/other.gguf", "Check the name"),
        ("hf:me/page", "is not a GGUF file", "Fetch it again"),
    ],
)
def test_what_cannot_be_had_is_one_line(name: str, cause: str, cure: str, hub: str, tmp_path: Path) -> None:
    done = pulled(name, hub, tmp_path)
    assert done.returncode == 2
    assert cause in done.stderr and cure in done.stderr and "Traceback" not in done.stderr
