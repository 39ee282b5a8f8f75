"""No text commands the terminal: whatever a model, a file or a name holds is shown, not obeyed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from clew.analysis.io.imported import Imported
from clew.analysis.io.run_file import import_run
from clew.cli import main
from clew.cli.main import cli
from clew.problem import Message
from clew.store import Reader

COMMANDS = (
    "\x1b[2J", "\x1b]0;title\x07", "\x1b]8;;http://a\x1b\\", "\x1bc", "\x9b31m", "\x9d0;t\x9c", "\x08\x08", "\r",
    "\x7f", "\x00", "\x0e", "\u202e", "\u2066", "[bold]", "[/]", "[/no]", "[link=http://a]x[/link]",
)  # fmt: skip
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
STYLE = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[\d*[AK]|\r")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file with a command for the terminal in every text that it has."""
    folder = tmp_path_factory.mktemp("a\x1b[2Jb[red]")
    path = folder / "r\x1b[1mun.db"
    traces = [
        Imported(f"p{c}q", (Message("user", f"ask {c}"),), f"think {c}\n\nIt is {c}4{c}.", f"4{c}", model=f"m{c}n")
        for c in COMMANDS
    ]
    import_run(traces, path, kind="text")
    return path


def test_no_command_of_a_run_file_reaches_the_terminal(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """17 commands in the question, trace, answer, gold answer and names; 6 ways to look, with and without colours."""
    with Reader.open(run) as store:
        names = store.problem_ids()
    looks = [["show", str(run)], ["show", str(run), "--json"], ["stats", str(run)], ["stats", str(run), "--to", "csv"]]
    looks += [["show", str(run), name] for name in names] + [["edit", str(run), name] for name in names]
    monkeypatch.setenv("COLORTERM", "truecolor")  # rich keeps a style as it was first drawn in the process
    for colours in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", colours) if colours else monkeypatch.delenv("FORCE_COLOR", raising=False)
        for look in looks:
            found = CliRunner().invoke(cli, look)
            assert found.exit_code == 0, (look, found.output, found.exception)
            assert not OBEYED.findall(STYLE.sub("", found.output) if colours else found.output), look
    assert "␛[2J" in CliRunner().invoke(cli, ["show", str(run), names[0]]).output


def test_json_loses_nothing(run: Path) -> None:
    lines = CliRunner().invoke(cli, ["show", str(run), "--json"]).output.splitlines()
    assert {c for c in COMMANDS if any(c in json.loads(line)["text"] for line in lines)} == set(COMMANDS)


def test_an_error_shows_the_name_of_a_hostile_file(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["show", "a\x1b[2J.db"], ["\x1b[2J"], ["compare", "\x9b1m.jsonl", "--methods", "greedy"]):
        monkeypatch.setattr("sys.argv", ["clew", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == 2
        assert not OBEYED.findall(capfd.readouterr().err)


def test_all_output_goes_through_one_file() -> None:
    for path in Path(main.__file__).parent.glob("*.py"):
        if path.name not in ("output.py", "console.py"):
            text = path.read_text().replace(".print(", "")
            assert not re.search(r"click\.s?echo|\bprint\(|[^.]Console\(", text), path
