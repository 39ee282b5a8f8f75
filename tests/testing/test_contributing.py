"""CONTRIBUTING.md followed to the letter: its package is installed, listed, run, and passes its own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent.parent / "CONTRIBUTING.md"


def unpack(folder: Path, **changes: str) -> Path:
    """The files of the page, each block under the name in its first line; old=new pairs change their text."""
    for name, content in re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for old, new in changes.items():
            content = content.replace(old, new)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@dataclass(frozen=True)
class Installed:
    """The package in a place of its own, beside clew."""

    source: Path
    site: Path

    @classmethod
    def of(cls, source: Path, site: Path) -> Installed:
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(source)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return cls(source, site)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m …` where the package is installed."""
        path = os.pathsep.join([str(self.site), *sys.path])
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            cwd=self.source,
            env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        )


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("example")
    return Installed.of(unpack(folder / "source"), folder / "site")


@pytest.mark.parametrize(
    ("kind", "name"), [("methods", "shortest"), ("scorers", "figures"), ("tasks", "twice"), ("models", "coin")]
)
def test_each_is_listed(example: Installed, kind: str, name: str) -> None:
    done = example.run("clew", "list", kind)
    assert done.returncode == 0 and re.search(rf"(?m)^{name}\b", done.stdout), done.stdout + done.stderr


def test_they_run_together(example: Installed) -> None:
    methods = "greedy,shortest?n=3,best_of_n?scorer=figures"
    options = ["--model", "toy:arithmetic", "--budgets", "200,400", "-n", "3", "--out", "run.db", "--json"]
    done = example.run("clew", "compare", "twice", "--methods", methods, *options)
    assert done.returncode == 0, done.stderr
    assert "shortest?n=3" in done.stdout and "best_of_n?scorer=figures" in done.stdout
    said = example.run("clew", "solve", "Heads or tails?", "--model", "coin?heads=1", "--method", "shortest")
    assert said.stdout.strip() == "heads", said.stderr


def test_they_pass_their_own_conformance(example: Installed) -> None:
    done = example.run("pytest", "-q", "tests/test_example.py")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("family=", "famly=", "cannot be loaded: TypeError: method() got an unexpected keyword"),
        (
            'needs={"text"}',
            'needs={"txt"}',
            "cannot be loaded: shortest needs 'txt', which nothing offers",
        ),
        ("import Range", "import Ranges", "cannot be loaded: ImportError: cannot import name"),
    ],
)
def test_a_broken_package_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    broken = Installed.of(unpack(tmp_path / "source", **{old: new}), tmp_path / "site")
    done = broken.run("clew", "list", "methods")
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
