"""Two contents under one id, one number or one name: told from a repeat, refused, counted, shown with their author."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.clock import seconds
from noroshi.messages import KINDS, Envelope, Message, label_for, seal
from noroshi.messages.bodies import AlertBody, EventBody, RemarkBody, WarningBody
from noroshi.messages.bodies_reach import DeliveryBody
from noroshi.messages.envelope import Unverified, verify
from noroshi.node import contradiction, known
from noroshi.node.inputs import CapGiven, Detections, Received
from noroshi.node.security import CONTRADICTORY
from noroshi.node.state import HeardAlert
from tests.node.agency import cap
from tests.node.relays import Line
from tests.node.scene import Scene, envelopes, replayed
from tests.node.test_snapshot import again as restarted

ID = b"i" * 16
POST = "jp-fdma.duty"
ALL = ("JPN", "KOR", "USA")


def event(scene: Scene, first_observed_ns: int, node: str = "usa", **more: Any) -> bytes:
    body = EventBody(step="opened", first_observed_ns=first_observed_ns)
    return scene.sealed(node, "event", body, **{"id": ID, "event": b"e" * 16} | more)


def alarms(scene: Scene, node: str = "jpn") -> list[dict[str, Any]]:
    return [row for row in scene[node].staff("security") if row["level"] == "alarm"]


def effects(scene: Scene) -> list[dict[str, Any]]:
    return scene["jpn"].staff("event", "remark", "warning", "alert", "task")


def test_the_same_bytes_are_a_repeat_and_other_bytes_under_the_id_are_equivocation(scene: Scene) -> None:
    first, other = event(scene, 1), event(scene, 2)
    assert scene.bring("usa", "jpn", first).answer.outcome == "accepted"
    record = scene["jpn"].node.state.known.said(scene["jpn"].node.state.known.key("USA", ID))[1]
    before = effects(scene)
    assert scene.bring("usa", "jpn", first).answer.outcome == "duplicate"
    answer = scene.bring("usa", "jpn", other).answer
    assert (answer.outcome, answer.reason) == ("refused", CONTRADICTORY)
    scene.bring("kor", "jpn", other)  # whoever brings it: its author is named, and it is no news
    assert effects(scene) == before
    (alarm,) = alarms(scene)
    second = alarm["records"][1]
    assert (alarm["origin"], alarm["records"][0]) == ("USA", record)
    assert "usa (USA) has signed two different contents of one event" in alarm["says"]
    bodies = {one.sequence: one.body for one in scene["jpn"].records()}
    kept = [msgspec.msgpack.decode(bodies[one] or b"", type=Received).raw for one in (record, second)]
    assert kept == [first, other], "both envelopes stand on the record, with their signatures"
    tallies = scene["jpn"].node.state.refused
    assert tallies["partner:USA"].reasons == {CONTRADICTORY: 1, "repeated": 1}
    assert scene["jpn"].node.state.security["USA usa"].reasons == {CONTRADICTORY: 2}
    again = replayed(scene["jpn"].member, scene["jpn"].records())
    assert again.state.known.said(again.state.known.key("USA", ID))[1] == record


def test_a_row_that_came_before_may_not_come_back_with_another_content(scene: Scene) -> None:
    scene.bring("usa", "jpn", event(scene, 1))
    party, lane = scene["usa"].party, 2
    upto = scene["jpn"].node.received(party).upto
    lane = max(range(len(upto)), key=upto.__getitem__)
    given = Received(party=party, number=upto[lane], raw=event(scene, 2), lane=lane)
    assert scene["jpn"].take(scene.now_ns, given).answer.reason == CONTRADICTORY
    old = Received(party=party, number=upto[lane], raw=event(scene, 1), lane=lane)
    assert scene["jpn"].take(scene.now_ns, old).answer.outcome == "duplicate"


def test_a_post_is_held_to_it_as_well(scene: Scene) -> None:
    def remark(text: str) -> bytes:
        return scene.sealed(
            "jpn", "remark", RemarkBody(unit="jp-fdma", text=text), post=POST, id=ID, audience=["JPN"]
        )

    assert scene.hand_in("jpn", POST, remark("EXERCISE one")).answer.outcome == "accepted"
    scene.now_ns += seconds(1.0)
    assert scene.hand_in("jpn", POST, remark("EXERCISE one")).answer.outcome == "duplicate", "pressed twice"
    assert scene.hand_in("jpn", POST, remark("EXERCISE two")).answer.reason == CONTRADICTORY
    assert alarms(scene) == [], "a person may have answered twice"
    (notice,) = [row for row in scene["jpn"].staff("security") if row["says"]]
    assert notice["party"] == f"JPN {POST}"


def test_what_was_said_is_known_after_a_snapshot_and_in_old_segments(
    monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    monkeypatch.setattr(known, "SEGMENT", 4)
    scene.bring("usa", "jpn", event(scene, 1))
    for number in range(9):
        scene.bring("usa", "jpn", event(scene, 1, id=bytes([number]) * 16))
    side = scene["jpn"]
    node = restarted(side.node, side)
    assert [one.said for one in node.state.known.segments] == [
        one.said for one in side.node.state.known.segments
    ]
    assert all(one.said for one in node.state.known.segments)
    side.node = node
    assert scene.bring("usa", "jpn", event(scene, 2)).answer.reason == CONTRADICTORY
    assert scene.bring("usa", "jpn", event(scene, 1)).answer.outcome == "duplicate"


def test_a_snapshot_from_before_says_nothing_of_contents_and_takes_all_for_repeats(scene: Scene) -> None:
    scene.bring("usa", "jpn", event(scene, 1))
    state = scene["jpn"].node.state
    state.known = known.Known.of(scene["jpn"].member.secrets.ids, state.known.segments, *state.known.recent)
    assert scene.bring("usa", "jpn", event(scene, 2)).answer.outcome == "duplicate"


def warning(scene: Scene, number: int, state: str, reason: str = "", **more: Any) -> str:
    body = WarningBody(
        number=number, state=state, basis="single-source", sensings=["radar"], partners=["USA"],  # type: ignore[arg-type]  # words of the cases
        first_observed_ns=1, last_observed_ns=2, valid_until_ns=scene.now_ns + seconds(600.0), areas=[], corridor=[],
        reason=reason,  # type: ignore[arg-type]  # words of the cases
    )  # fmt: skip
    return scene.bring(
        "usa", "jpn", scene.sealed("usa", "warning", body, event=b"w" * 16, **more)
    ).answer.reason


def test_a_warning_is_ended_once_and_goes_on_only_as_a_new_one(scene: Scene) -> None:
    assert warning(scene, 1, "issued") == ""
    assert warning(scene, 2, "ended", "false") == ""
    assert warning(scene, 2, "ended", "passed") == CONTRADICTORY
    assert warning(scene, 2, "updated") == CONTRADICTORY
    assert warning(scene, 3, "ended", "superseded") == CONTRADICTORY
    assert warning(scene, 3, "updated") == CONTRADICTORY
    assert warning(scene, 2, "ended", "false", id=b"s" * 16) == "", "the same in another edition"
    assert warning(scene, 1, "issued", id=b"l" * 16) == "", "what comes late is history"
    assert warning(scene, 3, "issued") == ""
    assert warning(scene, 4, "updated") == ""
    (notice,) = [row for row in scene["jpn"].staff("security") if row["says"]]
    assert notice["party"] == "partner:USA"
    assert scene["jpn"].node.state.refused["partner:USA"].reasons == {CONTRADICTORY: 4}


@pytest.mark.slow
def test_alerts_say_one_thing_and_a_copy_of_our_own_node_shows() -> None:
    scene = Scene("trilateral")
    row = scene.alert()
    message = verify(Unverified(_raw(scene, row)), scene["usa"].node.state.trust, scene.now_ns)
    assert isinstance(message, Message)
    assert isinstance(message.body, AlertBody)
    body = message.body
    state = scene["usa"].node.state
    end = msgspec.structs.replace(
        body, identifier="end", type="Cancel", references=[body.identifier], reason="false",
        sent_ns=body.sent_ns + 10, digest=b"e" * 32,
    )  # fmt: skip
    state.heard_alerts = {body.identifier: HeardAlert("JPN", body), "end": HeardAlert("JPN", end)}

    def verdict(origin: str = "JPN", **changes: Any) -> str:
        return contradiction.alert(state, origin, msgspec.structs.replace(end, **changes))

    assert verdict() == ""
    assert verdict(digest=b"x" * 32) == CONTRADICTORY, "another content under its name"
    assert verdict("KOR", digest=b"x" * 32) == "", "another partner's name for its own"
    assert verdict(identifier="end-2", reason="passed") == "", "nothing has ended it yet"
    state.heard_alerts[body.identifier] = HeardAlert("JPN", body, ended=True)
    assert verdict(identifier="end-2", reason="passed") == CONTRADICTORY
    assert verdict(identifier="end-2") == "", "ended again for the same reason"
    update = {"identifier": "more", "type": "Update", "reason": ""}
    assert verdict(**update, sent_ns=end.sent_ns + 1) == CONTRADICTORY
    assert verdict(**update, sent_ns=end.sent_ns - 1) == "", "sent before the end, and late"
    said = envelopes(scene["jpn"].rows("partner:USA"))[0].id
    opened = EventBody(step="opened", first_observed_ns=9)
    twisted = scene.sealed("jpn", "event", opened, id=said, event=b"e" * 16)
    assert scene.bring("usa", "jpn", twisted).answer.reason == CONTRADICTORY
    assert any("our own signature and contradicts" in one["says"] for one in alarms(scene))


def _raw(scene: Scene, row: dict[str, Any]) -> bytes:
    told = scene["jpn"].node.state.told[bytes.fromhex(row["id"])]
    return told.raw


def test_a_relay_takes_no_receipt_back(scene: Scene) -> None:
    scene.watch(10.0)
    line = Line(scene)
    line.connect()
    of = next(iter(line.desk.kept))

    def say(sequence: int, received: bytes, name: bytes) -> str:
        body = DeliveryBody(
            of=of, relay=line.name, roster=line.desk.roster, hops=line.desk.hops, sequence=sequence,
            received=received, count=received[0].bit_count(), first_ns=1, last_ns=2, receipts="keyed",
        )  # fmt: skip
        own = line.desk.seat
        envelope = Envelope(
            v=KINDS["delivery"].since, realm=own.certificate.realm, origin="JPN", node="jpn", post=line.name,
            unit=own.certificate.unit, id=name * 16, kind="delivery", time_ns=scene.now_ns, time_error_ns=0,
            label=label_for(("JPN",)), refs=(of,), body=msgspec.Raw(b""),
        )  # fmt: skip
        return line.give(seal(envelope, body, own.certificate, own.scheme, own.secret).raw).answer.reason

    assert say(1, b"\x07", b"a") == ""
    assert say(3, b"\x0f", b"b") == ""
    assert say(2, b"\x07", b"c") == "", "an older one that comes late takes nothing back"
    assert say(3, b"\x07", b"d") == CONTRADICTORY
    assert say(4, b"\x03", b"e") == "", "set up anew from an old disk: what it had told before stands"
    assert scene["jpn"].node.state.told[of].received == 4
    assert say(5, b"\x1f", b"f") == ""
    assert scene["jpn"].node.state.told[of].received == 5


def test_an_agency_that_says_two_things_under_one_name_shows(scene: Scene) -> None:
    first = cap(scene.now_ns, identifier="one")
    other = (
        first.replace(b"<severity>", b"<severity><!-- -->")
        .replace(b"Severe", b"Minor")
        .replace(b"Extreme", b"Minor")
    )
    given = [
        scene["jpn"].take(scene.now_ns, CapGiven(party="feed:jma", raw=raw)).answer for raw in (first, other)
    ]
    assert [one.reason for one in given] == ["", CONTRADICTORY]
    (notice,) = scene["jpn"].staff("security")
    assert (notice["party"], notice["reasons"]) == ("feed:jma", {CONTRADICTORY: 1})


def test_a_feed_gives_one_batch_under_one_number(scene: Scene) -> None:
    sensor = scene["jpn"].member.genesis.sensors[0].id

    def give(sequence: int, range_m: float) -> str:
        given = Detections(
            feed="sado", sequence=sequence, sensor=sensor, time_ns=(scene.now_ns,), value=((range_m, 0.1, 0.2),),
            realm=scene.coalition.realm,
        )  # fmt: skip
        answer = scene["jpn"].take(scene.now_ns, given).answer
        return answer.reason or answer.outcome

    assert [give(1, 1e6), give(1, 1e6), give(1, 2e6), give(2, 2e6), give(2, 2e6)] == [
        "accepted", "duplicate", CONTRADICTORY, "accepted", "duplicate",
    ]  # fmt: skip
    assert scene["jpn"].node.state.feeds == {"sado": 2}
    (notice,) = scene["jpn"].staff("security")
    assert notice["party"] == "feed:sado"
