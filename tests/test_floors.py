"""A file imports only from floors below its own; the floors are those of docs/architecture.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "clew"
APART = {"__init__.py", "__main__.py", "testing"}


def floors() -> dict[str, int]:
    found = {}
    for number, files in re.findall(r"(?m)^\| (\d) \| ([^|]+) \|", (ROOT / "docs" / "architecture.md").read_text()):
        for pattern in re.findall(r"`([^`]+)`", files):
            found |= {path.name: int(number) for path in PACKAGE.glob(pattern.rstrip("/"))}
    return found


def imported(path: Path) -> Iterator[str]:
    """The files and folders of the package that a file names in its imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "clew":
            parts = str(node.module).split(".")[1:]
            for name in parts[:1] or [alias.name for alias in node.names]:
                yield name if (PACKAGE / name).is_dir() else f"{name}.py"


def test_every_file_has_a_floor() -> None:
    there = {p.name for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert there - APART == set(floors())


def test_nothing_imports_from_above() -> None:
    floor = floors()
    for path in PACKAGE.rglob("*.py"):
        own = floor.get(path.relative_to(PACKAGE).parts[0])
        if own is not None:
            above = [name for name in imported(path) if floor.get(name, 0) > own]
            assert not above, f"{path.relative_to(ROOT)} imports {above} from above"
