"""What must never be believed, brought to those who play: another exercise's record, forged and damaged messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from noroshi.clock import seconds
from noroshi.exercise.draws import stream
from noroshi.exercise.injects import DamagedMessages, FalseReceipt, ForgedWarning, RecordedRaid
from noroshi.log import Batch
from noroshi.messages import KINDS, Certificate, Envelope, Scheme, certify, derive, key_id, label_for, seal
from noroshi.messages.bodies import Body, RemarkBody, TrackBody, WarningBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed, signing_bytes
from noroshi.messages.signing import ID_BYTES
from noroshi.node.core import Node
from noroshi.node.inputs import Detections, Received, Secrets
from noroshi.sharing import Position, Statement
from noroshi.sharing.streams import statement_bytes

if TYPE_CHECKING:
    from noroshi.exercise.coalition import Member
    from noroshi.exercise.injecting import Controls, Inject

RECORDED_BEFORE_S = 3600.0
"""How long before the start the other exercise was."""

SITE_M = (-3_100_000.0, 4_000_000.0, 3_870_000.0)
"""Where the recorded radar stood, about: on the Earth's surface."""

DAMAGED_BITS = 4
"""Bits that are turned over in one message."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """The node that spoke in the other exercise: keys of that realm, which count nowhere else."""

    realm: str
    partner: str
    node: str
    unit: str
    audience: frozenset[str]
    scheme: Scheme
    secret: bytes
    certificate: Certificate


def recorder(controls: Controls, realm: str, partner: str) -> Recorder:
    """A partner's node in the realm `exercise:` and that name."""
    member = next(one for one in controls.coalition.members if one.trigraph == partner)
    scheme, name = member.control.scheme, f"exercise:{realm}"
    secret = derive(controls.key, "recorded", name, partner)
    start_ns = controls.coalition.start_ns
    bare = Certificate(
        realm=name, partner=partner, role="node", subject=member.node, public=scheme.public_key(secret),
        not_before_ns=start_ns - seconds(86_400.0), not_after_ns=start_ns + seconds(86_400.0), unit="",
    )  # fmt: skip
    certificate = certify(scheme, derive(controls.key, "recorded root", name, partner), bare)
    everybody = frozenset(one.trigraph for one in controls.coalition.members)
    unit = member.genesis.assessing_unit
    return Recorder(name, partner, member.node, unit, everybody, scheme, secret, certificate)


def recorded(one: Recorder, tracks: int, at_ns: int) -> Iterator[bytes]:
    """The messages of such a record: of each track a report and a warning."""
    for number in range(tracks):
        seen_ns = at_ns + number * 1_000_000
        yield _sealed(one, "track", f"track {number}", _report(number, seen_ns), at_ns)
        yield _sealed(one, "warning", f"warning {number}", _warning(seen_ns), at_ns)


def _sealed(one: Recorder, kind: str, name: str, body: Body, at_ns: int) -> bytes:
    envelope = Envelope(
        v=KINDS[kind].since, realm=one.realm, origin=one.partner, node=one.node, unit=one.unit,
        id=derive(one.secret, "id", name)[:ID_BYTES], kind=kind, time_ns=at_ns, time_error_ns=0,
        label=label_for(one.audience), event=derive(one.secret, "event", name)[:ID_BYTES], body=msgspec.Raw(b""),
    )  # fmt: skip
    return seal(envelope, body, one.certificate, one.scheme, one.secret).raw


def _report(number: int, seen_ns: int) -> TrackBody:
    return TrackBody(
        track=derive(b"recorded", "track", number)[:ID_BYTES], sequence=1, from_ns=seen_ns, to_ns=seen_ns,
        sensing="radar", source="radar-recorded", time_ns=[seen_ns], site_m=[list(SITE_M)],
        value=[[600e3 + 100.0 * number, 0.5, 0.4]], sigma=[[50.0, 1e-3, 1e-3]], clock_sigma_s=[0.0],
    )  # fmt: skip


def _warning(seen_ns: int) -> WarningBody:
    return WarningBody(
        number=1, state="issued", basis="confirmed", sensings=["infrared", "radar"], partners=["USA"],
        first_observed_ns=seen_ns, last_observed_ns=seen_ns, valid_until_ns=seen_ns + seconds(1800.0),
        areas=[], corridor=[],
    )  # fmt: skip


def reshaped(raw: bytes, **fields: Any) -> bytes:
    """The message with other fields in its header, under the signature that it had; None takes a field out."""
    signed = msgspec.msgpack.decode(raw, type=Signed)
    payload = msgspec.msgpack.decode(signed.payload) | fields
    kept = {name: value for name, value in payload.items() if value is not None}
    return encode(Signed(encode(kept), signed.key, signed.signature))


def damaged(raw: bytes, key: bytes, name: str, number: int) -> bytes:
    """The message with `DAMAGED_BITS` bits turned over, by draws of its own."""
    bits = stream(key, "damaged", name, number).integers(0, 8 * len(raw), DAMAGED_BITS)
    found = bytearray(raw)
    for bit in set(bits.tolist()):
        found[bit >> 3] ^= 1 << (bit & 7)
    return bytes(found)


def _recorded_raid(controls: Controls, one: RecordedRaid) -> None:
    def act(now_ns: int) -> None:
        moved = one.form == "moved-in-time"
        at_ns = now_ns if moved else controls.coalition.start_ns - seconds(RECORDED_BEFORE_S)
        member = controls.coalition.member(one.node)
        match one.entrance:
            case "feed":
                for number in range(one.tracks):
                    controls.give(one.node, _batch(controls, member, one, number, at_ns))
            case "backup":
                controls.restore(
                    one.node, lambda: other_record(controls, member, one.realm, one.tracks, at_ns)
                )
            case "link":
                controls.bring(one.node, one.as_from, _messages(controls, one, one.as_from, at_ns))
            case "file":
                controls.put_files(one.node, _messages(controls, one, member.trigraph, at_ns))
            case "console":
                for raw in _messages(controls, one, member.trigraph, at_ns):
                    controls.give(one.node, Received(party=f"post:{one.as_from}", number=0, raw=raw))

    controls.plan(one.at_s, act)


def _messages(controls: Controls, one: RecordedRaid, partner: str, at_ns: int) -> list[bytes]:
    """The record's messages in the inject's form."""
    found = []
    for raw in recorded(recorder(controls, one.realm, partner), one.tracks, at_ns):
        if one.form == "realm-stripped":
            raw = reshaped(raw, realm=None)
        elif one.form == "realm-rewritten":
            raw = reshaped(raw, realm=controls.coalition.realm)
        found.append(raw)
    return found


def other_record(controls: Controls, member: Member, realm: str, tracks: int, at_ns: int) -> list[Batch]:
    """The record of a node of the same name in another exercise, which a neighbour told of so many tracks."""
    genesis = member.genesis
    neighbours = sorted(set(genesis.node_partners.values()) - {genesis.partner})
    other = neighbours[0] if neighbours else genesis.partner
    own, teller = (recorder(controls, realm, each) for each in (genesis.partner, other))
    scheme = own.scheme
    roots = {
        each: scheme.public_key(derive(controls.key, "recorded root", own.realm, each))
        for each in genesis.roots
    }
    first = msgspec.structs.replace(
        genesis, realm=own.realm, roots=roots, policy=None, warrant=msgspec.UNSET,
        certificates=tuple({one.partner: one.certificate for one in (own, teller)}.values()),
    )  # fmt: skip
    secrets = Secrets(signing=own.secret, ids=derive(own.secret, "ids"))
    copy, commit = Node.begin(at_ns, first, secrets, controls.places)
    batches = [commit.batch]
    for raw in recorded(teller, tracks, at_ns):
        given = Received(party=f"partner:{other}", number=0, raw=raw)
        batches.append(copy.handle(at_ns + seconds(1.0), given).batch)
    return batches


def _batch(controls: Controls, member: Member, one: RecordedRaid, number: int, at_ns: int) -> Detections:
    """One measurement of the record, as that feed would give it: under the realm in which it was recorded."""
    return Detections(
        feed=f"recorded-{one.as_from}", sequence=number + 1, sensor=one.as_from, time_ns=(at_ns + number,),
        value=((600e3 + 100.0 * number, 0.5, 0.4),),
        realm=f"exercise:{one.realm}",
    )  # fmt: skip


def _forged_warning(controls: Controls, one: ForgedWarning) -> None:
    def act(now_ns: int) -> None:
        member = controls.coalition.member(one.node)
        bare = recorder(controls, controls.coalition.realm.removeprefix("exercise:"), member.trigraph)
        raw = _sealed(bare, "warning", one.id, _warning(now_ns), now_ns)
        if one.key == "own":
            signed = msgspec.msgpack.decode(raw, type=Signed)
            secret = member.secrets.signing
            signature = bare.scheme.sign(secret, signing_bytes(bare.realm, signed.payload))
            raw = encode(Signed(signed.payload, key_id(bare.scheme.public_key(secret)), signature))
        controls.bring(one.node, one.as_from, [raw])

    controls.plan(one.at_s, act)


def _false_receipt(controls: Controls, one: FalseReceipt) -> None:
    controls.plan(one.at_s, lambda now_ns: controls.receipt(one.node, one.as_from, one.rows))


def wrong_receipt(controls: Controls, node: str, partner: str, sent: Position, rows: int) -> Statement:
    """The partner's signature for so many more rows in each lane than the node has sent."""
    own = controls.coalition.member(node)
    other = next(one for one in controls.coalition.members if one.trigraph == partner)
    upto = tuple(number + rows for number in sent.upto)
    heads = tuple(derive(controls.key, "no such row", number) for number in upto)
    position = Position(sent.epoch, upto, heads)  # type: ignore[arg-type]  # four, as before
    data = statement_bytes("receipt", controls.coalition.realm, own.trigraph, partner, position)
    return Statement(position, other.control.scheme.sign(other.secrets.signing, data))


def _damaged_messages(controls: Controls, one: DamagedMessages) -> None:
    def act(now_ns: int) -> None:
        for member in controls.coalition.members:
            seat = member.seats.get(one.post)
            if seat is None:
                continue
            own = seat.certificate
            for number in range(one.count):
                envelope = Envelope(
                    v=1, realm=own.realm, origin=own.partner, node=member.node, post=own.subject, unit=own.unit,
                    id=derive(seat.ids_secret, "damaged", one.id, number)[:ID_BYTES], kind="remark",
                    time_ns=now_ns, time_error_ns=0, label=label_for((own.partner,)), body=msgspec.Raw(b""),
                )  # fmt: skip
                body = RemarkBody(unit=own.unit, text="0000 line check 0000")
                raw = seal(envelope, body, own, seat.scheme, seat.secret).raw
                given = damaged(raw, controls.key, one.id, number)
                controls.give(member.node, Received(party=f"post:{one.post}", number=0, raw=given))

    controls.plan(one.at_s, act)


INJECTS: Mapping[type, Inject] = {
    RecordedRaid: _recorded_raid,
    ForgedWarning: _forged_warning,
    FalseReceipt: _false_receipt,
    DamagedMessages: _damaged_messages,
}
"""Who plans which type of inject."""
