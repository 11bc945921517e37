"""The page of a real node, during a real demo: three processes, links, records, people; driven in Chromium."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web import driving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATIC = Path(__file__).resolve().parents[2] / "src" / "noroshi" / "service" / "static"
SPEED = 15
LONG_MS = 120_000


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The addresses that a running demo prints, by the words before them."""
    driving.need((STATIC / "index.html").exists(), "the page is not built: `npm ci && npm run build` in web/")
    driving.need(driving.chromium_path() is not None, "Chromium is not installed")
    command = [
        sys.executable,
        "-m",
        "noroshi.cli.main",
        "demo",
        "--speed",
        str(SPEED),
        "--out",
        str(tmp_path / "out"),
    ]
    with (
        open(tmp_path / "err", "wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            found = {}
            for line in process.stdout:
                words, _, address = line.strip().partition(": ")
                if re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=\S+", address):
                    found[words] = address
                if len(found) == 3:
                    break
            assert len(found) == 3, (tmp_path / "err").read_text()
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


@pytest.mark.timeout(400)
def test_a_real_crisis_is_seen_on_the_page_of_each_partner(addresses: dict[str, str]) -> None:
    complaints: list[str] = []
    with driving.chromium() as browser:
        page = driving.opened(browser, addresses["Map"], complaints=complaints)
        driving.wait_live(page, LONG_MS)
        assert driving.words(page, "#realm").startswith("EXERCISE · 訓練 · 훈련")
        shown = "[...document.querySelectorAll('#warnings tbody[data-region]')].map(one => one.innerText)"
        for wanted in ("Aomori", "Hokkaido"):  # a first warning may name fewer
            driving.wait_until(page, f"{shown}.some(text => text.includes('{wanted}'))", LONG_MS)
        names = {region.region for region in driving.regions(page)}
        assert not any("Tokyo" in name for name in names)
        driving.wait_until(page, "document.querySelector('#alerts tr[data-acknowledged=true]')", LONG_MS)
        assert "jp-fdma" in driving.recipients(page)
        assert driving.map_colours(page) > 4
        assert complaints == []
        page.keyboard.press("2")
        page.wait_for_load_state()
        driving.wait_live(page, LONG_MS)
        assert driving.words(page, "#own-partner") != "What Japan can see"
        driving.wait_until(page, "document.querySelector('#warnings')", LONG_MS)
        assert page.locator("#alerts .card.alert").count() == 0
