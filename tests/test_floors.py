"""A file imports only from floors below its own, or from its own room; the floors are those of docs/architecture.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "clew"
APART = {"__init__.py", "__main__.py", "testing"}
LONGEST = 400


def floors() -> dict[str, int]:
    """Room (a file or folder of the package) → its floor."""
    found = {}
    for number, rooms in re.findall(r"(?m)^\| (\d) \| ([^|]+) \|", (ROOT / "docs" / "architecture.md").read_text()):
        found |= {name.rstrip("/"): int(number) for name in re.findall(r"`([^`]+)`", rooms)}
    return found


def modules() -> dict[str, Path]:
    """Dotted name → file, of the whole package."""
    named = {
        ".".join(("clew", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in PACKAGE.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


MODULES = modules()


def imports(path: Path) -> Iterator[str]:
    """The modules of the package that a file names in its imports, wherever they stand in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "clew":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def room_of(module: str) -> str:
    """The file or folder of the package that a module is, or is in."""
    return MODULES[module].relative_to(PACKAGE).parts[0]


def test_every_room_has_a_floor_and_every_floor_is_there() -> None:
    there = {p.name for p in PACKAGE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert there - APART == set(floors())


@pytest.mark.parametrize("path", sorted(MODULES.values()), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_lead_down(path: Path) -> None:
    floor = floors()
    own = path.relative_to(PACKAGE).parts[0]
    if own in APART:
        return
    for module in imports(path):
        other = room_of(module)
        assert other not in APART, f"{module} is for those who use the package"
        down = floor[other] < floor[own] or other == own or (floor[other] == 0 and floor[own] == 0)
        assert down, f"{module} is on floor {floor[other]}, {own} on floor {floor[own]}"


def test_there_are_no_circles() -> None:
    graph = {name: {m for m in imports(path) if m != name} for name, path in MODULES.items()}
    # A package's face names what is in it; what is in it may not need the face.
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_every_module_and_what_it_offers_says_what_it_is_for() -> None:
    silent = []
    for name, path in MODULES.items():
        tree = ast.parse(path.read_text())
        offered = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
        silent += [name] if not ast.get_docstring(tree) else []
        told = {n.name for n in offered if ast.get_docstring(n)}  # of several overloads, one says it
        silent += [f"{name}.{n.name}" for n in offered if n.name[0] != "_" and n.name not in told]
    assert not silent


def test_no_module_is_two_modules() -> None:
    long = {str(p.relative_to(ROOT)): n for p in MODULES.values() if (n := len(p.read_text().splitlines())) > LONGEST}
    assert not long
