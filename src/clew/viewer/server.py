"""Serves the page and its data to this machine only.

Only the loopback address is bound, only loopback names are accepted as Host (a page from elsewhere that has its name
resolve to this machine is refused), and the page may load from here alone.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

from clew.errors import ClewError, UsageError
from clew.viewer.export import export, page_files
from clew.viewer.pages import Missing, Pages

HOST = "127.0.0.1"
PORT = 8737
"""The port that is taken when it is free and no other is named."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'; img-src 'self' data:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PAGES = web.AppKey("pages", Pages)


def make_app(pages: Pages) -> web.Application:
    """The web application that serves these runs."""
    app = web.Application(middlewares=[_guarded], client_max_size=1 << 20)
    app[PAGES] = pages
    app.on_response_prepare.append(_headed)
    app.router.add_get("/api/{path:.*}", _answer)
    app.router.add_post("/export", _export)
    app.router.add_get("/{name:[\\w.-]*}", _static)
    return app


@asynccontextmanager
async def serving(pages: Pages, port: int | None = None) -> AsyncIterator[str]:
    """Serve while the block runs; yields the URL.

    port: None takes `PORT` where it is free, else any free one.

    Raises UsageError when the port is taken.
    """
    runner = web.AppRunner(make_app(pages), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        wanted = [PORT, 0] if port is None else [port]
        for number in wanted:
            site = web.TCPSite(runner, HOST, number)
            try:
                await site.start()
                break
            except OSError as error:
                if number == wanted[-1]:
                    raise UsageError(
                        f"port {number} cannot be used ({error.strerror})", "Name another one by --port, or none"
                    ) from error
        yield f"http://{HOST}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def serve(pages: Pages, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    port: as in `serving`. ready: called with the URL once the page can be opened.

    Raises UsageError when the port is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(pages, port) as url:
        ready(url)
        await stop.wait()
        pages.close()  # what is still being made is given up


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    host = request.headers.get("Host", "")
    if not _LOOPBACK.fullmatch(host) or request.headers.get("Origin", f"http://{host}") != f"http://{host}":
        return _json({"error": "this page answers to its own machine only", "cure": "Open the printed URL"}, 403)
    try:
        return await handler(request)
    except Missing as error:
        return _json({"error": error.cause, "cure": error.cure}, 404)
    except ClewError as error:
        return _json({"error": error.cause, "cure": error.cure}, 400)
    except web.HTTPException as error:
        return _json({"error": error.reason, "cure": "Begin at the first page"}, error.status)


async def _headed(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _answer(request: web.Request) -> web.Response:
    asked = request.match_info["path"] + (f"?{request.query_string}" if request.query_string else "")
    # Read and packed in a thread: a long answer does not hold up a short one about another run.
    return await asyncio.to_thread(lambda: _json(request.app[PAGES].answer(asked)))


async def _static(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"] or "index.html"
    file = page_files().get(name)
    if file is None:
        raise Missing(f"there is no file {name}", "Begin at the first page")
    return web.Response(
        body=await asyncio.to_thread(file.read_bytes),
        content_type=_TYPES.get(file.suffix, "application/octet-stream"),
        charset="utf-8" if file.suffix in _TYPES else None,
    )


async def _export(request: web.Request) -> web.StreamResponse:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        asked = await request.json()
        problems = [str(name) for name in asked["problems"]]
    except (ValueError, TypeError, KeyError):
        raise UsageError("an export is asked for by problems", 'Send {"problems": [ids]}') from None
    shown = request.app[PAGES]
    # Closing these pages ends the export, for when the server is stopped meanwhile.
    with TemporaryDirectory() as folder, closing(Pages(shown.paths, problems, comparisons=shown.comparisons)) as pages:
        path = Path(folder) / "clew.html"
        await asyncio.to_thread(export, pages, path)
        response = web.FileResponse(path)
        response.headers["Content-Disposition"] = 'attachment; filename="clew.html"'
        with suppress(ConnectionResetError):
            await response.prepare(request)
        return response


def _json(data: Any, status: int = 200) -> web.Response:
    body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")
