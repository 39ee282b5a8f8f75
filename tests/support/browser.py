"""A page in a real browser, as a user meets it. Needs selenium."""

from __future__ import annotations

import json
from typing import Any

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,900",
)


class Page:
    """The page as a user meets it."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self, place: str = "") -> None:
        self.browser.get("about:blank")
        self.browser.get(self.url + place)

    def until(self, true: Any, what: str = "") -> Any:
        return WebDriverWait(self.browser, 30, 0.05, ignored_exceptions=[Exception]).until(lambda _: true(), what)

    def all(self, css: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        return self.until(lambda: self.all(css)[0], css)

    def button(self, text: str) -> WebElement:
        return self.until(lambda: next(b for b in self.all("button, a") if b.text.strip().endswith(text)), text)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def text(self, css: str) -> str:
        """With what is out of sight."""
        return self.until(lambda: self.all(css)[0].get_property("textContent"), css)

    def listed(self) -> list[str]:
        return [r.find_elements(By.CSS_SELECTOR, "[role=gridcell]")[1].text for r in self.all("[id^=row-]")]

    def tokens(self) -> list[int]:
        """The column of tokens, which is the last of the numbers."""
        numbers = "[id^=row-] > .right:nth-last-child(3)"
        return [int(cell.text.replace(",", "")) for cell in self.all(numbers)]

    def click_at(self, x: float, y: float) -> None:
        moves = ActionChains(self.browser)
        moves.w3c_actions.pointer_action.move_to_location(int(x), int(y)).click()
        moves.perform()

    def status(self) -> str:
        return self.text(".status [role=status]")

    def tree(self, nth: int = 0) -> dict[str, int]:
        """loaded, drawn, node: when all is loaded."""
        found = self.until(lambda: next(t for t in self.all(".tree")[nth:] if t.get_attribute("aria-busy") == "false"))
        self.until(lambda: int(found.get_attribute("data-loaded")) > 0)
        return {name: int(found.get_attribute(f"data-{name}")) for name in ("loaded", "drawn", "node")}

    def node(self) -> str:
        return self.text("[role=treeitem]")


def requests_of(browser: Any) -> set[str]:
    """Where the page has asked since the last look."""
    found = set()
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
            params = message["params"]
            found.add(params["request"]["url"] if "request" in params else params["url"])
    return found
