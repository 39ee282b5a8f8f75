"""The sdist holds all that the tests and pages of the project need."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_an_sdist_holds_tests_pages_and_tools(tmp_path: Path) -> None:
    kept = ("src", "tests", "docs", "benchmarks", "tools", "viewer")
    skipped = shutil.ignore_patterns("__pycache__", "node_modules", "*.so", "*.egg-info", "*.pyc", "dist")
    tree = tmp_path / "tree"
    for folder in kept:
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, tree / folder, ignore=skipped)
    for file in ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "MANIFEST.in", "README.md"):
        shutil.copy(ROOT / file, tree / file)
    for file in ("pyproject.toml", "setup.py"):
        shutil.copy(ROOT / file, tree / file)
    there = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as packed:
        found = {name.partition("/")[2] for name in packed.getnames()}
    assert there <= found, sorted(there - found)[:10]
