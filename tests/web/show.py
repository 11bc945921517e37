"""Pictures of the page with a made-up stream: `python -m tests.web.show OUT.png --at 330 --size 1440x900`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.web.bad_night import bad_night
from tests.web.driving import chromium, opened, wait_live, wait_row
from tests.web.staff_server import StaffServer
from tests.web.synthetic_stream import hello, moment_ms, stream

STATIC = Path(__file__).resolve().parents[2] / "src" / "noroshi" / "service" / "static"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--at", type=float, default=330.0, help="seconds after the launch")
    parser.add_argument("--size", default="1440x900")
    parser.add_argument("--language", default="en")
    parser.add_argument("--realm", default="exercise", choices=["exercise", "real"])
    parser.add_argument("--keys", default="", help="keys pressed before the picture, with spaces between")
    parser.add_argument("--trouble", action="store_true", help="with alarms, refusals and counts that differ")
    parser.add_argument("--panel", default="", help="scroll to this panel first")
    given = parser.parse_args()
    width, height = (int(part) for part in given.size.split("x"))
    rows = stream(given.at)
    if given.trouble:
        rows += bad_night(given.at, rows[-1][0])
    with (
        StaffServer(STATIC, "look", hello(given.at, realm_kind=given.realm)) as server,
        chromium() as browser,
    ):
        server.give(rows)
        server.set_clock(moment_ms(given.at))
        page = opened(browser, f"{server.address}&lang={given.language}", width, height)
        wait_live(page)
        if rows:
            wait_row(page, rows[-1][0])
        page.wait_for_timeout(1500)
        for key in given.keys.split():
            page.keyboard.press(key)
            page.wait_for_timeout(300)
        if given.panel:
            page.evaluate("name => document.getElementById(name).scrollIntoView()", given.panel)
        page.screenshot(path=str(given.out))


if __name__ == "__main__":
    main()
