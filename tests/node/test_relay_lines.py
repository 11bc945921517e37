"""Relays that are silent before any alert is out; ends that come late, elsewhere, or to those who have left."""

from __future__ import annotations

from typing import Any

import pytest

from noroshi.clock import seconds
from noroshi.command.hop_keys import hop_key, receipt_code
from noroshi.command.passing import NotPassedOn, PassOn
from noroshi.command.relaying import RelayDesk
from noroshi.messages import TrustStore
from noroshi.node.inputs import LinkChanged
from noroshi.review import open_log
from noroshi.review.reach import readiness
from tests.node.relays import HOPS, ROSTER, SECRET, UNIT, Line, alarms
from tests.node.scene import Scene
from tests.node.test_alerting import issue, warn
from tests.node.test_reaching import end, reach, told


@pytest.fixture
def desk() -> Scene:
    """Japan's node with an event of which nobody has been warned."""
    return Scene("trilateral").watch(86.3)


@pytest.fixture(scope="module")
def calm() -> Scene:
    """Nodes that have seen nothing."""
    return Scene("trilateral")


def line_is(scene: Scene, state: Any, hops: int | None = None, name: str = "towns-a") -> str:
    given = LinkChanged(party=f"relay:{name}", state=state) if hops is None else LinkChanged(
        party=f"relay:{name}", state=state, hops=hops
    )  # fmt: skip
    return scene["jpn"].take(scene.now_ns, given).answer.outcome


def test_a_silent_relay_is_an_alarm_before_any_alert_until_it_is_heard(calm: Scene) -> None:
    Line(calm).connect()
    line_is(calm, "up", 11)
    row = calm["jpn"].staff("relay")[-1]
    assert (row["line"], row["connected"], row["hops"], row["unit"]) == ("up", 11, HOPS, UNIT)
    line_is(calm, "silent")
    assert alarms(calm) == {"relay-silent:towns-a": "relay-silent"}
    assert "11 last hops (jp-towns) were connected" in calm["jpn"].staff("alarm")[-1]["says"]
    rows = len(calm["jpn"].staff("alarm"))
    line_is(calm, "down")
    assert len(calm["jpn"].staff("alarm")) == rows, "it is the same silence"
    assert calm["jpn"].staff("relay")[-1]["connected"] is None
    line_is(calm, "up", 0)
    assert alarms(calm) == {}
    line_is(calm, "down")
    line_is(calm, "removed")
    assert alarms(calm) == {}


def test_the_line_to_a_relay_is_no_partners_link(calm: Scene) -> None:
    links = dict(calm["jpn"].node.state.links)
    line_is(calm, "up", 3)
    assert calm["jpn"].node.state.links == links
    assert line_is(calm, "up", 1, name="x" * 300) == "refused"
    given = LinkChanged(party="partner:USA", state="removed")
    assert calm["jpn"].take(calm.now_ns, given).answer.outcome == "refused"


def test_each_of_hundreds_of_last_hops_is_measured_and_the_dead_ones_are_named(calm: Scene) -> None:
    """Two relays share 300 last hops; of these 7 are dead, and 20 answer only after their relay was away."""
    hops, dead, late = 300, {0, 41, 42, 43, 150, 298, 299}, set(range(200, 220))
    one, other = (Line(calm, name, roster="many", hops=hops, unit="jp-pref") for name in ("many-a", "many-b"))
    test = one.connect()[-1]
    other.connect()
    for hop in set(range(hops)) - dead - late:
        line = one if hop % 2 else other
        code = receipt_code(hop_key(SECRET, "many", hop), test.id)
        assert line.desk.receipt(hop, test.id, calm.now_ns, code) == ""
    one.deliver()
    other.deliver()
    calm.run_to(calm.now_ns + seconds(31.0))

    def row() -> dict[str, Any]:
        return [row for row in calm["jpn"].staff("readiness") if row["roster"] == "many"][-1]

    assert (row()["state"], row()["received"], row()["hops"]) == ("partial", 273, hops)
    assert row()["silent_hops"] == "0, 41-43, 150, 200-219, 298-299"
    assert "readiness-failed" in alarms(calm).values()
    for hop in late:
        other.desk.holds(hop, [(test.id, receipt_code(hop_key(SECRET, "many", hop), test.id))], calm.now_ns)
    other.deliver()
    assert row()["silent_hops"] == "0, 41-43, 150, 298-299"
    log = open_log("jpn", iter(calm["jpn"].records()))
    (ready,) = [found for found in readiness(log, calm.now_ns) if found.roster == "many"]
    assert (ready.state, set(ready.missing), len(ready.took_s)) == ("partial", dead, hops - len(dead))
    assert max(ready.took_s.values()) >= 31.0 > 1.0 > min(ready.took_s.values())
    a_day = seconds(1.3 * 86_400.0)
    assert {found.state for found in readiness(log, calm.now_ns + a_day)} == {"stale"}
    calm.run_to(calm.now_ns + seconds(86_500.0))
    assert (row()["state"], row()["received"]) == ("failed", 0), "the next day's test is another"
    for line in (one, other):
        test = line.fetch()[-1]
        for hop in range(hops):
            line.desk.receipt(hop, test.id, calm.now_ns, receipt_code(hop_key(SECRET, "many", hop), test.id))
        line.deliver()
    assert row()["state"] == "ready"
    assert "readiness-failed" not in [what for name, what in alarms(calm).items() if name.endswith(":many")]


def test_an_end_is_waited_for_from_those_who_had_the_alert_alone(desk: Scene) -> None:
    line = Line(desk)
    told(desk, line)
    warn(desk, "Aomori")
    issue(desk)
    line.pass_on(*range(8))
    desk.run_to(desk.now_ns + seconds(31.0))
    end(desk)
    message = line.fetch()[-1]
    line.receipts(message.id, *range(7))
    line.deliver()
    desk.run_to(desk.now_ns + seconds(31.0))
    name = f"last-hop-silent:{message.id.hex()}:{ROSTER}"
    assert alarms(desk)[name] == "last-hop-silent"
    (row,) = [row for row in desk["jpn"].staff("alarm") if row["alarm"] == name]
    assert row["detail"] == "7", "those who never had the alert are asked for no receipt of its end"
    line.receipts(message.id, 7)
    line.deliver()
    assert name not in alarms(desk)


def test_a_last_hop_that_left_the_roster_is_still_told_of_the_end(desk: Scene) -> None:
    line = Line(desk)
    told(desk, line)
    warn(desk, "Aomori")
    issue(desk)
    alert = line.pass_on(*range(HOPS))
    line.desk.hops = HOPS - 2
    line.connect()
    row = end(desk)
    message = line.fetch()[-1]
    assert line.desk.audience(message, range(HOPS)) == list(range(HOPS))
    assert line.desk.wanted(HOPS - 1, {alert.id}, desk.now_ns) == [message]
    assert line.desk.hop_defect(HOPS) == "no-such-last-hop"
    line.receipts(message.id, *range(HOPS))
    line.deliver()
    (same,) = reach(desk, row["identifier"])["same"]
    assert (same["had"], same["ended"], same["not_ended"]) == (HOPS, HOPS, "")
    assert line.desk.audience(alert, range(HOPS)) == [], "and it is begun nowhere again"


def test_a_relay_in_anothers_place_finds_those_who_had_the_alert(desk: Scene) -> None:
    """The first relay burnt down with the alert; the end was said; the new one comes after that."""
    first = Line(desk)
    told(desk, first)
    warn(desk, "Aomori")
    issue(desk)
    alert = first.pass_on(*range(5))
    row = end(desk)
    second = Line(desk, "towns-b")
    held = {alert.id: b""}
    # Last hops come to it before its node has told it anything.
    for hop in range(4):
        code = [(alert.id, key_code(hop, alert.id))]
        second.desk.holds(hop, code, desk.now_ns)
    second.desk.holds(9, [(alert.id, b"forged")], desk.now_ns)
    messages = second.connect()
    assert [one.purpose for one in messages] == ["test", "end", "alert"]
    _, ending, again = messages
    assert again.id == alert.id
    assert second.desk.audience(again, range(HOPS)) == []
    ((owed, hops),) = second.desk.owed(again, range(HOPS))
    assert (owed, hops) == (ending, [0, 1, 2, 3]), "whoever has shown that it had it, and nobody else"
    assert second.desk.wanted(4, held, desk.now_ns)[-1] == ending
    assert ending not in second.desk.wanted(9, {}, desk.now_ns)
    second.receipts(ending.id, *range(5))
    second.deliver()
    (same,) = reach(desk, row["identifier"])["same"]
    assert (same["had"], same["ended"], same["not_ended"], same["only_ended"]) == (5, 5, "", "")


def key_code(hop: int, of: bytes) -> bytes:
    return receipt_code(hop_key(SECRET, ROSTER, hop), of)


def test_a_last_hop_that_was_off_for_days_is_told_when_it_comes_back(desk: Scene) -> None:
    line = Line(desk)
    told(desk, line)
    warn(desk, "Aomori")
    issue(desk)
    alert = line.pass_on(*range(HOPS))
    end(desk)
    ending = line.fetch()[-1]
    later_ns = desk.now_ns + seconds(6 * 86_400.0)
    line.desk.take(alert.raw, later_ns)
    line.desk._prune(later_ns)
    assert line.desk.wanted(4, {alert.id}, later_ns) == [ending]
    assert line.desk.wanted(4, (), later_ns) == [ending], "also one that has forgotten what it had"


def test_a_relay_from_an_old_disk_is_believed_and_takes_up_where_it_was(desk: Scene) -> None:
    line = Line(desk)
    told(desk, line)
    warn(desk, "Aomori")
    issue(desk)
    alert = line.pass_on(*range(8))
    # What it had kept is gone, its keys are there; its node gives the rows again.
    genesis, seat = desk["jpn"].member.genesis, line.desk.seat
    trust = TrustStore(genesis.realm, seat.scheme, genesis.roots)
    line.desk = RelayDesk(seat, trust, roster=ROSTER, hops=HOPS, secret=SECRET)
    line.after = 0
    desk.now_ns += 10**9
    line.connect()
    assert [one for one in line.outcomes[-4:] if isinstance(one, NotPassedOn)] == []
    for hop in (2, 3, 9):
        line.desk.holds(hop, [(alert.id, key_code(hop, alert.id))], desk.now_ns)
    commits = line.deliver()
    assert {one.answer.reason for one in commits} == {""}
    newest = reach(desk, desk["jpn"].node.state.told[alert.id].identifier)
    assert newest["rosters"][0]["received"] == 9, "nothing that it had told is forgotten"


def test_an_update_takes_the_place_of_what_it_updates(desk: Scene) -> None:
    line = Line(desk)
    told(desk, line)
    warn(desk, "Aomori")
    issue(desk)
    first = line.pass_on(0, 1)
    warn(desk, "Aomori", "Iwate", state="updated")
    issue(desk)
    update = line.fetch()[-1]
    assert isinstance(update, PassOn)
    assert update.purpose == "alert"
    assert update.refers
    wanted = line.desk.wanted(5, (), desk.now_ns)
    assert first not in wanted
    assert update in wanted
    later = Line(desk, "towns-b")
    assert first.id not in {one.id for one in later.connect()}, (
        "a relay that comes now begins with what stands"
    )
