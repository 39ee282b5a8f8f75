"""The page as one file."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from clew.errors import UsageError
from clew.viewer import export as exporting
from clew.viewer.export import export
from clew.viewer.pages import Pages
from clew.viewer.server import serving
from support.runs import HOSTILE, real_run, tree_of, written


class Elements(HTMLParser):
    """The elements of a page as a browser sees them, with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found.pop()
            self.found.append((tag, attributes, text + data))


def exported(run: Path, out: Path, *problems: str) -> int:
    """Export a run, or some of its problems; how many answers."""
    with closing(Pages([run], problems)) as pages:
        return export(pages, out)


def answers(file: Path) -> dict[str, Any]:
    """What an exported file holds, path by path."""
    ((_, _, text),) = [e for e in Elements(file.read_text()).found if e[1].get("id") == "clew-data"]
    return {path: json.loads(gzip.decompress(base64.b64decode(packed))) for path, packed in json.loads(text).items()}


def test_an_export_holds_every_answer(tmp_path: Path) -> None:
    run = real_run(tmp_path / "run.db", "self_consistency?n=4", "beam", count=3)
    count = exported(run, tmp_path / "out.html")
    found = answers(tmp_path / "out.html")
    assert len(found) == count
    pages = Pages([run])
    for path, data in found.items():
        if not path.endswith("/report"):  # its seconds differ by nothing, but it is made anew each time
            assert data == json.loads(json.dumps(pages.answer(path))), path
    assert found["runs/0/report"]["rows"] == json.loads(json.dumps(pages.answer("runs/0/report")["rows"]))
    for number in found["runs/0/results?after=-1"]["id"]:
        top = f"runs/0/results/{number}"
        assert top in found and f"{top}/timeline" in found
        for node in found[f"{top}/nodes?after=-1"]["id"]:
            assert f"{top}/nodes/{node}?from=0" in found
    pages.close()


def test_chosen_problems_are_exported_alone(tmp_path: Path) -> None:
    run = real_run(tmp_path / "run.db", "self_consistency?n=2", "greedy", count=4)
    wanted = Pages([run]).answer("runs/0/problems?after=-1")["id"][2]
    exported(run, tmp_path / "out.html", wanted)
    found = answers(tmp_path / "out.html")
    assert found["runs/0/problems?after=-1"]["id"] == [wanted]
    assert found["runs/0/problems?after=-1"]["number"] == [2]
    assert set(found["runs/0/results?after=-1"]["problem"]) == {2} and found["runs"][0]["results"] == 2
    assert sum(bool(re.fullmatch(r"runs/0/results/\d+", path)) for path in found) == 2


def test_nothing_in_an_export_is_fetched_from_anywhere(tmp_path: Path) -> None:
    run = written(tmp_path / "run.db", [tree_of(HOSTILE)])
    exported(run, tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    elements = Elements(page).found
    for tag, attributes, _ in elements:
        assert "src" not in attributes and tag not in ("iframe", "base", "object"), (tag, attributes)
        assert tag != "link" or attributes["href"].startswith("data:"), attributes
    (policy,) = [a["content"] for _, a, _ in elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy and "default-src 'none'" in policy and "script-src 'sha256-" in policy
    assert "connect-src" not in policy and "http" not in policy
    # Names of XML vocabularies are no addresses: nothing is fetched from them.
    named = set(re.findall(r"https?://[\w./-]+", page)) - {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/XML/1998/namespace",
        "http://www.w3.org/2000/xmlns/",
    }
    assert not named


def test_hostile_text_cannot_leave_the_data(tmp_path: Path) -> None:
    run = written(tmp_path / "run.db", [tree_of(HOSTILE)])
    exported(run, tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert "owned" not in page and "onerror=alert" not in page
    assert answers(tmp_path / "out.html")["runs/0/results/1/nodes?after=-1"]["text"][1:] == list(HOSTILE)
    assert sum(tag == "script" for tag, _, _ in Elements(page).found) == 2


def test_the_page_exports_what_the_command_exports(tmp_path: Path) -> None:
    run = real_run(tmp_path / "run.db", "greedy", count=2)

    async def posted() -> bytes:
        pages = Pages([run])
        async with (
            serving(pages, 0) as url,
            aiohttp.ClientSession() as session,
            session.post(f"{url}export", json={"problems": []}) as reply,
        ):
            assert reply.status == 200 and "attachment" in reply.headers["Content-Disposition"]
            body = await reply.read()
        pages.close()
        return body

    (tmp_path / "page.html").write_bytes(asyncio.run(posted()))
    exported(run, tmp_path / "command.html")
    mine, theirs = answers(tmp_path / "page.html"), answers(tmp_path / "command.html")
    assert mine.keys() == theirs.keys() and mine["runs/0/results/1"] == theirs["runs/0/results/1"]


def test_an_export_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = real_run(tmp_path / "run.db", "greedy", count=2)
    monkeypatch.setattr(exporting, "LARGEST", 1000)
    (tmp_path / "out.html").write_text("what was there before")
    with pytest.raises(UsageError, match="--problem"):
        exported(run, tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text() == "what was there before"
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*"))


def test_a_page_that_is_not_built_is_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = written(tmp_path / "run.db", [tree_of(["one"])])
    monkeypatch.setattr(exporting, "STATIC", tmp_path / "nowhere")
    with pytest.raises(UsageError, match="npm"):
        exported(run, tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()
