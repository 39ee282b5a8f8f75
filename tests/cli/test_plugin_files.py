"""`--plugin mine.py`: a file with methods and tasks, which its runs find again; no other run makes clew run code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MINE = '''
from clew import Answer, Search, method, task
from clew.tasks import Draws, Generated, Item


@method("second_thought", family="sample", needs={"text"})
async def second_thought(search: Search) -> Answer:
    """The second of two samples."""
    return search.answer((await search.extend(search.root, 2))[1])


def twice(draws: Draws, digits: int) -> Item:
    n = draws.number(10, 99)
    return Item(f"What is {n} + {n}?", f"{n} + {n} = {2 * n}\\n#### {2 * n}", str(2 * n))


@task("twice", family="mathematics", dial="digits", grader="number")
def twice_task() -> Generated:
    """Twice a number."""
    return Generated("twice", twice, levels=(2,), default=2, dial="digits")
'''


def clew(folder: Path, *arguments: str, cache: str = "cache") -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CLEW_CACHE": str(folder / cache)}
    return subprocess.run(
        [sys.executable, "-m", "clew", *arguments], capture_output=True, text=True, timeout=60, cwd=folder, env=env
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    asked = ("compare", "twice", "-m", "toy:arithmetic", "--methods", "second_thought,greedy", "--budgets", "900")
    ran = clew(folder, *asked, "-n", "2", "-o", "run.db", "--plugin", "mine.py")
    assert ran.returncode == 0 and "second_thought" in ran.stdout, ran.stderr
    return folder


def test_its_runs_find_it_again(folder: Path) -> None:
    for command in ("show", "stats", "resume"):
        ran = clew(folder, command, "run.db")
        assert ran.returncode == 0, ran.stderr
    listed = clew(folder, "list", "methods", "second_thought", "--plugin", "mine.py", "--json")
    assert "The second of two samples." in listed.stdout


def test_code_of_a_run_from_elsewhere_runs_only_where_the_user_says_so(folder: Path) -> None:
    for arguments in (("show", "run.db"), ("resume", "run.db")):
        told = clew(folder, *arguments, cache="another")
        assert told.returncode == 2 and "made with code of its own" in told.stderr and "mine.py" in told.stderr
    assert clew(folder, "show", "run.db", "--plugin", "mine.py", cache="another").returncode == 0
    assert clew(folder, "resume", "run.db", "--trust", cache="another").returncode == 0


def test_a_file_that_was_edited_since_is_refused(folder: Path) -> None:
    path = folder / "mine.py"
    path.write_text(MINE + "\n# edited\n")
    try:
        told = clew(folder, "show", "run.db")
        assert told.returncode == 2 and "no longer what the run was begun with" in told.stderr
    finally:
        path.write_text(MINE)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("gone.py", None, "cannot be read: No such file"),
        ("odd.txt", "x", "is not a Python file"),
        ("bad.py", "import clew\n\n1 / 0\n", "ZeroDivisionError: division by zero (line 3)"),
        ("broken.py", "def (", "SyntaxError"),
        ("twice.py", MINE.replace('"second_thought"', '"greedy"'), "two methods are called 'greedy'"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    ran = clew(tmp_path, "list", "methods", "greedy", "--plugin", name)
    assert ran.returncode == 2 and told in ran.stderr and len(ran.stderr.strip().splitlines()) == 1
