"""What the docs say is what the project does."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from clew.cli.main import cli
from clew.registry import REGISTRIES, methods, scorers
from clew.store.format import SCHEMA_VERSION, STATS, columns
from support.commands import known_options, taken

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("tool", ["methods_doc", "papers_doc"])
def test_a_generated_page_is_up_to_date(tool: str) -> None:
    command = [sys.executable, f"tools/{tool}.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", [*methods, *scorers], ids=lambda e: e.name)
def test_every_method_and_scorer_names_a_test_that_exists(entry: object) -> None:
    if entry.family == "testing":  # type: ignore[attr-defined]
        return
    path, _, name = entry.proof.partition("::")  # type: ignore[attr-defined]
    assert path and (ROOT / path).is_file(), f"no test at {path!r}"
    assert not name or f"def {name}" in (ROOT / path).read_text(), f"{path} has no {name}"


PAGES = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)#?([^)]*)\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), f"{page.name} links to {target}, which is not there"
        if heading:
            titles = [re.sub(r"[^\w -]", "", line).strip() for line in re.findall("^#+ (.*)$", there.read_text(), re.M)]
            named = {title.lower().replace(" ", "-") for title in titles}
            assert heading in named, f"{page.name} links to {target}#{heading}, which is not there"


def test_the_page_on_run_files_describes_every_table_column_and_array() -> None:
    page = (ROOT / "docs/traces.md").read_text()
    described = {}
    for table, cell in re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page, re.MULTILINE):
        while cell != (bare := re.sub(r"\([^()]*\)", "", cell)):
            cell = bare
        described[table] = re.findall(r"`(\w+)`", cell)
    assert {table: described.get(table) for table in columns()} == {table: [*of] for table, of in columns().items()}
    assert f"now **{SCHEMA_VERSION}**" in page
    assert all(f"`{name}`" in page for name in STATS)


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """What stands between the fences of a page, where it is in one of these languages."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block


def inline(page: Path) -> list[str]:
    """What stands in backticks in the prose and the tables of a page."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(code.split()).replace("\\|", "|") for code in re.findall(r"`([^`]+)`", prose)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_would_be_taken(page: Path) -> None:
    for block in blocks(page, "", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            command = line.removeprefix("$ ").strip()
            known_options(command)
            if command.startswith("clew "):
                taken(command)
    for code in inline(page):
        if re.match(r"(clew|python|make|pip) [^…]", code):
            known_options(code)


def examples() -> list[str]:
    """The command lines that the help shows."""
    return [line for command in cli.commands.values() for line in getattr(command, "examples", ())]


def test_every_example_of_the_help_would_be_taken() -> None:
    assert len(examples()) > 20
    for line in examples():
        taken(line.partition(" | ")[0])


def test_commands_on_the_demo_name_problems_that_it_has() -> None:
    (task,) = re.findall(r"compare (\w+) .* runs/demo\.db", (ROOT / "Makefile").read_text())
    shown = "\n".join([*examples(), *(page.read_text() for page in PAGES)])
    named = re.findall(r"runs/demo\.db (?:--\S+ \S+ )*?(?:--problem )?(\w+)@", shown)
    assert named and set(named) == {task}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_spec_and_name_of_a_page_is_known(page: Path) -> None:
    for code in inline(page):
        if re.fullmatch(r"(toy:)?[a-z_0-9]+\?\w+=[^ …|]+", code) and not code.startswith("name?"):
            name = code.partition("?")[0]
            registry = next((r for r in REGISTRIES.values() if name in r), None)
            assert registry is not None, f"{page.name}: nothing is called {code}"
            registry.resolved(code)
        if re.fullmatch(r"clew(\.\w+)+(\(.*\))?", code) and not code.startswith(POINTS):
            reach(code.partition("(")[0])


POINTS = tuple(f"clew.{kind}s" for kind in REGISTRIES)
"""The names of entry points, some of which are those of packages too."""


def reach(name: str) -> Any:
    """The module or attribute that a dotted name leads to."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return import_module(name)
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return getattr(reach(module), attribute)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_on_a_page_imports_and_calls_what_is_there(page: Path) -> None:
    names: dict[str, Any] = {}  # a later block may use what an earlier one imports
    for block in blocks(page, "python"):
        tree = compile(block, page.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.asname or alias.name: import_module(alias.name) for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {alias.asname or alias.name: reach(f"{node.module}.{alias.name}") for alias in node.names}
        for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
            root, *path = ast.unparse(call.func).split(".")
            if root not in names or not all(map(str.isidentifier, path)):
                continue
            called = names[root]
            for attribute in path:
                called = getattr(called, attribute)
            parameters = inspect.signature(called).parameters.values()
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                given = {keyword.arg for keyword in call.keywords}
                assert given <= {p.name for p in parameters}, f"{page.name}: {ast.unparse(call)}"


def test_the_page_on_scorers_lists_each_with_its_parameters_and_needs() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|(?:(?:\\\||[^|])*\|){2}((?:\\\||[^|])*)\|([^|]*)\|",
        (ROOT / "docs/scorers.md").read_text(),
        re.M,
    )
    told = {name: (re.findall(r"`(\w+)=", parameters), needs.strip()) for name, parameters, needs in rows}
    shipped = [entry for entry in scorers if entry.make.__module__.startswith("clew.scorers")]
    assert set(told) == {entry.name for entry in shipped}
    for entry in shipped:
        assert told[entry.name][0] == list(entry.parameters), entry.name
        assert bool(told[entry.name][1]) == bool(entry.needs), entry.name


EXAMPLES = {
    "README.md": "check_method('first_two_agree')",
    "docs/scorers.md": "check_scorer('mentions')",
    "docs/tasks.md": "check_task('double')",
}


def plug_in(page: str) -> str:
    """The plug-in that a page shows as an example."""
    return next(block for block in blocks(ROOT / page, "python") if re.search("^@(method|scorer|task)", block, re.M))


def test_the_plug_ins_that_pages_show_pass_their_conformance(tmp_path: Path) -> None:
    for number, page in enumerate(EXAMPLES):
        (tmp_path / f"example_{number}.py").write_text(plug_in(page))
    imports = ", ".join(f"example_{number}" for number in range(len(EXAMPLES)))
    code = f"import {imports}; from clew.testing import *; {'; '.join(EXAMPLES.values())}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert plug_in("docs/architecture.md") in plug_in("README.md"), "both show the same method"


def test_the_page_on_dependencies_names_each_of_them() -> None:
    page = (ROOT / "docs/dependencies.md").read_text().casefold()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for extra in extras.values() for one in extra)]
    names = {re.split(r"[\[<>=~; ]", one, maxsplit=1)[0].casefold() for one in wanted}
    assert not {name for name in names - {"clew"} if name not in page}
