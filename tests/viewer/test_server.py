"""`clew view` as a user runs it, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from clew.viewer.pages import Pages
from clew.viewer.server import serving
from support.runs import HOSTILE, real_run, tree_of, written

Session = aiohttp.ClientSession


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_run(tmp_path_factory.mktemp("viewer") / "run.db", "self_consistency?n=4", "beam", count=3)


def served(path: Path, ask: Callable[[Session, str], Awaitable[Any]]) -> Any:
    """What a client finds who asks a server of this run."""

    async def main() -> Any:
        pages = Pages([path])
        try:
            async with serving(pages, 0) as url, aiohttp.ClientSession() as session:
                return await ask(session, url)
        finally:
            pages.close()

    return asyncio.run(main())


def test_all_that_is_asked_is_answered_as_the_pages_say(run_file: Path) -> None:
    paths = ["runs", "runs/0/problems?after=-1", "runs/0/results?after=-1", "runs/0/report"]
    paths += [f"runs/0/results/1{rest}" for rest in ("", "/nodes?after=-1", "/nodes/1?from=0", "/timeline")]

    async def ask(session: Session, url: str) -> list[Any]:
        found = []
        for path in paths:
            async with session.get(f"{url}api/{path}") as reply:
                assert reply.status == 200 and reply.content_type == "application/json"
                found.append(await reply.json())
        return found

    pages = Pages([run_file])
    assert served(run_file, ask) == [json.loads(json.dumps(pages.answer(path))) for path in paths]
    pages.close()


def test_hostile_text_arrives_as_it_is_and_never_as_html(tmp_path: Path) -> None:
    path = written(tmp_path / "run.db", [tree_of(HOSTILE)])

    async def ask(session: Session, url: str) -> tuple[list[str], str]:
        async with session.get(f"{url}api/runs/0/results/1/nodes?after=-1") as reply:
            return (await reply.json())["text"][1:], reply.content_type

    assert served(path, ask) == (list(HOSTILE), "application/json")


@pytest.mark.parametrize("path", ["", "app.js", "api/runs", "api/nothing", "nothing.txt"])
def test_every_answer_forbids_what_comes_from_elsewhere(run_file: Path, path: str) -> None:
    async def ask(session: Session, url: str) -> Any:
        async with session.get(url + path) as reply:
            return reply.headers.copy()

    headers = served(run_file, ask)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff" and "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:80"}, 403),
        ({"Host": "evil.example:80@127.0.0.1"}, 403),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "[::1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost", "Origin": "http://localhost"}, 200),
    ],
)
def test_only_loopback_names_are_answered(run_file: Path, headers: dict[str, str], status: int) -> None:
    async def ask(session: Session, url: str) -> int:
        async with session.get(f"{url}api/runs", headers=headers) as reply:
            return reply.status

    assert served(run_file, ask) == status


def test_nobody_reaches_it_from_another_machine(run_file: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only tells which address of ours would be used
            own = probe.getsockname()[0]
        except OSError:
            own = "127.0.0.1"
    if own.startswith("127."):
        pytest.skip("this machine has no address but loopback")

    async def ask(session: Session, url: str) -> None:
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(own, int(url.rstrip("/").rpartition(":")[2]))

    served(run_file, ask)


@pytest.mark.parametrize("path", ["../pages.py", "%2e%2e/pages.py", "..%2fserver.py", "static/index.html", "pages.py"])
def test_no_other_file_is_served(run_file: Path, path: str) -> None:
    async def ask(session: Session, url: str) -> int:
        async with session.get(aiohttp.client.URL(url + path, encoded=True)) as reply:
            return reply.status

    assert served(run_file, ask) == 404


def test_an_export_is_asked_for_as_json_only(run_file: Path) -> None:
    async def ask(session: Session, url: str) -> list[int]:
        found = []
        for kind, body in [("text/plain", '{"problems": []}'), ("application/json", "{"), ("application/json", "[]")]:
            async with session.post(f"{url}export", data=body, headers={"Content-Type": kind}) as reply:
                found.append(reply.status)
                assert "error" in await reply.json()
        async with session.post(f"{url}export", json={"problems": ["nowhere"]}) as reply:
            found.append(reply.status)
        return found

    assert served(run_file, ask) == [415, 400, 400, 400]


def test_a_client_that_goes_away_does_no_harm(run_file: Path) -> None:
    async def ask(session: Session, url: str) -> int:
        port = int(url.rstrip("/").rpartition(":")[2])
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /api/runs/0/results/1/nodes?after=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await writer.drain()
            writer.transport.abort()
        async with session.get(f"{url}api/runs") as reply:
            return reply.status

    assert served(run_file, ask) == 200


# --- the command ------------------------------------------------------------------------------------------------------


@contextmanager
def started(run: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The command on this run, and what it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clew", "view", str(run), "--no-open", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def clew(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "clew", *arguments], capture_output=True, text=True, timeout=120)


async def page_of(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        assert reply.status == 200 and reply.content_type == "text/html"
        return await reply.text()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_ended(run_file: Path, how: signal.Signals) -> None:
    with started(run_file) as (process, told):
        assert told["runs"] == [str(run_file)] and told["url"].startswith("http://127.0.0.1:")
        assert "app.js" in asyncio.run(page_of(told["url"]))
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in said
    assert not run_file.with_name("run.db-shm").exists(), "something is left beside the run file"


def test_ending_it_gives_up_what_is_being_made(tmp_path: Path) -> None:
    run = written(tmp_path / "run.db", [tree_of([f"{i}, so it goes." for i in range(12_000)])])
    with started(run) as (process, told):

        async def interrupted() -> None:
            async with aiohttp.ClientSession() as session:
                export = asyncio.ensure_future(session.post(f"{told['url']}export", json={"problems": []}))
                async with session.get(f"{told['url']}api/runs/0/results/1") as reply:
                    assert reply.status == 200  # the export has begun
                process.send_signal(signal.SIGINT)
                with pytest.raises(aiohttp.ClientError):
                    await export

        asyncio.run(interrupted())
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0 and "Traceback" not in said


def test_a_mistake_is_one_line(tmp_path: Path, run_file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        (tmp_path / "note.txt").write_text("something else " * 400)
        for arguments, said in (
            ([str(tmp_path / "none.db")], "there is no run file"),
            ([str(tmp_path / "note.txt")], "is not a run file of clew"),
            ([str(tmp_path)], "there is no run file"),
            ([str(run_file), "--port", port], f"port {port} cannot be used"),
            ([str(run_file), "--problem", "x"], "Give --export"),
            ([str(run_file), "--export", str(tmp_path / "a.html"), "--problem", "x"], "no run has a problem 'x'"),
            ([str(run_file), "--export", str(tmp_path / "note.txt" / "a.html")], "cannot be written"),
        ):
            done = clew("view", "--no-open", *arguments)
            assert done.returncode == 2 and done.stdout == "", arguments
            assert done.stderr.count("\n") == 1 and said in done.stderr, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_help_imports_no_server() -> None:
    code = "import sys, clew.cli.main; print([m for m in ('aiohttp', 'asyncio', 'clew.viewer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "aiohttp" not in done.stdout and "viewer" not in done.stdout
