"""A kind of a newer version keeps its lane through a node that does not know it; messages bear their kind's version."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.messages import KINDS, Refused, Unverified, verify
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Received
from tests.node.scene import Scene, envelopes


@pytest.mark.parametrize("lane", list(Lane))
def test_an_unknown_kind_goes_on_in_the_lane_in_which_it_came(lane: Lane) -> None:
    scene = Scene("trilateral")
    usa = scene["usa"]
    raw = scene.sealed("kor", "hologram", encode({"x": 1}))
    given = Received(party="partner:KOR", number=1, raw=raw, lane=lane)
    assert usa.take(scene.now_ns, given).answer.outcome == "accepted"
    (row,) = usa.rows("partner:JPN")
    assert (row.stream, row.lane, row.data) == (f"partner:JPN/{lane.name.lower()}", lane, raw)
    usa.restart()
    assert usa.node.outbox_upto(row.stream) == 1


def test_a_known_kind_comes_in_its_own_lane_only() -> None:
    scene = Scene("trilateral")
    raw = scene.sealed("kor", "remark", encode({"unit": "kr-jcs", "text": "x"}), post="kr-jcs.watch")
    given = Received(party="partner:KOR", number=1, raw=raw, lane=Lane.WARNING)
    assert scene["usa"].take(scene.now_ns, given).answer.reason == "wrong-lane"


def test_what_a_node_says_bears_the_version_of_its_kind() -> None:
    """So that what a version before can read does not look newer to it."""
    scene = Scene("trilateral").watch(95.0)
    said = [one for party in ("USA", "KOR") for one in envelopes(scene["jpn"].rows(f"partner:{party}"))]
    assert {"event", "track", "warning"} <= {one.kind for one in said}
    assert {(one.kind, one.v) for one in said} == {(one.kind, KINDS[one.kind].since) for one in said}


@pytest.mark.parametrize(("ahead", "refused"), [(0, False), (1, False), (2, True)])
def test_one_version_ahead_is_read_and_two_are_refused_by_name(ahead: int, refused: bool) -> None:
    scene = Scene("trilateral")
    version = SCHEMA_VERSION + ahead
    body = msgspec.msgpack.encode({"text": "x", "unit": "jp-cabsec"})
    raw = scene.sealed("jpn", "remark", body, post="jp-cabsec.watch", v=version)
    outcome = verify(Unverified(raw), scene["usa"].node.state.trust, scene.now_ns)
    assert isinstance(outcome, Refused) == refused
    assert outcome == Refused("unknown-version", str(version)) or not refused
