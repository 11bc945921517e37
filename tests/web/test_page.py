"""The built page of a node in a real browser, fed by a real socket with a made-up flight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.web import driving
from tests.web.bad_night import bad_night
from tests.web.staff_server import StaffServer
from tests.web.synthetic_stream import ALERT, hello, moment_ms, stream

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STATIC = Path(__file__).resolve().parents[2] / "src" / "noroshi" / "service" / "static"
AT_S = 330.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    driving.need((STATIC / "index.html").exists(), "the page is not built: `npm ci && npm run build` in web/")
    with driving.chromium() as found:
        yield found


@pytest.fixture
def server() -> Iterator[StaffServer]:
    """The node 330 s after the launch: warned, alerted, 28 s before Aomori."""
    with StaffServer(STATIC, "a-token", hello(AT_S)) as found:
        found.give(stream(AT_S))
        found.set_clock(moment_ms(AT_S))
        yield found


def _shown(
    browser: Browser,
    server: StaffServer,
    width: int = 1440,
    height: int = 900,
    complaints: list[str] | None = None,
) -> Page:
    page = driving.opened(browser, server.address, width, height, complaints)
    driving.wait_live(page)
    driving.wait_row(page, stream(AT_S)[-1][0])
    return page


def test_the_realm_and_the_clocks_are_always_in_words(browser: Browser, server: StaffServer) -> None:
    complaints: list[str] = []
    page = _shown(browser, server, complaints=complaints)
    assert driving.words(page, "#realm").startswith("EXERCISE · 訓練 · 훈련 Flight of 2022-10-04")
    assert page.title().startswith("EXERCISE 訓練 훈련 · Japan")
    assert driving.words(page, "#own-partner") == "What Japan can see"
    assert driving.words(page, "#clock-utc") == "22:27:30Z"
    assert driving.words(page, "#clock-local") == "07:27:30"
    assert complaints == []


def test_the_real_realm_looks_and_reads_otherwise(browser: Browser) -> None:
    with StaffServer(STATIC, "a-token", hello(AT_S, realm_kind="real")) as server:
        page = driving.opened(browser, server.address)
        driving.wait_live(page)
        driving.wait_until(page, "document.body.classList.contains('realm-real')")
        assert "NOT AN EXERCISE" in driving.words(page, "#realm")
        assert "EXERCISE" not in page.title().replace("REAL", "")


def test_the_map_shows_observed_and_predicted_apart(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    driving.wait_until(page, "document.querySelectorAll('#map canvas').length > 0")
    page.wait_for_timeout(500)
    assert driving.map_colours(page) > 50
    (trail,), (path,) = driving.shapes(page, "trail"), driving.shapes(page, "path")
    (place, *_) = driving.shapes(page, "object")
    assert trail[1] <= place[0] + 0.01, "nothing beyond the object is drawn as observed"
    assert path[0] >= place[0] - 0.01
    assert len(driving.shapes(page, "place")) == 9


def test_the_warning_tells_regions_chances_windows_and_people(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    found = driving.regions(page)
    assert [r.region.split(" may ")[0] for r in found] == ["Aomori", "Hokkaido", "Iwate"]
    assert (found[0].chance, found[0].people, found[0].state) == ("93 % very likely", "1,190,000", "ahead")
    assert found[0].region == "Aomori may pass over"
    assert "One kind of sensing (radar), not confirmed" in driving.words(page, "#warnings .basis")
    assert "passed" not in driving.words(page, "#warnings").lower()


def test_the_countdown_runs_and_never_claims_that_it_passed(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    issued = [row for _, _, row in stream(AT_S) if row["type"] == "warning"][-1]
    left_s = (issued["areas"][0]["from_ms"] - moment_ms(AT_S)) // 1000
    assert driving.seconds(driving.regions(page)[0].window_left) == left_s
    server.set_clock(moment_ms(340.0))
    driving.wait_until(page, "document.querySelector('#clock-utc').textContent === '22:27:40Z'")
    assert driving.seconds(driving.regions(page)[0].window_left) == left_s - 10
    server.set_clock(moment_ms(372.0))
    driving.wait_until(page, "document.querySelector('tbody[data-region=Aomori]').dataset.window === 'open'")
    server.set_clock(moment_ms(400.0))
    driving.wait_until(page, "document.querySelector('tbody[data-region=Aomori]').dataset.window === 'over'")
    assert "window over" in driving.regions(page)[0].window_left
    assert "passed" not in driving.words(page, "#warnings").lower()
    assert page.locator("#last-observed").get_attribute("data-old") == "true"


def test_passed_is_said_once_it_was_observed(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    rows = stream(520.0)
    server.give(rows)
    server.set_clock(moment_ms(520.0))
    driving.wait_row(page, rows[-1][0])
    assert "No warning is open" in driving.words(page, "#warnings")
    assert "observed to have passed" in driving.words(page, "#warnings")
    assert "ALERT CANCELLED" in driving.words(page, "#alerts")
    assert all(driving.recipients(page).values())


def test_the_alert_tells_who_has_it_and_who_not_yet(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    assert driving.recipients(page) == {
        "jp-fdma": True, "jp-pref": True, "jp-muni": True, "jp-carriers": False, "jp-jcg": False,
    }  # fmt: skip
    assert driving.words(page, "#reach-summary") == "3 of 5 acknowledged, 4 received, 1 not yet"
    assert driving.words(page, "tr[data-unit=jp-jcg]").count("NOT YET") == 2
    newer = stream(AT_S)
    number = newer[-1][0] + 1
    row = next(r for _, key, r in reversed(newer) if key == f"alert-reach:{ALERT}")
    said = {"received_ms": moment_ms(331.0), "acknowledged_ms": moment_ms(331.0)}
    everyone = [{**recipient, **said} for recipient in row["recipients"]]
    server.give([*newer, (number, f"alert-reach:{ALERT}", {**row, "recipients": everyone})])
    driving.wait_row(page, number)
    assert all(driving.recipients(page).values())


def test_a_newcomer_sees_what_waits_and_whose_evidence_it_is(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    assert driving.words(page, "#sight-from") == "Picture made from: JPN, USA · nothing from KOR"
    assert "KOR silent" in driving.words(page, "#sight-links")
    assert page.locator("#decisions .card").get_attribute("data-state") == "open"
    assert "KOR NOT YET" in driving.words(page, "#decisions")
    assert "Concur in the consultation" in driving.words(page, "#tasks")
    assert "not-for-us" in driving.words(page, "#refusals")


def test_the_language_changes_everywhere_but_the_realm_stays(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    page.keyboard.press("l")
    driving.wait_until(page, "document.documentElement.lang === 'ja'")
    assert driving.words(page, "#warnings-title").startswith("発令中の警報")
    assert "青森県" in driving.regions(page)[0].region
    assert "【訓練】ミサイル発射。避難してください。" in driving.words(page, "#alert-words")
    page.keyboard.press("l")
    driving.wait_until(page, "document.documentElement.lang === 'ko'")
    assert "아오모리현" in driving.regions(page)[0].region
    page.locator("#alerts .switch button", has_text="English").click()
    assert "Take shelter" in driving.words(page, "#alert-words")
    assert driving.words(page, "#realm").startswith("EXERCISE · 訓練 · 훈련")


def test_the_page_works_by_keyboard(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    for key, panel in (
        ("w", "warnings"),
        ("a", "alerts"),
        ("d", "decisions"),
        ("t", "timeline"),
        ("m", "map"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("() => document.activeElement.id") == panel
    page.keyboard.press("ArrowLeft")
    driving.wait_until(page, "!window.noroshiPage.describe().map.follows")
    page.keyboard.press("f")
    driving.wait_until(page, "window.noroshiPage.describe().map.follows")
    page.evaluate("() => document.activeElement.blur()")
    reached = driving.tabbed(page)
    for panel in ("map", "timeline", "warnings", "alerts", "decisions", "tasks", "evidence", "refusals"):
        assert panel in reached


def test_the_timeline_is_newest_first_and_can_be_filtered(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    said = driving.timeline(page)
    assert [number for number, _ in said] == sorted((number for number, _ in said), reverse=True)
    assert said[0][1] == "Japan Joint Operations Command asks for a consultation."
    page.locator("#filter button[data-topic=warning]").click()
    assert [words.split(":")[0] for _, words in driving.timeline(page)] == ["Warning 1"]


def test_a_lost_connection_is_shown_and_resumed_after_the_last_row(
    browser: Browser, server: StaffServer
) -> None:
    page = _shown(browser, server)
    before = stream(AT_S)[-1][0]
    server.cut(admit=False)
    driving.wait_until(page, "window.noroshiPage.describe().connection === 'lost'")
    driving.wait_until(page, "!document.querySelector('#bar').hidden")
    assert "STALE since 07:27:30 JST" in driving.words(page, "#bar")
    rows = stream(385.0)
    server.give(rows)
    server.set_clock(moment_ms(385.0))
    server.cut(admit=True)
    driving.wait_live(page)
    driving.wait_row(page, rows[-1][0])
    assert server.asked_after == [0, before]
    said = driving.timeline(page)
    assert [words for _, words in said[:2]] == ["The United States concurs.", "Japan concurs."]
    assert len(said) == len({number for number, _ in said}), "no row is shown twice"
    assert not page.locator("#bar").is_visible()


def test_the_end_is_said(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    server.say_bye("the scenario is over")
    driving.wait_until(page, "window.noroshiPage.describe().connection === 'ended'")
    driving.wait_until(page, "!document.querySelector('#bar').hidden")
    assert "The exercise has ended (the scenario is over)" in driving.words(page, "#bar")


def test_shapes_over_180_degrees_are_drawn_in_one_piece(browser: Browser, server: StaffServer) -> None:
    page = _shown(browser, server)
    rows = stream(AT_S)
    picture = next(row for _, key, row in reversed(rows) if key.startswith("picture:"))
    moved = [
        [((lon + 8.0 + 180.0) % 360.0) - 180.0, lat, height, ms] for lon, lat, height, ms in picture["path"]
    ]
    assert {p[0] > 0.0 for p in moved} == {True, False}
    ring = [[178.0, 34.0], [-177.0, 34.0], [-177.0, 37.0], [178.0, 37.0], [178.0, 34.0]]
    fallen = {**picture["fall"], "lon": -179.5, "lat": 35.5, "rings": [ring]}
    number = rows[-1][0] + 1
    server.give([*rows, (number, "picture:x", {**picture, "path": moved, "fall": fallen})])
    driving.wait_row(page, number)
    (path,) = driving.shapes(page, "path")
    assert 120.0 < path[0] < 180.0 < path[1] < path[0] + 60.0
    assert (178.0, 183.0) in driving.shapes(page, "fall")
    seen = driving.state(page)["map"]
    assert seen["west"] < path[0], "the view has fitted itself"
    assert seen["east"] > 183.0, "over 180 degrees"


def test_warnings_are_read_out_at_once_and_the_rest_politely(browser: Browser) -> None:
    with StaffServer(STATIC, "a-token", hello(120.0)) as server:
        server.give(stream(120.0))
        server.set_clock(moment_ms(120.0))
        page = driving.opened(browser, server.address)
        driving.wait_live(page)
        driving.wait_row(page, stream(120.0)[-1][0])
        server.set_clock(moment_ms(151.0))
        driving.wait_until(page, "document.querySelector('#clock-utc').textContent === '22:24:31Z'")
        server.give(stream(151.0))
        driving.wait_until(
            page, "document.querySelector('#at-once').textContent.includes('New warning: Aomori 93 %')"
        )
        driving.wait_until(page, "document.querySelector('#polite').textContent.includes('refused')")


def test_without_the_token_nothing_is_shown(browser: Browser, server: StaffServer) -> None:
    page = driving.opened(browser, f"http://127.0.0.1:{server.port}/")
    driving.wait_until(page, "!document.querySelector('#bar').hidden")
    assert "carries no token" in driving.words(page, "#bar")
    other = driving.opened(browser, f"http://127.0.0.1:{server.port}/#token=wrong")
    driving.wait_until(other, "document.querySelector('#bar').textContent.includes('does not admit')")
    assert driving.state(other)["last"] == 0


@pytest.mark.parametrize(("width", "height"), [(900, 1000), (1440, 900), (1920, 1080)])
def test_nothing_is_cut_off_sideways_and_no_word_is_small(
    browser: Browser, server: StaffServer, width: int, height: int
) -> None:
    page = _shown(browser, server, width, height)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
          .filter(e => e.childNodes.length && [...e.childNodes].some(n => n.nodeType === 3 && n.nodeValue.trim()))
          .filter(e => parseFloat(getComputedStyle(e).fontSize) < 14).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert small == []


def test_a_bad_night_shows_who_was_refused_why_and_what_is_silent(
    browser: Browser, server: StaffServer
) -> None:
    page = _shown(browser, server)
    rows = stream(AT_S)
    trouble = bad_night(AT_S, rows[-1][0])
    server.give([*rows, *trouble])
    driving.wait_row(page, trouble[-1][0])
    assert driving.words(page, "#glance a[href='#alarms']") == "▲ Alarms 3 open"
    alarms = driving.words(page, "#alarms")
    assert "signed two different contents of one warning" in alarms
    assert "towns-b" in alarms
    refused = driving.words(page, "#refusals")
    for said in (
        "Link · KOR 422 412 × of another realm (foreign-realm), 7 × came before (repeated), 3 × wrongly signed",
        "90120 × not entitled (not-entitled:input)",
        "90621 refused or repeated, from 8 sources",
        "Notice · USA usa",
    ):
        assert said in refused, refused
    assert page.locator("#security li").first.get_attribute("data-level") == "alarm"
    assert page.locator("[data-way='relay:towns-b'] .caution").inner_text() == "✕ silent"
    assert "1702 of 1741 last hops connected" in driving.words(page, "[data-way='relay:towns-a']")
    assert "23 clients" in driving.words(page, "[data-way='gateway:staff']")
    assert "COUNTS DIFFER" in driving.words(page, "#counts")
    assert "KOR 3" in driving.words(page, "#counts")
    for key, panel in (("r", "refusals"), ("b", "alarms"), ("c", "counts"), ("o", "gateways")):
        page.keyboard.press(key)
        assert page.evaluate("() => document.activeElement.id") == panel
    driving.wait_until(
        page, "document.querySelector('#at-once').textContent.includes('two different contents')"
    )
    for language, said in (("ja", "信用できないもの"), ("ko", "믿을 수 없는 것")):
        page.keyboard.press("l")
        driving.wait_until(page, f"document.documentElement.lang === '{language}'")
        assert said in driving.words(page, "#refusals")


def test_a_bad_night_fits_a_telephone(browser: Browser, server: StaffServer) -> None:
    rows = stream(AT_S)
    server.give([*rows, *bad_night(AT_S, rows[-1][0])])
    page = driving.opened(browser, server.address, 390, 844)
    driving.wait_row(page, rows[-1][0])
    assert not page.locator("#legend").is_visible(), "it would hide the map"
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    cut = page.evaluate(
        """() => [...document.querySelectorAll('.panel, .panel td, .panel th, .glance .part, .band > *')]
          .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1
                         && getComputedStyle(one).textOverflow !== 'ellipsis')
          .map(one => `${one.id || one.className} ${one.textContent.slice(0, 40)}`)"""
    )
    assert cut == []
