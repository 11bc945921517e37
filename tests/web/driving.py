"""Drives the page of a node in Chromium: what a person does and sees, as functions. Works with any node's address.

with chromium() as browser:
    page = opened(browser, "http://127.0.0.1:8701/#token=...")
    wait_live(page)
    regions(page)        # [Region(region="Aomori may pass over", chance="93 % very likely", ...), …]
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 15_000
REQUIRED = "NOROSHI_REQUIRE_BROWSER"
BROKEN_CONNECTION = re.compile(r"WebSocket connection|net::ERR_|status of 403")


def chromium_path() -> str | None:
    """Where Chromium is, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def need(present: bool, what: str) -> None:
    """Skips the test when something is missing; fails it where a browser is required."""
    if present:
        return
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{what}, and {REQUIRED}=1 requires the browser tests")
    pytest.skip(what)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips or fails as `need` says when there is none."""
    path = chromium_path()
    need(path is not None, "Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def opened(
    browser: Browser, address: str, width: int = 1440, height: int = 900, complaints: list[str] | None = None
) -> Page:
    """The page at that address, in English.

    complaints: takes script errors, refused resources and requests to any other host, as they come; broken
    connections, which the page is to bear, are no complaint.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="en-US", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    found = complaints if complaints is not None else []
    host = address.split("//", 1)[1].split("/", 1)[0]
    own = (f"http://{host}/", f"ws://{host}/", "data:", "blob:")

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and not BROKEN_CONNECTION.search(message.text):
            found.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(own):
            found.append(f"foreign address: {request.url}")

    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("console", heard)
    page.on("request", asked)
    page.goto(address)
    return page


def state(page: Page) -> dict[str, Any]:
    """What the page says that it holds: `last`, `connection`, `language`, `map`."""
    described: dict[str, Any] = page.evaluate("() => window.noroshiPage.describe()")
    return described


def wait_until(page: Page, holds: str, timeout_ms: int = WAIT_MS) -> None:
    """Waits for a JavaScript expression to be true."""
    page.wait_for_function(f"() => Boolean({holds})", timeout=timeout_ms)


def wait_live(page: Page, timeout_ms: int = WAIT_MS) -> None:
    wait_until(page, "window.noroshiPage && window.noroshiPage.describe().connection === 'live'", timeout_ms)


def wait_row(page: Page, number: int, timeout_ms: int = WAIT_MS) -> None:
    """Waits until the page has row `number` and has drawn it."""
    wait_until(page, f"window.noroshiPage.describe().last >= {number}", timeout_ms)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def words(page: Page, selector: str) -> str:
    """Text of an element as a person reads it, white space evened."""
    return re.sub(r"\s+", " ", page.locator(selector).first.inner_text()).strip()


@dataclass(frozen=True)
class Region:
    """One line of the table of warned regions."""

    region: str
    chance: str
    window_left: str
    people: str
    state: str


def regions(page: Page) -> list[Region]:
    """The warned regions of the first open warning."""
    found: list[Region] = []
    for body in page.locator("#warnings .card.warning").first.locator("tbody[data-region]").all():
        cells = [
            re.sub(r"\s+", " ", text).strip()
            for text in body.locator("tr").first.locator("th, td").all_inner_texts()
        ]
        region, chance, window_left, people = cells
        state = body.get_attribute("data-window") or ""
        found.append(Region(region, chance, window_left, people, state))
    return found


def recipients(page: Page) -> dict[str, bool]:
    """Units that the first alert shown went to, and whether each has acknowledged."""
    rows = page.locator("#alerts .card.alert").first.locator("tr[data-unit]").all()
    return {
        row.get_attribute("data-unit") or "": row.get_attribute("data-acknowledged") == "true" for row in rows
    }


def timeline(page: Page) -> list[tuple[int, str]]:
    """Numbers and sentences of the timeline as shown, newest first."""
    entries = page.locator("#timeline li[data-number]").all()
    return [
        (int(e.get_attribute("data-number") or 0), e.locator("span").nth(2).inner_text()) for e in entries
    ]


def map_colours(page: Page) -> int:
    """How many different colours the map's canvas shows: 1 or 2 for an empty one."""
    count: int = page.evaluate(
        """() => {
          const seen = new Set();
          for (const canvas of document.querySelectorAll('#map canvas')) {
            const {width, height} = canvas;
            const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
            for (let i = 0; i < data.length; i += 4 * 7) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
          }
          return seen.size;
        }"""
    )
    return count


def shapes(page: Page, role: str) -> list[tuple[float, float]]:
    """West and east of each shape of that role on the map, in the map's continuous longitudes."""
    return [(s["lons"][0], s["lons"][1]) for s in state(page)["map"]["shapes"] if s["role"] == role]


def tabbed(page: Page, steps: int = 60) -> list[str]:
    """Ids of the elements that Tab reaches, in order."""
    reached: list[str] = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement ? document.activeElement.id : ''"))
    return [name for name in dict.fromkeys(reached) if name]


def seconds(countdown: str) -> int:
    """`in 3:07` as 187. Raises ValueError when there is no time in it."""
    found = re.search(r"(?:(\d+):)?(\d+):(\d\d)", countdown)
    if found is None:
        raise ValueError(f"no time in {countdown!r}")
    hours, minutes, rest = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(rest)
