"""H1, H2, H3, H11, bytes in, refusal out: another realm's record, flipped bits, our own name, and counts that differ."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from noroshi.command.counts import Count, correction
from noroshi.exercise.injecting_forgeries import recorded, recorder, reshaped
from noroshi.geo.placefile import PlaceTableError
from noroshi.messages import KINDS, Message, Refused, Unverified, derive, verify
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.node.inputs import Detections, Received
from noroshi.node.sighting import first_seen_by
from noroshi.node.snapshot import opened, snapshot_of
from noroshi.service.record_file import RecordFileError
from noroshi.service.sqlite_store import SqliteStore
from noroshi.sharing.frames import MAX_FRAME_BYTES
from noroshi.sharing.link import LinkProtocolError, LinkSession
from noroshi.sharing.streams import START
from noroshi.tracking import Tracks, arc_state, free_fall_arc
from tests.fuzz.sample import samples
from tests.node.scene import ENTROPY, Scene, places

RAID = 500
LIVE = ("picture", "event", "warning", "draft", "alert", "track")
"""Rows by which something would be on the live picture."""

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


@cache
def raid(realm: str, at_ns: int, tracks: int = RAID) -> tuple[bytes, ...]:
    """The messages of another exercise, as Korea's node has recorded it."""
    controls: Any = SimpleNamespace(coalition=Scene("trilateral").coalition, key=ENTROPY)
    return tuple(recorded(recorder(controls, realm, "KOR"), tracks, at_ns))


def notices(scene: Scene, node: str = "jpn") -> list[dict[str, Any]]:
    """Security notices with words, as the staff see them in the timeline."""
    return [row for row in scene[node].staff("security") if row["says"]]


def test_a_recorded_raid_by_a_link_is_one_notice() -> None:
    """Numbered rows, as a neighbour's node would pass them on: the stream goes on, and nothing of them counts."""
    scene = Scene("trilateral")
    usa, before = scene["usa"].party, len(scene["jpn"].staff(*LIVE))
    for number, raw in enumerate(raid("autumn-study", scene.now_ns), 1):
        given = Received(party=usa, number=number, raw=raw, lane=2)
        assert scene["jpn"].take(scene.now_ns, given).answer.reason == "foreign-realm"
    assert scene["jpn"].node.received(usa).upto[2] == 2 * RAID
    scene.run_to(scene.at(10))
    assert len(scene["jpn"].staff(*LIVE)) == before
    (notice,) = notices(scene)
    assert "another realm come from partner:USA (exercise:autumn-study)" in notice["says"]
    assert scene["jpn"].staff("security")[-1]["count"] == 2 * RAID
    assert len(scene["jpn"].staff("refusal")) == 1
    scene["jpn"].restart()
    assert scene["jpn"].node.state.security[usa].count == 2 * RAID


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw, "foreign-realm"),
        (lambda raw: reshaped(raw, realm=None), "malformed"),
        (lambda raw: reshaped(raw, realm=""), "foreign-realm"),
        (lambda raw: reshaped(raw, realm="real"), "foreign-realm"),
        (lambda raw: reshaped(raw, realm=Scene("trilateral").coalition.realm), "unknown-key"),
    ],
    ids=["as recorded", "no realm", "empty realm", "realm real", "our realm"],
)
@pytest.mark.parametrize("skew_s", [-3600.0, 0.0, 3600.0])
def test_whatever_is_done_to_a_record_it_is_of_another_realm(
    change: Change, reason: str, skew_s: float
) -> None:
    scene = Scene("trilateral")
    at_ns = scene.now_ns + round(skew_s * 1e9)
    for raw in raid("autumn-study", at_ns, 3):
        assert scene.bring("usa", "jpn", change(raw)).answer.reason == reason
        post = "jp-cabsec.watch"
        given = Received(party=f"post:{post}", number=0, raw=change(raw))
        assert scene["jpn"].take(scene.now_ns, given).answer.reason == reason
    assert scene["jpn"].staff(*LIVE) == []
    assert [row["party"] for row in notices(scene)] == ["partner:USA", "post:jp-cabsec.watch"]


def test_measurements_of_another_realm_move_no_feed() -> None:
    scene = Scene("trilateral")
    sensor = next(iter(scene["jpn"].node.state.sensors))
    for number in range(1, RAID + 1):
        batch = Detections(
            feed=sensor, sequence=number, sensor=sensor, time_ns=(scene.now_ns,), value=((6e5, 0.5, 0.4),),
            realm="exercise:autumn-study",
        )  # fmt: skip
        assert scene["jpn"].take(scene.now_ns, batch).answer.reason == "foreign-realm"
    assert scene["jpn"].node.state.feeds == {}
    assert scene["jpn"].staff(*LIVE) == []
    assert len(notices(scene)) == 1
    good = msgspec.structs.replace(batch, sequence=1, realm=scene.coalition.realm)
    assert scene["jpn"].take(scene.now_ns, good).answer.outcome == "accepted"


def test_a_backup_of_another_realm_is_not_a_nodes_record(tmp_path: Any) -> None:
    place = tmp_path / "record.db"
    with SqliteStore.open(place, realm="exercise:autumn-study", node="jpn"):
        pass
    with pytest.raises(RecordFileError, match="autumn-study"):
        SqliteStore.open(place, realm="real", node="jpn")


def test_every_flipped_bit_of_every_kind_is_refused() -> None:
    scene = Scene("trilateral")
    trust = scene["usa"].node.state.trust
    for kind in KINDS:
        body = encode(samples(KINDS[kind].body)[0])
        role = min(KINDS[kind].speakers)
        raw = bytearray(scene.sealed("jpn", kind, body, post="jp-cabsec.watch" if role == "post" else ""))
        whole = verify(Unverified(bytes(raw)), trust, scene.now_ns)
        assert isinstance(whole, Message) or whole.reason not in ("bad-signature", "malformed"), (kind, whole)
        for bit in range(8 * len(raw)):
            raw[bit >> 3] ^= 1 << (bit & 7)
            outcome = verify(Unverified(bytes(raw)), trust, scene.now_ns)
            assert isinstance(outcome, Refused), (kind, bit)
            raw[bit >> 3] ^= 1 << (bit & 7)


def heartbeats(count: int, seed: int) -> None:
    """Frames of a link with bytes put in, taken out and changed: none becomes a message, and no warning is shown."""
    scene = Scene("trilateral")
    draws = np.random.default_rng(seed)
    sound = LinkSession(scene.coalition.realm, own="USA", peer="JPN").hello(held=START, now_ns=scene.now_ns)
    for number in range(count):
        frame = bytearray(sound)
        for _ in range(int(draws.integers(1, 5))):
            place = int(draws.integers(0, len(frame)))
            frame[place] = 0x22 if draws.random() < 0.5 else int(draws.integers(0, 256))
        if draws.random() < 0.2:
            frame = frame[: int(draws.integers(0, len(frame)))]
        session = LinkSession(scene.coalition.realm, own="JPN", peer="USA")
        try:
            events = session.receive(bytes(frame[:MAX_FRAME_BYTES]), scene.now_ns)
        except LinkProtocolError:
            events = []
        assert not any(type(one).__name__ == "Row" for one in events), number
        if number % 50 == 0:
            scene["jpn"].take(scene.now_ns, Received(party="partner:USA", number=0, raw=bytes(frame)))
    assert scene["jpn"].staff(*LIVE) == []


@pytest.mark.slow
def test_fuzzed_heartbeats_are_no_warning() -> None:
    heartbeats(20_000, seed=1980)


@pytest.mark.soak
def test_a_million_fuzzed_heartbeats_are_no_warning() -> None:
    heartbeats(1_000_000, seed=19800603)


def test_a_warning_in_our_own_name_is_an_alarm() -> None:
    """Once with our own key, as an older copy of this node would send it, once with a signature that is not ours."""
    scene = Scene("trilateral").watch(95.0)
    raw = next(row.data for row in scene["jpn"].rows("partner:USA") if kind_of(row.data) == "warning")
    forged = reshaped(raw, id=derive(ENTROPY, "forged")[:16])
    assert scene.bring("usa", "jpn", raw).answer.outcome in ("duplicate", "refused")
    assert not [row for row in scene["jpn"].staff("security") if row["level"] == "alarm"]
    assert scene.bring("usa", "jpn", forged).answer.reason == "bad-signature"
    (alarm,) = [row for row in scene["jpn"].staff("security") if row["level"] == "alarm"]
    assert alarm["says"].startswith("ALARM: a warning in our own name came from partner:USA")

    other = Scene("trilateral")
    copy = Scene("trilateral").watch(95.0)
    sent = next(row.data for row in copy["jpn"].rows("partner:USA") if kind_of(row.data) == "warning")
    other.run_to(copy.now_ns)
    assert other.bring("usa", "jpn", sent).answer.reason == "our-own-message-came-back"
    assert [row["level"] for row in other["jpn"].staff("security")].count("alarm") == 1
    assert other["jpn"].staff("warning") == []


def kind_of(raw: bytes) -> str:
    payload = msgspec.msgpack.decode(raw, type=Signed).payload
    return str(msgspec.msgpack.decode(payload)["kind"])


def test_when_a_radar_could_first_see_what_only_infrared_reports() -> None:
    """An object that climbs beyond the horizon: in sight when the geometry says so, and never for a radar far away."""
    scene = Scene("trilateral")
    here = next(one for one in scene["jpn"].node.state.sensors.values() if one.sensing == "radar")
    arc = free_fall_arc(np.radians(40.6), np.radians(126.4), np.radians(85.0), 4.6e6, 1.0e6)
    state = np.append(arc_state(arc, np.array([40.0]))[0], 0.0)[None, :]
    at_ns = np.array([scene.now_ns])
    track = Tracks(at_ns, state, np.eye(7)[None], np.array([3]), at_ns, at_ns)
    antipode = msgspec.structs.replace(here, id="far", site_m=tuple(-one for one in here.site_m))
    infrared = msgspec.structs.replace(here, id="infrared", sensing="infrared")
    near, far = first_seen_by(track, [antipode, here, infrared])
    assert (near.sensor, far.sensor, far.time_ns) == (here.id, "far", None)
    assert near.time_ns is not None
    assert 0 <= near.time_ns - scene.now_ns < 300e9


def test_a_correction_of_a_count_must_reach_all_who_had_the_first() -> None:
    scene = Scene("trilateral")
    seat = scene["jpn"].seat("jp-cabsec.watch")
    raw = correction(
        seat,
        ("JPN",),
        event=b"e" * 16,
        number=2,
        count=1,
        of=b"f" * 16,
        why="separated-parts",
        now_ns=scene.now_ns,
    )
    assert scene.hand_in("jpn", "jp-cabsec.watch", raw).answer.reason == "corrects-nothing-known"
    wrong = scene.sealed(
        "kor", "count", encode({"number": 1, "count": 3, "least": 4, "most": 3}), event=b"e" * 16
    )
    assert scene.bring("usa", "jpn", wrong).answer.reason in ("impossible-count", "impossible-body")


def test_counts_are_in_a_snapshot() -> None:
    side = Scene("trilateral")["jpn"]
    state = side.node.state
    state.counts["1:KOR"] = state.counts_said["JPN+KOR+USA:1"] = Count(b"f" * 16, 2, 3, "kr-jcs.watch", 2)
    state.counts_shown["1"] = "Counts differ"
    again = opened("jpn", snapshot_of(state), side.member.secrets, places())
    for name in ("counts", "counts_said", "counts_shown"):
        assert getattr(again, name) == getattr(state, name) != {}
