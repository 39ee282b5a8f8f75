"""Takes the pictures of the viewer's pages in `docs/img/`: each page at three widths, light or dark.

    python tools/viewer_pictures.py [--out FOLDER] [--both] [RUN RUN]

Without runs it makes two with players of countdown, of 28,500 nodes each. --both takes each picture in light and in
dark, for a look at everything. Needs Chromium with its driver, selenium, and Pillow (which matplotlib brings).
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

WINDOWS = ((420, 900, "light"), (1024, 768, "dark"), (1600, 900, "light"))
"""Width and height of each window, pixels, and its theme in the documents."""
METHODS = (
    "greedy",
    "self_consistency?n=32",
    "best_first?scorer=step_verifier",
    "beam?scorer=step_verifier",
    "mcts?scorer=step_verifier&simulations=800",
)
COLOURS = 256
"""So many colours are kept in a picture: it is small, and none is missed."""


def main(folder: Path, runs: list[Path], *, both: bool) -> None:
    """Write `view-PAGE-WIDTH.png` for each page and window; the widest has no width in its name."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, browsing() as browser:
        paths = runs or make_runs(Path(scratch))
        with served(paths) as url:
            for name, place, ready in pages_of(paths):
                for width, height, usual in WINDOWS:
                    for theme in ("light", "dark") if both else (usual,):
                        parts = ["view", name, *([str(width)] if width < 1600 else []), *([theme] if both else [])]
                        picture = taken(browser, url + place, ready, width, height, theme)
                        file = folder / f"{'-'.join(parts)}.png"
                        small = picture.quantize(
                            COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
                        )
                        small.save(file, optimize=True)
                        print(f"{file}: {file.stat().st_size // 1000} kB")


def make_runs(folder: Path) -> list[Path]:
    """A run of players of countdown, and one of better players on the same problems."""
    from clew import api

    made = []
    for name, skill in (("before.db", 0.35), ("after.db", 0.5)):
        model = f"toy:countdown?skill={skill}"
        budgets = [250, 1000, 4000, 16000]
        api.compare("puzzle:countdown", model=model, methods=METHODS, budgets=budgets, count=24, out=folder / name)
        made.append(folder / name)
    return made


def pages_of(runs: list[Path]) -> list[tuple[str, str, str]]:
    """Name, address and what is there once it is drawn, for each page."""
    with closing(sqlite3.connect(runs[0])) as db:
        great, problem = db.execute(
            "SELECT id, problem FROM results WHERE value IS NOT NULL AND nodes < 4000 ORDER BY nodes DESC LIMIT 1"
        ).fetchone()
        ((small,),) = db.execute(
            "SELECT id FROM results WHERE problem = ? AND method LIKE 'beam%' LIMIT 1", (problem,)
        ).fetchall()
    drawn = ".tree[aria-busy=false]:not([data-loaded='0'])"
    return [
        ("list", "#/r/0", "[id^=row-]"),
        ("tree", f"#/r/0/results/{great}", drawn),
        ("text", f"#/r/0/results/{small}?view=text", ".block.sampled [data-i]"),
        ("timeline", f"#/r/0/results/{great}?view=timeline", ".births canvas"),
        ("split", f"#/split?a=0:{small}&b=0:{great}", f".half:last-child {drawn}"),
        ("report", "#/r/0/report", ".curves svg .curve"),
        ("runs", "#/r/0/against/1", "table.changes"),
    ]


@contextmanager
def served(runs: list[Path]) -> Iterator[str]:
    command = [sys.executable, "-m", "clew", "view", *map(str, runs), "--no-open", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


@contextmanager
def browsing() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or ""))
    try:
        yield browser
    finally:
        browser.quit()


def taken(browser: Any, url: str, ready: str, width: int, height: int, theme: str) -> Image.Image:
    """The picture of a window of this size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    media = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    browser.get("about:blank")
    browser.get(url)
    WebDriverWait(browser, 60, 0.05).until(lambda b: b.find_elements("css selector", ready))
    # The canvas is drawn with the next frames.
    browser.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 300))")
    return Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Takes the pictures of the viewer's pages.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "img")
    parser.add_argument("--both", action="store_true", help="each picture in light and in dark")
    parser.add_argument("runs", type=Path, nargs="*")
    given = parser.parse_args()
    main(given.out, given.runs, both=given.both)
