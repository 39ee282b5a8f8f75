"""What a model says of itself for the record of a run: enough to make it again, and nothing that is private."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from clew.models import load
from clew.models.base import Model
from clew.models.llamacpp import LlamaCppModel, ops, provenance
from clew.models.openai import connect
from clew.models.pull import EMBEDDED
from support.servers import Scripted


def told(model: Model) -> Mapping[str, str]:
    async def ask() -> Mapping[str, str]:
        found = await model.provenance()
        await model.close()
        return found

    return asyncio.run(ask())


def test_a_toy_tells_its_spec(tmp_path: Path) -> None:
    assert told(load("toy:markov?seed=3&vocab=ab")) == {"engine": "toy", "spec": "toy:markov?seed=3&vocab=ab"}
    table = tmp_path / "coin.json"
    table.write_text('{"vocab": ["h", "t"], "table": {"": [1, 1, 0]}}')
    assert told(load(f"toy:{table}")) == {"engine": "toy", "spec": "toy:table?path=coin.json"}


def test_the_embedded_engine_tells_versions_operations_format_and_the_file_s_digest(
    smollm: LlamaCppModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    found = asyncio.run(smollm.provenance())
    assert found["engine"] == f"llama-cpp-python {version('llama-cpp-python')}"
    assert "llama.cpp" in found["build"] and "ggml" in found["build"]
    assert found["operations"] == ("clew" if ops.in_use() else "llama.cpp")
    assert found["format"] in smollm.file.name or (found["format"], smollm.file.name) == ("as shipped", found["file"])
    assert found["file"] == EMBEDDED["smollm2-135m"].filename
    assert found["sha256"] == EMBEDDED["smollm2-135m"].sha256
    assert not any("/" in fact for fact in found.values())


def test_a_file_s_digest_is_read_once_and_again_when_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path / "cache"))
    file, other = tmp_path / "a.gguf", tmp_path / "b.gguf"
    file.write_bytes(b"one")
    first = provenance.digest(file)
    status = file.stat()
    # As long, and of the same time: the digest is the kept one, so the file was not read.
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert provenance.digest(file) == first
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert provenance.digest(file) != first
    other.write_bytes(b"one")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert provenance.digest(other) == first


def test_a_server_tells_its_address_and_what_it_says_of_itself_but_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    billed = {"prompts": "billed at every call"}  # the scripted server tells of no cache
    with Scripted(version="4.2") as server:
        address = server.url.replace("http://", "http://anna:secret@")
        found = told(connect(address))
    assert found == {"engine": "server", "url": server.url, "version": "4.2", "model": "scripted", **billed}
    with Scripted(key="secret") as server:
        silent = told(connect(server.url, api_key="secret"))
    assert silent == {"engine": "server", "url": server.url, "model": "scripted", **billed}
