"""Known paths by which what is hidden leaks, each closed as a whole node shows it.

The numbers are those of the table in the manual's page on release; paths of labels, policies and reduced editions are
tested in `tests/sharing/test_leak_paths.py`. What is compared in pairs is compared in `test_pairs.py` as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import msgspec
import pytest
from cryptography import x509

from noroshi.log import Batch, MemoryStore, OutboxRow
from noroshi.messages import Envelope
from noroshi.messages.bodies import DecisionBody, RecallBody, RemarkBody, WarningBody
from noroshi.messages.canonical import decode
from noroshi.messages.envelope import Signed
from noroshi.messages.kinds import Lane
from noroshi.messages.signing import ID_BYTES
from noroshi.service.link_keys import new_link_key
from noroshi.sharing import frames, partner_party
from noroshi.sharing.link import MAX_SERVED_BYTES, LinkSession
from noroshi.sharing.policy import Rule, Terms
from noroshi.sharing.streams import (
    EMPTY_HEAD,
    START,
    Position,
    Statement,
    next_head,
    statement_bytes,
    stream_of,
)
from tests.leaks.plan import Setting, Wanted, coalition_of, drawn
from tests.leaks.table import Table
from tests.leaks.voices import by_node, said
from tests.node import test_hazard_alerts as hazard_alerts
from tests.node.scene import Scene, envelopes
from tests.node.test_policing import give, policy_of, terms
from tests.simulation.coalition import CONSULT, COUNCIL, REALM, partners_of

pytestmark = pytest.mark.slow

_NO_POLICY: Setting = "none"

SEEDS = range(1, 25)
TRACKED = range(1, 9)


@cache
def played(seed: int, *, tracked: bool = False, hidden: bool = True) -> Table:
    """A run of a plan, with what is hidden or without."""
    table = Table(drawn(Wanted(seed, tracked=tracked)), hidden=hidden)
    table.run()
    return table


def tables() -> Iterator[Table]:
    yield from (played(seed) for seed in SEEDS)
    yield from (played(seed, tracked=True) for seed in TRACKED)


def rows_of(table: Table) -> list[tuple[str, OutboxRow]]:
    """All rows that the partner who looks was given, with who gave them."""
    return [(by, shown) for what, _, by, shown in table.view if what == "row"]


def _payload(raw: bytes) -> bytes:
    return msgspec.msgpack.decode(raw, type=Signed).payload


def envelope_of(row: OutboxRow) -> Envelope:
    return msgspec.msgpack.decode(_payload(row.data), type=Envelope)


def ends(table: Table) -> Iterator[tuple[str, Any, Position]]:
    """What the partner who looks can count and compute itself: after each row, restart and checkpoint of a sender."""
    held: dict[str, Position] = {}
    for what, _, by, shown in table.view:
        if what == "row":
            before = held.get(by, START)
            assert shown.number == before.upto[shown.lane] + 1
            held[by] = before.at(shown.lane, shown.number, next_head(before.heads[shown.lane], shown.data))
        elif what == "restart":
            held[by] = shown
        if what in ("row", "checkpoint"):
            yield what, shown, held.get(by, START)


def quiet(size: int = 3) -> Table:
    """Three partners in a mesh at whose table nothing has happened: the first, the second, and the one who looks."""
    number = next(
        n
        for n in range(60)
        if len(coalition_of(n).members) == size and len(coalition_of(n).wires) == size * (size - 1) // 2
        and coalition_of(n).council == set(partners_of(size))
    )  # fmt: skip
    plan = drawn(Wanted(1))
    return Table(
        replace(
            plan, coalition=coalition_of(number), looker=size - 1, settings=(_NO_POLICY,) * size, steps=()
        ),
        hidden=True,
    )


def hidden_remark(table: Table) -> bytes:
    """The first says something to the second, and the one who looks may not have it; its id."""
    first, second = (one.member for one in list(table.seats.values())[:2])
    body = RemarkBody(unit=f"{first.node}-gov", text="not for all")
    identity, raw = said(first, "remark", body, (first.partner, second.partner), table.now_ns, "hidden")
    table.hand_in(first.partner, raw)
    return identity


def asks(table: Table, raw: bytes, lane: Lane) -> tuple[str, list[tuple[str, int]]]:
    """The one who looks sends this to the first; what it sees of that: kinds and sizes of rows, and a receipt."""
    first = next(iter(table.seats))
    before = len(table.view)
    table.bring(first, table.looker, raw, lane)
    shown = [
        (envelope_of(row).kind, len(row.data)) for what, _, _, row in table.view[before:] if what == "row"
    ]
    receipt = table.seats[first].node.receipt(partner_party(table.looker))
    return str(receipt.position.upto), shown


def test_path_3_rows_are_numbered_densely_by_what_the_partner_was_given() -> None:
    """Existence by sequence gap: each stream counts its own rows, and its heads follow from them."""
    seen = 0
    for table in tables():
        for what, shown, held in ends(table):
            if what == "row":
                assert shown.head == held.heads[shown.lane]
                seen += 1
    assert seen > 100


def test_path_4_ids_tell_neither_order_nor_count_nor_content() -> None:
    """Existence by id: keyed, one counter for each audience, and no hash of what is in the message."""
    ids = [
        envelope_of(row).id for table in tables() for _, row in rows_of(table) if not envelope_of(row).post
    ]
    assert len(ids) > 20
    assert all(len(one) == ID_BYTES for one in ids)
    assert ids != sorted(ids)
    assert len({one[:2] for one in ids}) > 0.9 * len(set(ids)), "no common beginning, as a time would be"
    state = next(iter(quiet().seats.values())).node.state
    some, others = frozenset(("XAA", "XCC")), frozenset(("XAA", "XBB"))
    again = next(iter(quiet().seats.values())).node.state
    for _ in range(7):
        again.new_id(others)
    assert state.new_id(some) == again.new_id(some), "what is said to others moves no counter"
    assert state.new_id(some) != again.new_id(others)


def test_path_5_nothing_that_is_answered_tells_whether_a_hidden_id_exists() -> None:
    """Existence by ack: a recall of a hidden id, a message that bears it, and made-up ones are answered alike."""
    answers = []
    for guess in (True, False):
        table = quiet()
        identity = hidden_remark(table)
        asked = identity if guess else bytes(reversed(identity))
        first, looker = next(iter(table.seats.values())).member, table.seats[table.looker].member
        both = (first.partner, looker.partner)
        recall = by_node(looker, "recall", RecallBody(of=asked, step="recalled"), both, table.now_ns, "guess")
        told = asks(table, recall, Lane.DECISION)
        unit = f"{looker.node}-gov"
        bears = by_node(
            looker, "horoscope", msgspec.Raw(b"\x80"), both, table.now_ns, "", id=asked, unit=unit
        )
        answers.append((told, asks(table, bears, Lane.NOTICE)))
    assert answers[0] == answers[1]
    assert answers[0][0][1], "the recall is answered"


def test_path_7_there_is_no_second_copy_of_what_is_hidden() -> None:
    """Denormalised copies: nothing of a hidden message is in anything that the partner's node holds, in any form."""
    looked_for = 0
    for table in tables():
        store = table.seats[table.looker].store
        held = b"".join(record.body or b"" for record in store.records())
        held += b"".join(row.data for _, row in rows_of(table))
        for (_, hidden), messages in table.said.items():
            for identity, raw, _ in messages if hidden else ():
                assert identity not in held
                assert identity.hex().encode() not in held
                assert msgspec.msgpack.decode(raw, type=Signed).signature not in held
                looked_for += 1
    assert looked_for > 50


def test_path_8_frames_count_only_what_the_partner_sent_or_was_given() -> None:
    """Counts and statistics: a frame has numbers of this partner's own streams, clocks, and nothing else that counts."""
    fields = {
        kind.__name__: {one.encode_name for one in msgspec.structs.fields(kind)}
        for kind in frames.Frame.__args__
    }
    assert fields == {
        "HelloFrame": {"version", "realm", "own", "peer", "node", "held", "now_ns"},
        "RowFrame": {"lane", "number", "data"},
        "ReceiptFrame": {"statement"},
        "CheckpointFrame": {"statement"},
        "RestartFrame": {"position"},
        "PingFrame": {"sent_ns"},
        "PongFrame": {"sent_ns", "now_ns"},
    }
    for table in tables():
        for what, shown, held in ends(table):
            if what == "checkpoint":
                assert shown.position.upto == held.upto


def test_path_9_a_message_names_no_partner_beyond_its_audience() -> None:
    """Recipient lists and group names: who is named in a message may have it, or has told the partner of it itself."""
    everybody = set(partners_of(5))
    seen = 0
    for table in tables():
        origins: set[str] = set()
        for _, row in rows_of(table):
            envelope = envelope_of(row)
            origins.add(envelope.origin)
            named = everybody & set(_texts(decode(_payload(row.data))))
            assert named <= envelope.label.audience | origins
            assert table.looker in envelope.label.audience
            seen += 1
    assert seen > 100


def _texts(value: Any) -> Iterator[str]:
    """All texts in a decoded value, and in messages that it carries whole."""
    match value:
        case str():
            yield value
        case dict():
            for key, one in value.items():
                yield from _texts(key)
                yield from _texts(one)
        case list() | tuple():
            for one in value:
                yield from _texts(one)


def times_of(table: Table) -> list[tuple[int, int]]:
    """When each row was handed over, and the time that is on it."""
    return [(at_ns, shown.now_ns) for what, at_ns, _, shown in table.view if what == "row"]


def test_path_14_rows_go_at_times_that_follow_from_what_the_partner_may_know() -> None:
    """Timing: on a virtual clock every row has the same time with what is hidden and without, to the nanosecond."""
    for seed in SEEDS:
        with_it, without = (played(seed, hidden=hidden) for hidden in (True, False))
        if with_it.declared == without.declared:
            times = [
                [(at_ns, row.now_ns) for what, at_ns, _, row in one.view if what == "row"]
                for one in (with_it, without)
            ]
            assert times[0] == times[1]


def test_path_16_what_is_forbidden_absent_or_malformed_looks_the_same() -> None:
    """Error messages: an answer in a hidden case, one in no case, and noise get a receipt and nothing else."""
    shown = []
    for what in ("hidden", "absent", "noise"):
        table = quiet()
        first, second = (one.member for one in list(table.seats.values())[:2])
        looker = table.seats[table.looker].member
        unit = f"{first.node}-gov"
        case = b"c" * ID_BYTES
        body = DecisionBody(case=case, decision=CONSULT, step="request", unit=unit, body=COUNCIL)
        raw = said(first, "decision", body, (first.partner, second.partner), table.now_ns, "asked")[1]
        table.hand_in(first.partner, raw)
        answer = DecisionBody(
            case=case if what == "hidden" else b"d" * ID_BYTES,
            decision=CONSULT,
            step="concurrence",
            unit=f"{looker.node}-gov",
            outcome="concur",
            body=COUNCIL,
        )
        raw = said(looker, "decision", answer, (first.partner, looker.partner), table.now_ns, "guess")[1]
        shown.append(asks(table, b"noise" if what == "noise" else raw, Lane.DECISION))
    assert shown[0] == shown[1] == shown[2]
    assert shown[0][1] == []


def test_path_17_who_catches_up_is_served_from_its_own_streams_alone() -> None:
    """Catch-up: after any time away the bytes on the line are the same, whatever was said to others meanwhile."""
    served = 0
    for seed in SEEDS:
        with_it, without = (played(seed, hidden=hidden) for hidden in (True, False))
        if with_it.declared != without.declared or any("retention" in s.kind for s in with_it.plan.steps):
            continue
        for name in with_it.seats:
            if name != with_it.looker:
                lines = [_all_served(one, name) for one in (with_it, without)]
                assert lines[0] == lines[1]
                served += len(lines[0])
    assert served > 10_000


def _all_served(table: Table, name: str) -> bytes:
    """What a link would put on the line for the partner who looks, from the first row on."""
    store: MemoryStore = table.seats[name].store
    party = partner_party(table.looker)
    session = LinkSession(REALM, own=name, peer=table.looker)
    session.resume(START)
    return session.serve(
        lambda lane, after, limit: store.outbox(stream_of(party, lane), after, limit), MAX_SERVED_BYTES
    )


def test_path_19_a_recall_is_told_to_those_who_had_the_message_and_gives_no_reason() -> None:
    """Recall and correction: who never had it hears nothing; what is told has no field for a reason or a new label."""
    assert {one.encode_name for one in msgspec.structs.fields(RecallBody)} == {
        "of", "step", "by", "unknown", "asked", "original", "label",
    }  # fmt: skip
    told = 0
    recalling = (
        seed
        for seed in range(1, 160)
        if any(s.kind == "recall" for s in drawn(Wanted(seed, tracked=False)).steps)
    )
    for table in map(played, recalling):
        given: set[bytes] = set()
        for _, row in rows_of(table):
            envelope = envelope_of(row)
            given.add(envelope.id)
            if envelope.kind == "recall":
                body = msgspec.msgpack.decode(envelope.body, type=RecallBody)
                assert body.step in ("recalled", "replaced", "done")
                assert body.step == "done" or body.of in given
                assert body.label is None
                assert body.original == b""
                told += 1
    assert told > 5


def test_path_24_pictures_are_the_same_with_hidden_evidence_and_without() -> None:
    """Fusion output: tracks, events and warnings of an audience come from what all of it may have."""
    seen = 0
    for seed in TRACKED:
        with_it, without = (played(seed, tracked=True, hidden=hidden) for hidden in (True, False))
        if with_it.declared == without.declared:
            assert rows_of(with_it) == rows_of(without)
            seen += sum(envelope_of(row).kind in ("track", "event", "warning") for _, row in rows_of(with_it))
    assert seen > 10


def test_path_25_a_tear_line_is_on_the_record_as_declared_and_names_nobody() -> None:
    """The need to warn: what is said in spite of what the partner may not see is recorded, and made of the least."""
    torn = 0
    for seed in range(1, 40):
        table = played(seed, tracked=True)
        declared = {glimpse[3] for glimpse in table.declared}
        for _, row in rows_of(table):
            envelope = envelope_of(row)
            if envelope.kind != "warning":
                continue
            body = msgspec.msgpack.decode(envelope.body, type=WarningBody)
            if not body.partners:
                assert row.data in declared
                assert not body.corridor
                assert body.fall is None
                assert not any(area.places for area in body.areas)
                torn += 1
            else:
                assert row.data not in declared
        if torn > 3:
            return
    pytest.fail("no tear-line was said")


def test_path_25_an_alert_goes_as_declared_and_is_on_the_record_as_that() -> None:
    """The need to warn: what an alert says of hidden evidence two persons have declared, and the record says so."""
    scene = Scene("trilateral")
    observer = terms(scene, "jpn", USA=Terms(terms="observer", highest="restricted"))
    rule = Rule(id="alerts-all-the-same", to=("USA",), effect="declare", kinds=("alert",))
    policy = policy_of(scene, "jpn", partners=observer, rules=(rule,))
    assert give(scene, "jpn", policy).answer.outcome == "accepted"
    scene.alert()
    (alert,) = (one for one in envelopes(scene["jpn"].rows("partner:USA")) if one.kind == "alert")
    bodies = [record.body for record in scene["jpn"].records() if record.type == "release" and record.body]
    decided = {one["id"]: one for one in map(decode, bodies)}[alert.id]
    assert decided["declared"]
    assert decided["rules"] == {"USA": "alerts-all-the-same"}


def test_path_26_a_links_certificate_names_the_node_and_nothing_else() -> None:
    """Transport metadata: names in certificates; the dialler sends no name of a server, since pins say who it is."""
    _, pem = new_link_key("jpn")
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.subject.rfc4514_string() == certificate.issuer.rfc4514_string() == "CN=jpn"
    assert [extension.oid._name for extension in certificate.extensions] == ["basicConstraints"]


def test_path_28_a_checkpoint_follows_from_the_rows_that_the_partner_was_given() -> None:
    """Audit chain: one chain for each partner and lane; its head can be computed by who has its rows, and from nothing
    else.
    """
    compared = 0
    for table in tables():
        for what, shown, held in ends(table):
            if what == "checkpoint":
                assert isinstance(shown, Statement)
                assert shown.position == held
                compared += 1
    assert compared > 100


def test_path_29_no_frame_tells_when_a_row_was_made() -> None:
    """Clocks: what leaves has the time of its saying; when it was made, received or served is not on the line."""
    row = OutboxRow(
        "partner:USA/notice", 1, Lane.NOTICE, "key", 123_456_789, b"data", next_head(EMPTY_HEAD, b"data")
    )
    later = msgspec.structs.replace(row, now_ns=row.now_ns + 1, key="another")
    lines = [_served(one) for one in (row, later)]
    assert lines[0] == lines[1] != b""


def _served(row: OutboxRow) -> bytes:
    """What goes on the line where a stream has this row."""
    store = MemoryStore()
    store.append([Batch((), (row,))])
    session = LinkSession(REALM, own="JPN", peer="USA")
    session.resume(START)
    return session.serve(
        lambda lane, after, limit: store.outbox(stream_of("partner:USA", lane), after, limit)
    )


def test_path_30_what_was_signed_in_one_realm_is_nothing_in_another() -> None:
    """Exercise and live: the realm is in every statement about streams, beside its being in every message."""
    texts = {
        statement_bytes("receipt", realm, "JPN", "USA", START)
        for realm in ("real", "exercise:a", "exercise:b")
    }
    assert len(texts) == 3
    assert statement_bytes("receipt", "real", "JPN", "USA", START) != statement_bytes(
        "checkpoint", "real", "JPN", "USA", START
    )


def test_path_31_editions_of_one_saying_have_ids_of_their_own() -> None:
    """A broken partner: what left is gone, but its ids and aliases tell in which audience it was given."""
    apart = 0
    for seed in TRACKED:
        table = played(seed, tracked=True)
        for seat in table.seats.values():
            by_saying: dict[tuple[str, int], list[Envelope]] = {}
            for record in seat.store.records():
                if record.type == "message" and record.body:
                    envelope = msgspec.msgpack.decode(_payload(record.body), type=Envelope)
                    by_saying.setdefault((envelope.kind, record.now_ns), []).append(envelope)
            for editions in by_saying.values():
                audiences = {one.label.releasable_to for one in editions}
                if len(audiences) == len(editions) > 1 and all(one.event for one in editions):
                    assert len({one.id for one in editions}) == len(editions)
                    assert len({one.event for one in editions}) == len(editions)
                    apart += 1
    assert apart > 5


def test_path_32_the_staff_have_a_stream_of_their_own_and_no_partners_row_is_in_it() -> None:
    """Staff fan-out: every client gets the same frames of one stream; there is nothing for a browser to filter."""
    for table in tables():
        for seat in table.seats.values():
            rows = seat.store.outbox("staff", 0, 100_000)
            signed = {row.data for name in table.seats for lane in range(4)
                      for row in seat.store.outbox(stream_of(partner_party(name), lane), 0, 100_000)}  # fmt: skip
            assert not signed.intersection(row.data for row in rows)


def test_path_33_what_an_agency_said_to_a_few_shows_in_nothing_that_a_partner_gets() -> None:
    """Drafts on another agency's word: with and without one that was not public, partners get the same bytes."""
    given: list[list[bytes]] = []
    for hidden in (True, False):
        scene = hazard_alerts.scene_with()
        if hidden:
            raw = hazard_alerts.file(scene, identifier="for-a-few", scope="Restricted")
            assert hazard_alerts.give(scene, raw) == "accepted"
            assert hazard_alerts.alarms(scene) == ["hazard-not-public"]
        scene.now_ns += 10**9
        assert hazard_alerts.give(scene, hazard_alerts.file(scene)) == "accepted"
        hazard_alerts.sign(scene)
        given.append([row.data for name in ("USA", "KOR") for row in scene["jpn"].rows(partner_party(name))])
    assert given[0] == given[1] != []
