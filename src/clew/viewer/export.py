"""Exports the page with all its data as one HTML file, which opens from disk without a server or a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from clew.errors import StoreError, UsageError
from clew.viewer.pages import Pages

STATIC = Path(__file__).with_name("static")
LARGEST = 400_000_000
"""Bytes of answers that a browser still opens in one file (a string has at most 512 MB in some)."""
_SCRIPT = re.compile(r'<script\b[^>]*\bsrc="[^"]*app\.js"[^>]*>\s*</script>')
_STYLE = re.compile(r'<link\b[^>]*\bhref="[^"]*app\.css"[^>]*>')


def page_files() -> dict[str, Path]:
    """The files of the built page by name. Raises UsageError when it is not built."""
    files = {p.name: p for p in STATIC.iterdir() if p.is_file()} if STATIC.is_dir() else {}
    if not {"index.html", "app.js", "app.css"} <= files.keys():
        raise UsageError("the page is not built", "Run `npm ci && npm run build` in viewer/, or install clew's wheel")
    return files


def export(pages: Pages, out: Path) -> int:
    """Write the page with everything that it may request of these runs, and return how many requests that answers.

    The file appears whole or not at all, and is never in memory as a whole.

    Raises UsageError when the page is not built or the file would be larger than browsers open, StoreError where the
    file cannot be written.
    """
    head, tail = _halves(page_files())
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(f'{head}<script type="application/json" id="clew-data">{{')
            count = 0
            for path, data in answers(pages):
                file.write(f"{',' if count else ''}\n{json.dumps(path)}:{json.dumps(_packed(data))}")
                count += 1
                if file.tell() > LARGEST:
                    raise UsageError(
                        f"more than {LARGEST // 10**6} MB would be exported, which browsers do not open",
                        "Choose problems by --problem",
                    )
            file.write(f"}}</script>\n{tail}")
        part.replace(out)
    except OSError as error:
        raise StoreError(f"{out} cannot be written ({error.strerror})", "Name another file by --export") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return count


def answers(pages: Pages) -> Iterator[tuple[str, Any]]:
    """Every path that the page may request, in exactly the form in which it requests it, with its data."""
    runs = pages.answer("runs")
    yield "runs", runs
    for run in runs:
        top = f"runs/{run['index']}"
        yield f"{top}/report", pages.answer(f"{top}/report")
        for other in runs:
            if other is not run:
                path = f"{top}/against/{other['index']}"
                yield path, pages.answer(path)
        for path, page in _chain(pages, f"{top}/problems?after=", -1):
            yield path, page
        for path, page in _chain(pages, f"{top}/results?after=", -1):
            yield path, page
            for number in page["id"]:
                yield from _of_search(pages, f"{top}/results/{number}")


def _of_search(pages: Pages, top: str) -> Iterator[tuple[str, Any]]:
    yield top, pages.answer(top)
    yield f"{top}/timeline", pages.answer(f"{top}/timeline")
    for path, page in _chain(pages, f"{top}/nodes?after=", -1):
        yield path, page
        for node in page["id"]:
            yield from _chain(pages, f"{top}/nodes/{node}?from=", 0)


def _chain(pages: Pages, path: str, first: int) -> Iterator[tuple[str, Any]]:
    at: int | None = first
    while at is not None:
        page = pages.answer(f"{path}{at}")
        yield f"{path}{at}", page
        at = page["next"]


def _packed(data: Any) -> str:
    raw = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(raw, mtime=0)).decode()


def _halves(files: dict[str, Path]) -> tuple[str, str]:
    """The page with its style inside, as two parts: what comes before the data, and the script and the end after it.

    The data are base64, so no text of a trace can close an element. Only the page's own script may run.
    """
    page, script, style = (files[name].read_text(encoding="utf-8") for name in ("index.html", "app.js", "app.css"))
    script = re.sub(r"<(?=/script|!--)", r"\\x3c", script, flags=re.IGNORECASE)
    style = re.sub(r"<(?=/style)", r"\\3c ", style, flags=re.IGNORECASE)
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{sha}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _SCRIPT.sub("", page)
    page = _STYLE.sub(lambda _: f"<style>{style}</style>", page)
    page = page.replace("<head>", f'<head>\n<meta http-equiv="Content-Security-Policy" content="{policy}">', 1)
    head, body, tail = page.rpartition("</body>")
    return head, f'<script type="module">{script}</script>\n{body}{tail}'
