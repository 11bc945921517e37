"""Other agencies' alerts on the page: their own words in the reader's language, apart from ours, gone when over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.web.driving import chromium, opened, wait_live, wait_row
from tests.web.staff_server import StaffServer
from tests.web.synthetic_stream import hello, moment_ms

STATIC = Path(__file__).resolve().parents[2] / "src" / "noroshi" / "service" / "static"
AT_S = 100.0
RING = [[140.0, 35.0], [142.0, 35.0], [142.0, 37.0], [140.0, 37.0], [140.0, 35.0]]

HAZARD: dict[str, Any] = {
    "type": "hazard", "time_ms": moment_ms(AT_S), "says": "Another agency issued an alert", "hazard": "aa", "id": "bb",
    "partner": "USA", "partners": ["USA"], "state": "standing", "sender": "waves@agency.example",
    "sender_name": "Agency of Waves", "identifier": "wave-1", "message_type": "Alert", "status": "Exercise",
    "signature": "signed", "act": True, "event": "Tsunami warning", "urgency": "Immediate", "severity": "Extreme",
    "certainty": "Likely", "areas": ["The coast"], "rings": [RING], "thinned": False, "sent_ms": moment_ms(AT_S),
    "onset_ms": None, "expires_ms": moment_ms(AT_S + 3600), "replaces": [],
    "texts": [
        {"language": "en-US", "event": "Tsunami warning", "sender_name": "Agency of Waves",
         "headline": "EXERCISE. <b>Waves</b>", "description": "", "instruction": "Go uphill"},
        {"language": "ja-JP", "event": "津波警報", "sender_name": "", "headline": "訓練 津波", "description": "",
         "instruction": ""},
    ],
}  # fmt: skip
RELAY: dict[str, Any] = {
    "type": "relayed", "time_ms": moment_ms(AT_S), "says": "UNVERIFIED RELAY", "outlet": "A broadcaster",
    "unit": "jp-cabsec", "unit_name": "Cabinet Secretariat", "partner": "JPN", "text": "Take shelter", "link": "",
    "said_ms": moment_ms(AT_S), "verdict": "unverified", "alert": "", "told_by": "USA", "tells": "",
}  # fmt: skip
ENDED = {
    "type": "hazard-state", "time_ms": moment_ms(AT_S), "says": "", "hazard": "aa", "sender": "", "identifier": "wave-1",
    "state": "cancelled", "partners": ["USA"],
}  # fmt: skip


@pytest.fixture
def shown() -> Iterator[tuple[StaffServer, Page]]:
    if not (STATIC / "index.html").is_file():
        pytest.skip("needs the page: `make web`")
    with StaffServer(STATIC, "look", hello(AT_S)) as server, chromium() as browser:
        server.give([(1, "", HAZARD), (2, "", RELAY)])
        server.set_clock(moment_ms(AT_S))
        page = opened(browser, f"{server.address}&lang=en", 1440, 900)
        wait_live(page)
        wait_row(page, 2)
        yield server, page


@pytest.mark.soak
def test_an_agencys_alert_is_its_own_word_and_goes_when_it_is_over(shown: tuple[StaffServer, Page]) -> None:
    server, page = shown
    panel = page.locator("#hazards")
    card = panel.locator("article.hazard")
    assert card.count() == 1
    words = card.inner_text()
    assert "Agency of Waves" in words
    assert "ACT NOW" in words
    assert "<b>Waves</b>" in words  # a stranger's text is text
    assert panel.locator("article.relay").get_attribute("data-verdict") == "unverified"
    assert page.locator("#warnings article").count() == 0
    roles = "() => window.noroshiPage.describe().map.shapes.map((one) => one.role)"
    page.wait_for_function(f"() => ({roles})().includes('hazard')")
    page.keyboard.press("h")
    assert page.evaluate("() => document.activeElement.id") == "hazards"
    page.keyboard.press("l")
    page.wait_for_function(
        "() => document.querySelector('#hazards article.hazard h3').textContent.includes('津波警報')"
    )
    server.give([(3, "", ENDED)])
    wait_row(page, 3)
    page.wait_for_function("() => !document.querySelector('#hazards article.hazard')")
    page.wait_for_function(f"() => !({roles})().includes('hazard')")


CODED = HAZARD | {
    "hazard": "cc",
    "id": "dd",
    "identifier": "wave-2",
    "rings": [RING],
    "by_geocode": ["North coast"],
}
DRAFTED: dict[str, Any] = {
    "type": "hazard-alert", "time_ms": moment_ms(AT_S), "says": "it concerns Aomori", "hazards": ["cc"], "state": "open",
    "held": False, "reason": "", "agency": "Agency of Waves", "event": "Tsunami warning", "headline": "EXERCISE",
    "identifier": "wave-2", "regions": ["Aomori"], "people": 1,
}  # fmt: skip
TASK: dict[str, Any] = {
    "type": "task", "time_ms": moment_ms(AT_S), "says": "", "task": "originate:1", "action": "originate-alert",
    "duty": "watch", "unit": "jp-cabsec", "posts": ["jp-cabsec.watch"], "title": "Originate the alert for Aomori",
    "deadline_ms": moment_ms(AT_S + 100), "state": "open", "event": "",
    "answer": {
        "kind": "decision", "confirm": "exercise Aomori",
        "shown": {
            "texts": [{"language": "en", "headline": "EXERCISE. Tsunami", "description": "", "instruction": ""}],
            "recipients": ["jp-fdma"],
            "hazard": {
                "agency": "Agency of Waves", "sender": "waves@agency.example", "identifier": "wave-2",
                "event": "Tsunami warning", "headline": "EXERCISE. <b>Waves</b>", "severity": "Extreme",
                "urgency": "Immediate", "certainty": "Likely", "signature": "signed", "entrance": "feed:waves",
                "ours": ["Aomori"],
            },
        },
    },
}  # fmt: skip


@pytest.mark.soak
def test_a_draft_says_on_whose_word_it_rests_and_is_reached_by_keyboard(
    shown: tuple[StaffServer, Page],
) -> None:
    server, page = shown
    server.give([(3, "", CODED), (4, "", DRAFTED), (5, "", TASK)])
    wait_row(page, 5)
    card = page.locator('#hazards article[data-hazard="wave-2"]')
    assert "area by geocode: North coast" in card.inner_text()
    assert card.locator('[data-hazard-alert="open"]').count() == 1
    word = page.locator("section.on-word")
    assert "Agency of Waves, not seen by our own sensors" in word.inner_text()
    assert "EXERCISE. <b>Waves</b>" in word.inner_text()  # as it came, and text
    assert "Ours of it: Aomori" in word.inner_text()
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.className === 'on-word'"):
            break
    else:
        pytest.fail("no key leads to it")
    server.give([(6, "", DRAFTED | {"held": True})])
    wait_row(page, 6)
    assert "NOT SAID TO THE PUBLIC" in card.inner_text()
