"""Snapshots: whatever a node knows is in them, bit for bit, and nothing in them is believed that it has not signed."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import pytest

from noroshi.command.posts import Task
from noroshi.errors import LocalError
from noroshi.log import Batch, DamagedRecordError, Forget, MemoryStore, Snapshot
from noroshi.messages.bodies import RecallBody
from noroshi.messages.canonical import encode
from noroshi.messages.keys import Bundle, bundle_bytes
from noroshi.node import Node, ReplayDiffersError, Secrets, SnapshotError, known
from noroshi.node.events import Estimate, Event, EventBook, SavedEstimate, SavedEvent
from noroshi.node.inputs import (
    CapGiven,
    CheckpointGiven,
    ClockStepped,
    Control,
    FeedHeard,
    Gateways,
    GroupRow,
    Input,
    LinkChanged,
    RelayGiven,
    Restart,
    Retention,
    decode_input,
)
from noroshi.node.known import KEY_BYTES
from noroshi.node.saved import BY_CHAIN, DERIVED, Saved, SavedOutboxes, SavedStream, SavedTask
from noroshi.node.snapshot import DOMAIN, VERSION, Manifest, dump, load, opened, snapshot_of
from noroshi.node.state import State
from noroshi.sharing import Outboxes
from noroshi.sharing.outbox import Stream, Unreceipted
from noroshi.sharing.policy import Budget, sign
from noroshi.tracking import TrackFilter, radar_measurements
from tests.node.agency import cap
from tests.node.alike import differences
from tests.node.keys import Roots
from tests.node.scene import NODES, Scene, Side, places, replayed

CACHES = {
    "_able",
    "_absent@Known",
    "_active",
    "_aliases",
    "_asked@Known",
    "_event_audiences",
    "_members",
    "_picture_audiences",
    "looked_ns@Estimate",
    "outlook",
}
"""Fields that are worked out again when they are needed."""


@cache
def crisis(structure: str) -> Scene:
    """Alerts, acknowledgements, a consultation, links that come and go, rows that still wait. Not to be changed."""
    scene = Scene(structure).watch(70.0)
    scene.cut |= {("jpn", "usa"), ("usa", "jpn")}
    scene.alert()
    scene["jpn"].take(scene.now_ns, LinkChanged(party=scene["usa"].party, state="up"))
    for node in NODES:
        for task in [*scene.tasks(node, "request"), *scene.tasks(node, "acknowledge")[:1]]:
            scene.answer(node, task)
    scene.cut.clear()
    change(scene)
    recall(scene)
    foreign(scene)
    scene.watch(125.0)
    for node in ("kor", "usa"):
        for task in scene.tasks(node, "concur"):
            scene.answer(node, task, "refuse" if node == "usa" else "concur")
    for one, other in (("kor", "usa"), ("usa", "jpn")):
        checkpoint = scene[other].node.checkpoint(scene[one].party)
        given = CheckpointGiven(
            party=scene[other].party, position=checkpoint.position, signature=checkpoint.signature
        )
        scene[one].take(scene.now_ns, given)
    scene.cut |= {("kor", "usa"), ("usa", "kor")}
    return scene.watch(140.0)


def foreign(scene: Scene) -> None:
    """Clients' groups, an agency's alert and its update come to Japan, and somebody speaks in an authority's name."""
    at_ns, side = scene.now_ns // 10**9 * 10**9, scene["jpn"]
    own, allies = (
        GroupRow(name=name, partners=to, whole=True)
        for name, to in (("own", ("JPN",)), ("allies", ("JPN", "USA")))
    )
    assert side.take(scene.now_ns, Gateways(groups=(own, allies))).answer.outcome == "accepted"
    update = cap(at_ns + 10**9, identifier="wave-2", type_="Update", refers=(("wave-1", at_ns),))
    for raw in (cap(at_ns), update):
        assert side.take(scene.now_ns, CapGiven(party="feed:waves", raw=raw)).answer.outcome == "accepted"
    side.take(scene.now_ns, RelayGiven(party="hand:a", outlet="A paper", claimed="kr-mois", text="Shelter"))
    side.take(scene.now_ns, FeedHeard(feed="waves", state="stale", detail="no answer"))
    scene.pump()


def change(scene: Scene) -> None:
    """Japan's root certifies a key and takes it back, puts another policy in force, and its node pins Korea's root."""
    roots, side = Roots(scene), scene["jpn"]
    policy = side.node.state.release_policy
    budget = Budget(id="tracks", to=("USA",), contents=("flight-path",), per_hour=10_000)
    newer = msgspec.structs.replace(policy, version=policy.version + 1, budgets=(budget,))
    bundle = Bundle(
        certificates=(roots.certificate("JPN", "jpn-2", "jpn"),),
        revocations=(roots.revocation("JPN", roots.public("jpn-2")),),
        pins=(roots.pin("jpn", "KOR"),),
    )
    for raw in (bundle_bytes(bundle), sign(newer, roots.scheme, roots.secret("JPN"))):
        commit = side.take(scene.now_ns, Control(party="control:root", raw=raw))
        assert commit.answer.outcome == "accepted"
    there = side.node.durable_there(scene["usa"].party)
    scene["usa"].take(scene.now_ns, Restart(party=side.party, position=there))
    scene.pump()


def recall(scene: Scene) -> None:
    """Japan takes its last warning back, its clock is less sure than it was, and it keeps no rows that are receipted."""
    side = scene["jpn"]
    (of,) = [message for message, said in side.node.state.warnings.items() if said.name.startswith("JPN")][
        -1:
    ]
    post = next(one.id for one in side.node.state.posts.values() if "watch" in one.duties)
    raw = scene.sealed("jpn", "recall", RecallBody(of=of, step="ask"), post=post, audience=("JPN",))
    assert scene.hand_in("jpn", post, raw).answer.outcome == "accepted"
    for given in (
        ClockStepped(by_ns=0, error_ns=5_000_000),
        Retention(before_ns=scene.now_ns, upto_sequence=side.node.chain.sequence),
    ):
        assert side.take(scene.now_ns, given).answer.outcome == "accepted"


def inputs(side: Side) -> Iterator[tuple[int, Input, Batch]]:
    """Each input of a side with its time, and the commit that it led to."""
    for batch in side.batches[1:]:
        first = batch.records[0]
        assert first.body is not None
        yield first.now_ns, decode_input(first.body), batch


def again(node: Node, side: Side) -> Node:
    """The node by way of a snapshot."""
    return Node.restore("record", node.snapshot(), (), side.member.secrets, places())


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["trilateral", "before"])
@pytest.mark.parametrize("node", NODES)
def test_a_node_goes_on_from_a_snapshot_as_if_nothing_had_been(structure: str, node: str) -> None:
    side = crisis(structure)[node]
    twin, _ = Node.begin(
        side.batches[0].records[0].now_ns, side.member.genesis, side.member.secrets, places()
    )
    for place, (now_ns, given, batch) in enumerate(inputs(side)):
        if place % 10 == 0:
            twin = again(twin, side)
        assert twin.handle(now_ns, given).batch == batch
    assert dump(twin.state) == dump(side.node.state)


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["trilateral", "before"])
def test_the_log_after_any_snapshot_gives_what_the_whole_log_gives(structure: str) -> None:
    side = crisis(structure)["usa"]
    whole = replayed(side.member, side.records())
    expected = whole.snapshot()
    node, _ = Node.begin(
        side.batches[0].records[0].now_ns, side.member.genesis, side.member.secrets, places()
    )
    for place, (now_ns, given, _) in enumerate(inputs(side)):
        node.handle(now_ns, given)
        if place % 30 == 29:
            taken = node.snapshot()
            after = side.records()[taken.sequence :]
            found = Node.restore("record", taken, after, side.member.secrets, places())
            assert found.snapshot() == expected


@pytest.mark.parametrize("structure", ["trilateral", "before"])
@pytest.mark.parametrize("node", NODES)
def test_nothing_that_a_state_holds_is_left_out(structure: str, node: str) -> None:
    """Walks everything that hangs on the state, so that a new field anywhere in it cannot be forgotten."""
    side = crisis(structure)[node]
    state, twin = side.node.state, again(side.node, side).state
    assert differences(state, twin, CACHES | DERIVED) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.timers.popitem(),
        lambda state: state.closed_tasks.add("other"),
        lambda state: setattr(last_event(state), "lost", None),
        lambda state: setattr(last_event(state).estimate, "users", 9),
        lambda state: last_event(state).given.popitem(),
        lambda state: setattr(last_event(state), "estimate", last_event(state).estimate.copy()),
        lambda state: one_more(last_event(state).estimate.filter),
        lambda state: state.known.add(bytes(16)),
        lambda state: state.outboxes.streams["partner:USA/track"].unreceipted.pop(),
        lambda state: state.trust._partners.pop("USA"),
    ],
)
def test_the_walk_finds_what_differs(spoil: Callable[[State], object]) -> None:
    side = crisis("trilateral")["kor"]
    twin = again(side.node, side).state
    spoil(twin)
    assert differences(side.node.state, twin, CACHES | DERIVED)


def one_more(track: TrackFilter) -> None:
    """The last row comes again, a little later."""
    last = track.measurements[-1:]
    track.add(radar_measurements(last.time_ns + 1, last.site_m, last.value, last.sigma))


def last_event(state: State) -> Event:
    return state.events.of(state.picture_audiences()[-1])[-1]


def test_each_field_of_a_state_is_saved_or_follows_from_the_first_record() -> None:
    fields = set(vars(crisis("before")["jpn"].node.state))
    saved = set(Saved.__struct_fields__)
    assert fields == saved | DERIVED | BY_CHAIN
    assert not saved & (DERIVED | BY_CHAIN)
    assert not DERIVED & BY_CHAIN


def test_what_hangs_on_a_state_has_a_saved_form_with_the_same_fields() -> None:
    """The walk above sees only what the crisis has filled."""
    assert names(Event) == set(SavedEvent.__struct_fields__)
    assert names(Task) == set(SavedTask.__struct_fields__)
    assert names(Estimate) - {"filter", "outlook", "looked_ns"} == set(SavedEstimate.__struct_fields__) - {
        "track"
    }
    assert names(Stream) - {"unreceipted"} == set(SavedStream.__struct_fields__) - {"name", "digests", "whys"}
    assert set(Unreceipted.__struct_fields__) == {"number", "digest", "head", "why"}
    assert set(vars(Outboxes())) == set(SavedOutboxes.__struct_fields__) - {"reasons"}
    book = {"_events", "_opened", "_active", "_foreign", "_touched", "_nothing"}
    assert set(vars(EventBook())) == book


def names(kind: type) -> set[str]:
    return {one.name for one in dataclasses.fields(kind)}


ELSEWHERE = {
    "alarms", "area_list", "counts", "counts_said", "counts_shown", "early", "hazard_matters", "heard_alerts",
    "heard_warnings", "notices", "passkey_counts", "refused", "relays", "relay_lines", "enrolled", "security",
    "templates", "templates_by", "warrant",
}  # fmt: skip
"""What the crisis does not bring: incidents do, see `tests.incidents.test_snapshots`. Own areas: `test_warning_life`;
last hops that sign: `test_proving`; answers before their question: `test_early`; partners' alerts: `test_relaying`;
agencies' hazards that concern us: `test_hazard_alerts`; templates, passkeys, partners' warnings: `test_alert_rules`."""


def test_the_crisis_has_all_that_is_to_be_saved() -> None:
    """Else the tests above would prove little: every table holds something in at least one node."""
    states = [crisis(structure)[node].node.state for structure in ("trilateral", "before") for node in NODES]
    empty = {
        name for name in Saved.__struct_fields__ if not any(filled(getattr(one, name)) for one in states)
    }
    assert empty == ELSEWHERE, "what this crisis does not bring has a test of its own"
    assert any(stream.unreceipted for one in states for stream in one.outboxes.streams.values())


def filled(value: Any) -> bool:
    return bool(vars(value)) if hasattr(value, "__dict__") else bool(value)


def test_shared_estimates_stay_shared() -> None:
    side = crisis("trilateral")["kor"]
    state, twin = side.node.state, again(side.node, side).state
    groups = [
        [
            sorted((sorted(event.audience), event.number) for event in events if event.estimate is estimate)
            for estimate in dict.fromkeys(event.estimate for event in events)
        ]
        for events in (
            [event for audience in one.event_audiences() for event in one.events.of(audience)]
            for one in (state, twin)
        )
    ]
    assert groups[0] == groups[1]
    assert any(len(group) > 1 for group in groups[0])


def test_what_has_not_changed_has_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "SEGMENT", 8)
    scene = Scene("trilateral").watch(100.0)
    side = scene["jpn"]
    before = side.node.snapshot()
    assert before == side.node.snapshot()
    scene.watch(102.0)
    after = side.node.snapshot()
    assert manifest_of(before).genesis in after.parts
    assert manifest_of(before).state not in after.parts
    assert {one.digest for one in side.node.state.known.segments} & before.parts.keys()


# What is not believed


@cache
def genuine() -> tuple[Side, Snapshot]:
    side = Scene("trilateral").watch(80.0)["jpn"]
    return side, side.node.snapshot()


def refusal(snapshot: Snapshot, *, secrets: Secrets | None = None) -> str:
    side, _ = genuine()
    with pytest.raises(SnapshotError) as caught:
        opened("jpn", snapshot, secrets or side.member.secrets, places())
    return caught.value.cause


def manifest_of(snapshot: Snapshot) -> Manifest:
    return msgspec.msgpack.decode(snapshot.manifest, type=Manifest)


def test_a_damaged_part_is_refused_whichever_it_is() -> None:
    _, good = genuine()
    for digest, part in good.parts.items():
        bad = part[:-1] + bytes((part[-1] ^ 1,))
        assert "damaged" in refusal(dataclasses.replace(good, parts=good.parts | {digest: bad}))
        rest = {name: one for name, one in good.parts.items() if name != digest}
        assert "missing" in refusal(dataclasses.replace(good, parts=rest))


def test_a_manifest_is_the_nodes_own_or_none() -> None:
    _, good = genuine()
    for place in range(0, len(good.manifest), 7):
        torn = bytearray(good.manifest)
        torn[place] ^= 1
        assert refusal(dataclasses.replace(good, manifest=bytes(torn)))
        assert refusal(dataclasses.replace(good, manifest=good.manifest[:place]))
    named = manifest_of(good)
    newer = encode(msgspec.structs.replace(named, version=VERSION + 1))
    assert f"form {VERSION + 1}" in refusal(dataclasses.replace(good, manifest=newer))
    assert "another record" in refusal(dataclasses.replace(good, sequence=good.sequence + 1))
    parts = dict(good.parts)
    forged = encode(msgspec.structs.replace(named, parts=tuple(parts)[:1]))
    assert "does not name" in refusal(dataclasses.replace(good, manifest=forged))
    longer = encode(msgspec.structs.replace(named, sequence=named.sequence + 1))
    assert "not signed" in refusal(dataclasses.replace(good, manifest=longer, sequence=named.sequence + 1))


def test_another_nodes_snapshot_is_refused() -> None:
    _, good = genuine()
    other = Scene("trilateral")["kor"]
    assert "not signed" in refusal(other.node.snapshot())
    assert "not signed" in refusal(good, secrets=other.member.secrets)


def test_a_signature_for_another_purpose_or_realm_is_none() -> None:
    side, good = genuine()
    scheme, secret = side.node.state.scheme, side.member.secrets.signing
    realm = side.member.genesis.realm.encode()
    for data in (good.manifest, DOMAIN + good.manifest, DOMAIN + b"exercise:another\0" + good.manifest):
        assert "not signed" in refusal(dataclasses.replace(good, signature=scheme.sign(secret, data)))
    right = scheme.sign(secret, DOMAIN + realm + b"\0" + good.manifest)
    assert right == good.signature


def test_parts_that_do_not_fit_are_refused_though_they_are_signed() -> None:
    side, good = genuine()
    state = side.node.state
    named = manifest_of(good)
    body = msgspec.msgpack.decode(good.parts[named.state])
    for change in (
        {"known": [[bytes(32)], b"", b""]},
        {"timers": 5},
        {"more": 1},
        {"known": [[], b"1", b""]},
    ):
        part = encode(body | change)
        parts = {name: one for name, one in good.parts.items() if name != named.state}
        digest = sha256(part).digest()
        manifest = encode(msgspec.structs.replace(named, state=digest, parts=(*parts, digest)))
        data = DOMAIN + state.genesis.realm.encode() + b"\0" + manifest
        signature = state.scheme.sign(side.member.secrets.signing, data)
        forged = Snapshot(good.sequence, good.head, manifest, signature, parts | {digest: part})
        with pytest.raises(LocalError):
            opened("jpn", forged, side.member.secrets, places())


def test_records_that_do_not_follow_a_snapshot_are_refused() -> None:
    side, good = genuine()
    records = side.records()
    more = Scene("trilateral").watch(90.0)["jpn"].records()
    assert more[: len(records)] == records
    after = more[len(records) :]
    for wrong in (after[1:], more[len(records) - 1 :], [msgspec.structs.replace(after[0], now_ns=1)]):
        with pytest.raises(DamagedRecordError):
            Node.restore("jpn", good, wrong, side.member.secrets, places())
    whole = Node.restore("jpn", good, after, side.member.secrets, places())
    assert whole.chain.head == more[-1].hash
    with pytest.raises(ReplayDiffersError):  # the last commit is torn
        Node.restore("jpn", good, after[:-1], side.member.secrets, places())


def test_a_store_keeps_it_and_a_node_comes_back_without_the_bodies_before_it() -> None:
    scene = Scene("trilateral").watch(90.0)
    side = scene["jpn"]
    store = MemoryStore()
    store.append(side.batches)
    store.keep(side.node.snapshot())
    store.append([Batch((), forget=Forget(side.node.chain.sequence, 2**62, ()))])
    with pytest.raises(ReplayDiffersError):
        replayed(side.member, store.records())
    count = len(side.batches)
    scene.watch(100.0)
    store.append(side.batches[count:])
    taken = store.snapshot()
    assert taken is not None
    node = Node.restore("jpn", taken, store.records(taken.sequence), side.member.secrets, places())
    assert node.snapshot() == side.node.snapshot()


# What it costs


@pytest.mark.slow
def test_a_node_that_has_seen_a_million_messages_comes_back_quickly() -> None:
    scene = Scene("trilateral").watch(100.0)
    side = scene["jpn"]
    state = side.node.state
    rows = np.frombuffer(os.urandom(KEY_BYTES << 20), "<u8").reshape(-1, 2)
    rows = rows[rows[:, 0].argsort()]
    masks = np.zeros(len(rows), "<u4")
    data = b"".join(
        (np.ascontiguousarray(rows[:, 0]).data, np.ascontiguousarray(rows[:, 1]).data, masks.data)
    )
    state.known = known.Known.of(side.member.secrets.ids, [known.Segment(data)], *state.known.recent)
    snapshot_of(state)  # the first one names the segments
    begin = time.perf_counter()
    taken = snapshot_of(state)
    middle = time.perf_counter()
    twin = opened("jpn", taken, side.member.secrets, places())
    end = time.perf_counter()
    assert len(twin.known) == len(state.known)
    assert sum(map(len, taken.parts.values())) < 25_000_000
    assert middle - begin < 0.3
    assert end - middle < 1.5


def test_the_plain_way_in_and_out() -> None:
    side, _ = genuine()
    manifest, parts = dump(side.node.state)
    assert dump(load(manifest, parts, side.member.secrets, places())) == (manifest, parts)
