"""The page in a real browser, on the real server. What the canvas shows is read from what a screen reader is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.runs import HOSTILE, real_run, tree_of, written

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("needs Chromium and its driver (packages chromium, chromium-driver)", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

from support.browser import FLAGS, Page, requests_of  # noqa: E402

MCTS, VOTE, COUNT = "mcts", "self_consistency?n=32", 60
LARGE = 12_000
HIDDEN = r"[\u0000-\u0008\u2028-\u202e\u2066-\u2069]"
LINE = "x" * 1_200_000


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A real run of more than 10,000 nodes; one with a great tree, texts that mean harm, and two roles; and a later run
    of a better model."""
    folder = tmp_path_factory.mktemp("runs")
    real = real_run(folder / "real.db", VOTE, MCTS, count=COUNT, budgets=[1000, 4000])
    with closing(sqlite3.connect(real)) as db:
        assert db.execute("SELECT count(*) FROM nodes").fetchone()[0] >= 10_000
    great = tree_of([f"step {i} tries {i % 13} + {i % 7}.\n" for i in range(LARGE)], 3)
    harm = tree_of([*HOSTILE, LINE], 3)
    drafted = tree_of(["a first try\n", "a second try\n", "and so on\n"], 2)
    drafted[1].role = drafted[2].role = "draft"
    later = real_run(folder / "later.db", VOTE, count=8, budgets=[1000, 4000], model="toy:arithmetic?skill=0.9")
    return [real, written(folder / "made.db", [great, harm, drafted]), later]


@pytest.fixture(scope="module")
def url(runs: list[Path]) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "clew", "view", *map(str, runs), "--no-open", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    yield json.loads(server.stdout.readline())["url"]
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    downloads = tmp_path_factory.mktemp("downloads")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    browser.downloads = downloads
    yield browser
    browser.quit()


@pytest.fixture
def page(chromium: Any, url: str) -> Page:
    return Page(chromium, url)


def search_of(page: Page, run: int, number: int, view: str = "tree") -> None:
    page.open(f"#/r/{run}/results/{number}?view={view}")


def first(page: Page, method: str) -> int:
    """The id of the first listed problem's search by this method."""
    page.open("#/r/0")
    links = page.until(lambda: page.all(".searches-table a"))
    link = next(a for a in links if a.text == method)
    return int(re.search(r"results/(\d+)", link.get_attribute("href"))[1])  # type: ignore[index]


def test_the_list_opens_filters_and_sorts(page: Page) -> None:
    page.open()
    page.until(lambda: page.status() == f"{COUNT} problems")
    assert page.listed()[0].endswith(":0")
    page.button("tokens").click()
    page.until(lambda: page.all("[aria-sort=descending]"))
    assert page.tokens() == sorted(page.tokens(), reverse=True)
    page.button("tokens ↓").click()
    page.until(lambda: page.all("[aria-sort=ascending]"))
    assert page.tokens() == sorted(page.tokens())
    page.press("/")
    page.press(*"What")
    page.press(Keys.ESCAPE)
    Select(page.one("[aria-label=Method]")).select_by_visible_text(MCTS)
    Select(page.one("[aria-label=Outcome]")).select_by_visible_text("right")
    page.until(lambda: f" of {COUNT}" in page.status())
    assert all(
        row.find_elements(By.CSS_SELECTOR, ".marks")[1].find_elements(By.CSS_SELECTOR, ".right")
        for row in page.all("[id^=row-]")
    )
    page.button("Clear").click()
    page.until(lambda: page.status() == f"{COUNT} problems")


def test_a_closed_branch_opens_and_closes(page: Page) -> None:
    search_of(page, 1, 1)
    before = page.until(lambda: (t := page.tree()) and t["loaded"] == LARGE + 1 and t)
    assert before["drawn"] < 100, "what fits into the window: the best path, and what is beside it"
    assert f"of {LARGE + 1:,} nodes drawn" in page.status()
    page.press(Keys.HOME, Keys.ARROW_RIGHT)
    while page.one("[role=treeitem]").get_attribute("aria-expanded") != "false":
        page.press(Keys.ARROW_DOWN if "best path" in page.node() else Keys.ARROW_RIGHT)
    page.press(" ")
    page.until(lambda: page.one("[role=treeitem]").get_attribute("aria-expanded") == "true")
    assert page.tree()["drawn"] > before["drawn"]
    page.press(" ")
    page.until(lambda: page.tree()["drawn"] == before["drawn"])
    page.button("Open").click()
    page.until(lambda: page.tree()["drawn"] == LARGE + 1)


def test_the_best_path_is_followed_and_a_node_is_chosen_by_the_mouse(page: Page) -> None:
    search_of(page, 0, first(page, MCTS))
    page.tree()
    page.press(Keys.HOME)
    page.until(lambda: page.tree()["node"] == 0)
    seen = [0]
    while True:
        page.press("b")
        node = page.tree()["node"]
        if node == seen[-1]:
            break
        seen.append(node)
        assert "on the best path" in page.node()
    assert len(seen) > 2 and "The answer was read from here first" in page.node()
    assert f"node={seen[-1]}" in page.browser.current_url
    page.browser.refresh()
    assert page.tree()["node"] == seen[-1], "the address leads to the node"
    page.press(Keys.HOME, Keys.END)
    page.until(lambda: page.tree()["node"] == seen[-1])
    spot = page.one("[role=treeitem]").rect
    page.press(Keys.ARROW_LEFT)
    page.until(lambda: page.tree()["node"] == seen[-2])
    page.click_at(spot["x"] + 5, spot["y"] + 6)
    page.until(lambda: page.tree()["node"] == seen[-1])
    page.button("Open").click()
    page.until(lambda: page.all(".minimap"))
    page.button("Fit").click()
    page.until(lambda: not page.all(".minimap"), "all is in sight")


def test_a_vote_is_coloured_by_answer_and_later_nodes_point_to_the_first_that_held_it(page: Page) -> None:
    search_of(page, 0, first(page, VOTE))
    star = page.tree()["node"]
    colours = Select(page.one(".tree-view select"))
    assert colours.first_selected_option.text == "answer"
    shares = [int(key.text.rpartition("×")[2]) for key in page.all(".legend > span") if "×" in key.text]
    assert len(shares) > 1 and shares == sorted(shares, reverse=True)
    assert "The answer was read from here first" in page.node()
    page.button("Open").click()
    while "States the answer too" not in page.node():
        page.press(Keys.ARROW_DOWN)
    assert page.tree()["node"] > star and f"first at node {star}" in page.node()
    page.button("★ First").click()
    page.until(lambda: page.tree()["node"] == star)


def test_siblings_that_ended_alike_are_one_with_a_count(page: Page) -> None:
    search_of(page, 0, first(page, VOTE))
    told = page.tree()
    alike = int(re.search(r"(\d+) like a sibling", page.status())[1])  # type: ignore[index]
    assert alike >= 3 and told["drawn"] == told["loaded"] - alike
    while "more that ended alike" not in page.node():
        page.press(Keys.ARROW_DOWN)
    more = int(re.search(r"stands for (\d+) more", page.node())[1])  # type: ignore[index]
    page.press(" ")
    page.until(lambda: page.tree()["drawn"] == told["drawn"] + alike)
    assert more <= alike and "like a sibling" not in page.status()
    page.button("Close").click()
    page.until(lambda: page.tree()["drawn"] < told["loaded"])


def test_panels_stand_below_one_another_in_a_narrow_window(page: Page) -> None:
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        for place in ("#/r/0", "#/r/0/report", "#/r/0/against/2", "#/split?a=0:1&b=0:2", "#/r/0/results/1?view=text"):
            page.open(place)
            page.one("main")
            assert page.browser.execute_script("return document.documentElement.scrollWidth") == 420, place
            for button in page.all("header.top button"):
                assert button.rect["x"] + button.rect["width"] <= 420, place
        details = page.one(".details").rect
        assert details["height"] > 100 and details["y"] + details["height"] < 901, "below the text, in sight"
        search_of(page, 0, 1)
        page.tree()
        tree, details = page.one(".tree").rect, page.one(".details").rect
        assert details["y"] >= tree["y"] + tree["height"] and tree["width"] > 400 and tree["height"] > 150
        page.open("#/split?a=0:1&b=0:2")
        left, right = page.until(lambda: (h := page.all(".half")) and len(h) == 2 and h)
        assert right.rect["y"] > left.rect["y"] + left.rect["height"] - 1 and left.rect["width"] == 420
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_node_says_which_model_of_the_search_wrote_it(page: Page) -> None:
    page.open("#/r/1/results/3?view=tree&node=1")
    page.until(lambda: "role draft" in page.node())
    facts = page.text(".details .facts")
    assert "roledraft" in facts
    colours = Select(page.one(".tree-view select"))
    colours.select_by_visible_text("role (which model)")
    assert [key.text for key in page.all(".legend > span")] == ["generate", "draft"]
    colours.select_by_visible_text("origin")
    assert [key.text for key in page.all(".legend > span")] == ["prompt", "sampled"], "only what there is"
    search_of(page, 1, 2)
    page.tree()
    assert "role (which model)" not in page.text(".tree-view select") and "role" not in page.text(".details .facts")


def test_the_text_of_a_path_shows_its_tokens(page: Page) -> None:
    search_of(page, 0, first(page, MCTS), "text")
    token = page.until(lambda: page.all(".block.sampled [data-i]")[0])
    assert page.all(".block.prompt") and page.all(
        ".block.sampled .t1, .block.sampled .t2, .block.sampled .t3, .block.sampled .t5, .block.sampled .t9"
    )
    ActionChains(page.browser).move_to_element(token).perform()
    told = page.text("[role=tooltip]")
    assert "probability" in told and "entropy" in told and "%" in told
    page.press(Keys.ARROW_RIGHT)
    page.until(lambda: "%" in page.text(".reader [role=status]"))
    Select(page.one(".reader select")).select_by_visible_text("none")
    page.until(lambda: not page.all(".block.sampled .t1, .block.sampled .t9"))


def test_the_timeline_tells_answers_and_spending(page: Page) -> None:
    search_of(page, 0, first(page, VOTE), "timeline")
    assert "Last answer" in page.one(".chart[role=img]").get_attribute("aria-label")
    assert "generate/toy:arithmetic" in page.text(".spend")


def test_two_methods_stand_side_by_side(page: Page) -> None:
    search_of(page, 0, first(page, VOTE))
    page.tree()
    page.press("c")
    page.until(lambda: len(page.all(".half .tree")) == 2)
    page.tree(0), page.tree(1)
    table = page.text(".versus")
    assert VOTE in table and MCTS in table and "right ÷ left" in table
    Select(page.one("[aria-label='Run, right']")).select_by_visible_text("made.db")
    page.until(lambda: "beam" in page.text(".versus"))
    page.button("Text").click()
    page.until(lambda: len(page.all(".half .block.sampled [data-i]")) > 2)
    before = Select(page.one("[aria-label='Problem, left']")).first_selected_option.text
    Select(page.one("[aria-label='Run, right']")).select_by_visible_text("real.db")
    page.one(".split-head h1").click()
    page.press("j")
    page.until(lambda: Select(page.one("[aria-label='Problem, left']")).first_selected_option.text != before)


def test_the_report_opens(page: Page) -> None:
    page.open("#/r/0/report")
    page.until(lambda: page.all(".curves svg .curve"))
    assert len(page.all(".curves .curve")) == 2 and page.all(".curves .whisker")
    assert page.all("table[aria-label=Differences] .ci") and "the budget in tokens" in page.text(".report")


def test_two_runs_are_compared_method_by_method(page: Page) -> None:
    page.open("#/r/0")
    page.button("Two runs").click()
    Select(page.one("[aria-label='Second run']")).select_by_visible_text("later.db")
    page.until(lambda: len(page.all("table[aria-label=Changes] tbody tr")) == 1)
    changes = page.text("table[aria-label=Changes]")
    assert VOTE in changes and "→" in changes and page.all("table[aria-label=Changes] .ci")
    assert f"Not in both runs, or with no search in common: {MCTS}." in page.text(".report article")
    facts = page.one("table[aria-label='The two runs']")
    assert "toy:arithmetic?skill=0.9" in [b.text for b in facts.find_elements(By.CSS_SELECTOR, "b")]
    Select(page.one("[aria-label='First run']")).select_by_visible_text("later.db")
    page.until(lambda: "/r/2/against/0" in page.browser.current_url and page.all("table[aria-label=Changes]"))


def test_hostile_text_is_shown_as_text(page: Page) -> None:
    page.browser.get_log("browser")
    search_of(page, 1, 2)
    page.tree()
    for node, text in enumerate(HOSTILE, 1):
        page.open(f"#/r/1/results/2?view=text&node={node}")
        shown = page.text(f"[data-block='{node}'] .shown")
        assert all(part in shown for part in re.split(HIDDEN, text))
        assert not re.search(HIDDEN, page.text("body")), "what cannot be seen is named"
        assert ("RLO" in shown) == ("\u202e" in text)
    assert not page.all("img, iframe, #app script") and page.browser.title != "owned"
    assert page.browser.get_log("browser") == [], "the icon is in the page, too"


def test_a_megabyte_line_is_read_by_pages(page: Page) -> None:
    page.open(f"#/r/1/results/2?view=text&node={len(HOSTILE) + 1}")
    block = f"[data-block='{len(HOSTILE) + 1}']"
    page.until(lambda: "xxx" in page.text(block))
    assert len(page.text(block)) < len(LINE) / 4
    for _ in range(4):
        before = len(page.text(block))
        page.press(Keys.END)
        page.until(lambda before=before: len(page.text(block)) > before)
    assert len(page.all("[data-i]")) < 200


def test_all_is_reached_by_keys_alone(page: Page) -> None:
    page.open()
    page.until(lambda: page.listed())
    page.press("j", "j", "k", Keys.ARROW_RIGHT)
    assert page.one("[aria-selected=true]").get_attribute("id") == "row-1"
    page.press(Keys.ENTER)
    page.tree()
    assert "mcts" in page.text(".searches [aria-current]")
    problem = page.text("h1")
    page.press("j")
    page.until(lambda: page.text("h1") != problem)
    page.tree()
    # Faster than the page can draw.
    page.press("k[")
    page.until(lambda: page.text("h1") == problem and VOTE in page.text(".searches [aria-current]"))
    page.tree()
    page.press(Keys.ENTER)
    page.until(lambda: page.all(".path"))
    page.press(Keys.ESCAPE)
    page.until(lambda: page.all(".tree"))
    page.press("?")
    page.until(lambda: "follow the best path" in page.text("dialog"))
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"))
    page.press(Keys.ESCAPE)
    page.until(lambda: page.listed() and page.one("[aria-selected=true]").get_attribute("id") == "row-1")
    # What has the focus is seen to have it.
    page.press(Keys.TAB, Keys.TAB)
    focused = page.browser.switch_to.active_element
    assert focused.value_of_css_property("outline-style") != "none"


def test_everything_that_can_be_pressed_has_a_name(page: Page) -> None:
    for place in (
        "#/r/0",
        "#/r/1/results/2?view=tree",
        "#/r/1/results/2?view=text",
        "#/split?a=0:1&b=0:2",
        "#/r/0/report",
        "#/r/0/against/2",
    ):
        page.open(place)
        page.one("main")
        nodes = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        for node in nodes:
            role = node.get("role", {}).get("value")
            if (
                role in ("button", "link", "combobox", "textbox", "searchbox", "tree", "grid", "tab")
                and not node["ignored"]
            ):
                assert node.get("name", {}).get("value"), f"a {role} without a name at {place}"


def test_light_and_dark(page: Page) -> None:
    def ground() -> str:
        return page.one("body").value_of_css_property("background-color")

    page.browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    page.open()
    page.until(lambda: page.listed())
    dark = ground()
    page.press("d")
    assert ground() != dark and page.one("html").get_attribute("data-theme") == "light"
    page.browser.refresh()
    page.until(lambda: page.listed())
    assert page.one("html").get_attribute("data-theme") == "light", "the choice is kept"
    page.browser.execute_script("localStorage.clear()")


def test_an_exported_file_opens_from_disk(page: Page) -> None:
    search_of(page, 0, first(page, MCTS))
    # To a problem that the other run, with its great tree, has not.
    page.tree()
    page.press("j", "j")
    page.until(lambda: page.text("h1").endswith(":2"))
    drawn = page.tree()["drawn"]
    page.button("Export").click()
    page.one("[data-test=export-save]").click()
    file = page.until(lambda: next(p for p in page.browser.downloads.glob("*.html")), "the download")
    page.browser.get_log("performance")
    disk = Page(page.browser, file.as_uri())
    disk.open()
    disk.until(lambda: disk.status().startswith("1 problem"))
    assert not any(b.text == "Export" for b in disk.all("button"))
    disk.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert disk.tree()["drawn"] == drawn
    disk.press("2")
    disk.until(lambda: disk.all(".block.sampled [data-i]"))
    disk.press("3")
    disk.until(lambda: disk.all(".chart"))
    disk.press("c")
    disk.until(lambda: len(disk.all(".half .chart")) >= 2)
    disk.open("#/r/0/report")
    disk.until(lambda: disk.all(".curves .curve"))
    asked = {urlsplit(u).scheme for u in requests_of(disk.browser)}
    assert asked <= {"file", "about", "data", "blob"}


def test_no_request_leaves_the_machine(page: Page) -> None:
    page.open("#/r/0/report")
    page.until(lambda: page.all(".curves .curve"))
    hosts = {
        urlsplit(u).netloc for u in requests_of(page.browser) if not u.startswith(("file:", "about:", "blob:", "data:"))
    }
    assert hosts == {urlsplit(page.url).netloc}


def test_the_built_page_is_that_of_the_sources(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    if shutil.which("npm") is None or not (root / "viewer/node_modules").is_dir():
        pytest.skip("needs npm and `npm ci` in viewer/")
    out = tmp_path / "static"
    subprocess.run(
        ["node_modules/.bin/vite", "build", "--outDir", str(out), "--logLevel", "error"],
        cwd=root / "viewer",
        check=True,
        env=os.environ | {"NODE_ENV": "production"},
    )
    built = root / "src/clew/viewer/static"
    for name in ("index.html", "app.js", "app.css"):
        assert (out / name).read_bytes() == (built / name).read_bytes(), f"{name} is stale: npm run build in viewer/"
