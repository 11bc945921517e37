"""What is known of clients' events: repeats and contradictions, each post for itself, and never more than a little."""

from __future__ import annotations

import pickle

import pytest

from noroshi.clock import seconds
from noroshi.gateways.cot import CotEvent, read_event
from noroshi.service.cot_repeats import CONTRADICTORY, REPEATED, HeardEvents

NOW_NS = seconds(1_664_868_000.0)


def event(uid: str, second: int = 0) -> CotEvent:
    time = f"2022-10-04T07:20:{second:02}Z"
    return read_event(
        f'<event version="2.0" uid="{uid}" type="b-t-f" how="h-g-i-g-o" time="{time}" start="{time}"'
        ' stale="2022-10-04T07:30:00Z"><point lat="41" lon="140" hae="0" ce="10" le="10"/></event>'.encode()
    )


@pytest.mark.parametrize(
    ("speaker", "uid", "second", "says", "judged"),
    [
        ("duty", "a", 0, "ack", REPEATED),
        ("duty", "a", 0, "no", CONTRADICTORY),
        ("", "a", 0, "ack", ""),
        ("duty", "b", 0, "ack", ""),
        ("duty", "a", 1, "ack", ""),
        ("dut", "ya", 0, "ack", ""),
    ],
)
def test_an_event_is_its_posts_uid_and_time(
    speaker: str, uid: str, second: int, says: str, judged: str
) -> None:
    heard = HeardEvents()
    heard.note("duty", event("a"), "ack")
    assert heard.judge(speaker, event(uid, second), says, NOW_NS) == judged


def test_long_names_of_clients_take_no_more_room() -> None:
    short, long = HeardEvents(), HeardEvents()
    short.note("", event("a"), "ack")
    long.note("", event("\U00010000" * 16_000), "ack")
    assert len(pickle.dumps(long)) == len(pickle.dumps(short))
