# ruff: noqa: E501  rows of a table
"""Rows of a bad night for the page: alarms, what was refused by every entrance, counts that differ, relays and gateways.

rows = [*stream(330.0), *bad_night(330.0, after=rows[-1][0])]
"""

from __future__ import annotations

from typing import Any

from tests.web.synthetic_stream import EVENT, Row, moment_ms

LONG = "JPN jp-cabsec.watch-officer-of-the-night"


def bad_night(at_s: float, after: int) -> list[Row]:
    """Numbered after those that the page has already."""
    now = moment_ms(at_s)

    def refused(party: str, reasons: dict[str, int], ago_s: float) -> dict[str, Any]:
        return {
            "type": "refused", "says": "", "party": party, "reasons": reasons, "count": sum(reasons.values()),
            "first_ms": moment_ms(at_s - 200.0), "last_ms": moment_ms(at_s - ago_s), "time_ms": now,
        }  # fmt: skip

    def security(
        party: str, level: str, reasons: dict[str, int], says: str = "", **more: Any
    ) -> dict[str, Any]:
        return {
            "type": "security", "says": says, "party": party, "level": level, "reasons": reasons,
            "count": sum(reasons.values()), "first_ms": moment_ms(at_s - 90.0), "last_ms": moment_ms(at_s - 2.0),
            "time_ms": now, **more,
        }  # fmt: skip

    def relay(name: str, line: str, connected: int | None) -> dict[str, Any]:
        return {
            "type": "relay", "says": "", "relay": name, "unit": "jp-fdma", "roster": "towns-of-the-north", "hops": 1741,
            "receipts": "keyed", "here_ms": now, "line": line, "connected": connected, "since_ms": moment_ms(at_s - 75.0),
            "time_ms": now,
        }  # fmt: skip

    def refusal(party: str, reason: str, detail: str) -> dict[str, Any]:
        says = f"Refused from {party}: {reason}"
        return {
            "type": "refusal",
            "says": says,
            "party": party,
            "reason": reason,
            "detail": detail,
            "time_ms": now,
        }

    def alarm(name: str, what: str, says: str) -> dict[str, Any]:
        return {
            "type": "alarm", "alarm": name, "what": what, "says": says, "state": "raised", "unit": "jp-fdma",
            "time_ms": moment_ms(at_s - 40.0),
        }  # fmt: skip

    both = "ALARM: the key of usa (USA) has signed two different contents of one warning; the first counts, the second"
    planned: list[tuple[str, dict[str, Any]]] = [
        ("security:partner:KOR", security("partner:KOR", "notice", {"bad-signature": 3, "foreign-realm": 412})),
        ("security:USA usa", security("USA usa", "notice", {"contradictory": 4})),
        (
            "security:USA usa:contradictory",
            security(
                "USA usa", "alarm", {"contradictory": 1},
                f"{both} came from partner:USA and is refused (records 4711 and 5022)", origin="USA", records=[4711, 5022],
            ),
        ),
        ("refused:partner:KOR", refused("partner:KOR", {"bad-signature": 3, "foreign-realm": 412, "repeated": 7}, 2.0)),
        ("refused:partner:USA", refused("partner:USA", {"contradictory": 4}, 2.0)),
        ("refused:door:page 127.0.0.1", refused("door:page 127.0.0.1", {"not-entitled:input": 90_120}, 5.0)),
        ("refused:door:cot staff", refused("door:cot staff", {"malformed:too-long": 12, "contradictory": 1}, 9.0)),
        ("refused:hand:attack", refused("hand:attack", {"malformed-cap": 9, "future-dated": 1, "oversize": 2}, 30.0)),
        (f"refused:post:{LONG}", refused(f"post:{LONG}", {"passkey-count-went-back": 1}, 60.0)),
        ("refused:feed:sado", refused("feed:sado", {"impossible-measurement": 44, "future-dated": 3}, 70.0)),
        ("refused:relay:towns-a", refused("relay:towns-a", {"not-this-relays-message": 2}, 80.0)),
        ("", refusal("partner:USA", "contradictory", "warning 0f3a of USA: not what record 4711 holds")),
        ("", refusal("hand:attack", "malformed-cap", "line 3: document-type")),
        (
            f"count:{EVENT}",
            {
                "type": "count", "says": "Counts differ: JPN counts 2, KOR counts 3, USA counts 2; the picture holds 2 (2 to 3)",
                "event": EVENT, "events": [EVENT], "differs": True, "count": 2, "least": 2, "most": 3,
                "since_ms": moment_ms(100.0), "time_ms": now,
                "partners": [
                    {"partner": "JPN", "count": 2, "stated": True, "by": "jp-jjoc"},
                    {"partner": "KOR", "count": 3, "stated": True, "by": ""},
                    {"partner": "USA", "count": 2, "stated": False, "by": ""},
                ],
            },
        ),
        ("relay:towns-a", relay("towns-a", "up", 1702)),
        ("relay:towns-b", relay("towns-b", "silent", None)),
        (
            "gateway:cot-staff",
            {
                "type": "gateway", "says": "", "group": "staff", "partners": ["JPN"], "clients": 23,
                "counts": {"sent": 940, "malformed:too-long": 12, "refused:contradictory": 1}, "time_ms": now,
            },
        ),
        (
            "hazard-feed:jma",
            {"type": "hazard-feed", "says": "", "feed": "jma", "state": "failing", "detail": "no answer in 60 s", "time_ms": now},
        ),
        (
            "alarm:relay-silent:towns-b",
            alarm("relay-silent:towns-b", "relay-silent", "Nothing is heard of the relay towns-b of jp-fdma: 1741 last hops (towns-of-the-north) were connected to it"),
        ),
        (
            "alarm:unacknowledged:x",
            alarm("unacknowledged:x", "nobody-left", "JPN-jp-cabsec-1 is not acknowledged for jp-carriers, and nobody is left to ask"),
        ),
    ]  # fmt: skip
    return [(after + place, key, row) for place, (key, row) in enumerate(planned, start=1)]
