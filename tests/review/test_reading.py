"""Reading: entries of a real log; damaged, foreign and empty records are refused in a sentence."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.log import DamagedRecordError, Record
from noroshi.messages.bodies import DecisionBody, EventBody
from noroshi.messages.canonical import encode
from noroshi.review import NotALogError, measure, merged, open_log, render
from noroshi.review.read import NOT_KEPT, read_message
from noroshi.service.resources import packaged_land
from tests.node.scene import Scene
from tests.review.reading import chained, records, run

pytestmark = pytest.mark.slow

GENESIS = {"node": "jpn", "partner": "JPN", "realm": "exercise:x", "title": "A title", "sensors": []}


def test_every_record_becomes_an_entry_and_a_message_is_cited_with_its_id() -> None:
    log = next(log for log in run().logs if log.node == "jpn")
    assert [entry.sequence for entry in log.entries] == [one.sequence for one in records("jpn")]
    said = next(entry for entry in log.entries if entry.type == "message")
    assert said.envelope is not None
    assert said.cites == f"jpn#{said.sequence} {said.envelope.id.hex()[:8]}"
    assert log.entries[0].cites == "jpn#1"


def test_all_nodes_are_merged_by_time() -> None:
    times = [entry.now_ns for entry in merged(run().logs)]
    assert len(times) == sum(len(log.entries) for log in run().logs)
    assert times == sorted(times)


def test_a_damaged_record_is_named() -> None:
    damaged = records("jpn")[:20]
    damaged[11] = msgspec.structs.replace(damaged[11], body=b"\x80")
    with pytest.raises(DamagedRecordError) as found:
        open_log("jpn.db", damaged)
    assert found.value.sequence == 12


def test_a_missing_record_is_named() -> None:
    lost = records("jpn")[:20]
    del lost[4]
    with pytest.raises(DamagedRecordError, match="number 6 where 5 must follow"):
        open_log("jpn.db", lost)


@pytest.mark.parametrize(
    "foreign",
    [
        chained(),
        chained(("detections", {"feed": "a"})),
        chained(("genesis", ["jpn"])),
        chained(("genesis", b"\xc1")),
        chained(("genesis", {"some": "other program"})),
        chained(("genesis", GENESIS), ("detections", {"feed": "a", "sequence": 1})),
        chained(("genesis", GENESIS), ("refusal", {"reason": "x"})),
        chained(("genesis", GENESIS), ("refusal", 7)),
        chained(("genesis", GENESIS), ("link", b"\xc1")),
    ],
    ids=[
        "empty",
        "headless",
        "list",
        "bytes",
        "foreign",
        "fields-missing",
        "no-party",
        "number",
        "no-msgpack",
    ],
)
def test_what_is_no_nodes_log_is_refused_as_such(foreign: list[Record]) -> None:
    with pytest.raises(NotALogError, match=r"other\.db"):
        open_log("other.db", foreign)


def test_bytes_that_are_no_message_stay_a_record_without_one() -> None:
    for raw in (b"", b"\xc1", b"\x93\x01", encode([1, 2, 3]), encode({"payload": b"x"})):
        assert read_message(raw) == (None, None)
    log = open_log("jpn", chained(("genesis", GENESIS), ("received", {"raw": b"\xc1"})))
    assert log.entries[1].envelope is None


def test_what_was_refused_or_came_twice_is_not_accepted() -> None:
    given = {"feed": "f", "sensor": "s", "time_ns": [5], "value": [[1.0, 0.0, 0.0]]}
    log = open_log(
        "jpn",
        chained(
            ("genesis", GENESIS),
            ("detections", {**given, "sequence": 1}),
            ("detections", {**given, "sequence": 1}),
            ("received", {"raw": b"\xc1"}),
            ("refusal", {"party": "partner:USA", "reason": "malformed"}),
        ),
    )
    assert [(one.accepted, one.reason) for one in log.entries[1:4]] == [
        (True, ""),
        (False, "duplicate"),
        (False, "malformed"),
    ]


def test_an_id_that_was_used_in_vain_does_not_hide_the_message_that_owns_it() -> None:
    scene = Scene("trilateral")
    scene.now_ns += 1
    body = EventBody(step="opened", first_observed_ns=1)
    genuine = scene.sealed("kor", "event", body)
    forged = scene.sealed("usa", "event", body, origin="KOR", id=envelope_id(genuine))
    for raw in (forged, genuine, genuine):
        scene.bring("usa", "jpn", raw)
    entries = open_log("jpn", scene["jpn"].records()).entries
    given = [(entry.accepted, entry.reason) for entry in entries if entry.type == "received"]
    assert given == [(False, "wrong-speaker"), (True, ""), (False, "duplicate")]


def test_what_was_refused_stays_refused_when_it_comes_again() -> None:
    scene = Scene("trilateral")
    scene.now_ns += 1
    body = DecisionBody(
        case=b"c" * 16, decision="trilateral-consult", step="concurrence", unit="us-indopacom"
    )
    raw = scene.sealed("usa", "decision", body)
    for _ in range(2):
        scene.bring("usa", "jpn", raw)
    entries = open_log("jpn", scene["jpn"].records()).entries
    given = [(entry.accepted, entry.reason) for entry in entries if entry.type == "received"]
    assert given == [(False, "needs-a-post"), (False, "duplicate")]


def test_what_retention_has_dropped_is_skipped_and_counted() -> None:
    kept = [
        msgspec.structs.replace(record, body=None)
        if record.type in {"timer", "release", "receipt"}
        else record
        for record in records("jpn")
    ]
    whole, log = open_log("jpn", records("jpn")), open_log("jpn", kept)
    assert log.dropped == sum(record.body is None for record in kept) > 10
    assert [(one.sequence, one.now_ns) for one in log.entries] == [
        (one.sequence, one.now_ns) for one in whole.entries
    ]
    said = [one for one in whole.entries if one.type in {"message", "received", "detections", "refusal"}]
    assert [
        one for one in log.entries if one.type in {"message", "received", "detections", "refusal"}
    ] == said
    measures = measure([log])
    assert measures.start_ns == measure([whole]).start_ns
    assert measures.gaps == measure([whole]).gaps
    page = render([log], measures, (), (), packaged_land())
    assert f"{log.dropped} of them without their content" in page


def test_a_repeat_of_a_message_that_was_dropped_is_still_a_repeat() -> None:
    scene = Scene("trilateral")
    scene.now_ns += 1
    raw = scene.sealed("usa", "event", EventBody(step="opened", first_observed_ns=1))
    late = scene.sealed("usa", "event", EventBody(step="opened", first_observed_ns=2))
    for one in (raw, raw, late):
        scene.bring("usa", "jpn", one)
    first, *_ = (record.sequence for record in scene["jpn"].records() if record.type == "received")
    kept = [
        msgspec.structs.replace(record, body=None) if record.sequence == first else record
        for record in scene["jpn"].records()
    ]
    entries = open_log("jpn", kept).entries
    assert [one.accepted for one in entries if one.type == "received"] == [False, True]


def test_why_something_was_refused_may_be_no_longer_kept() -> None:
    made = chained(
        ("genesis", GENESIS), ("received", {"raw": b"\xc1"}), ("refusal", {"party": "x", "reason": "y"})
    )
    made[2] = msgspec.structs.replace(made[2], body=None)
    entry = open_log("jpn", made).entries[1]
    assert (entry.accepted, entry.reason) == (False, NOT_KEPT)


def envelope_id(raw: bytes) -> bytes:
    envelope, _ = read_message(raw)
    assert envelope is not None
    return envelope.id
