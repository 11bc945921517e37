"""A relay: takes what its node has signed, checks the original signatures itself, passes the same bytes on, and counts.

Nothing is believed for the line by which it came. An alert is passed on only with the node's signature and all that its
posts must have signed, under the root that was pinned at the relay; whatever else comes is an unverified relay's
message, goes no further, and is told to the node. An end goes to just those last hops that were passed what it ends.

    desk = RelayDesk(seat, trust, roster="jp-pref.speakers", hops=120)
    outcome = desk.take(raw, now_ns)                   # PassOn, KeysTaken, Repeated or NotPassedOn
    desk.passed(outcome.id, hop)                       # its bytes were written to this last hop
    desk.receipt(hop, outcome.id, now_ns)              # '' or why it does not count
    for raw in desk.deliveries(now_ns): ...            # signed receipts for the node
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from noroshi.clock import seconds
from noroshi.command.alerts import approval_defect
from noroshi.command.posts import Seat
from noroshi.command.reach import Purpose
from noroshi.messages import (
    KINDS,
    Envelope,
    Refused,
    TrustStore,
    Unverified,
    derive,
    label_for,
    seal,
    verify,
)
from noroshi.messages.bodies import AlertBody, Body
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody, Receipts, bits_of, bytes_of
from noroshi.messages.keys import Bundle, bundle_bytes, is_bundle, read_bundle
from noroshi.messages.signing import ID_BYTES

UNVERIFIED = "unverified relay"
"""What is shown of a message whose original signatures do not carry it."""

IN_BUNDLE = 512
"""Certificates in one row of keys for a relay: half of what a bundle may hold, the rest is for what it follows from."""

KEPT_NS = seconds(86_400.0)
"""How long a relay keeps a message that has run out: a last hop that was off for a day still tells what it had."""

MAX_KEPT = 512
"""Messages that are kept; a busy crisis has some dozens."""

CODE_BYTES = 16


@dataclass(frozen=True, slots=True)
class PassOn:
    """A message that may go to last hops, as it was signed. refers: the identifiers that it updates or ends; defect: why
    it may not, though its node has signed it.
    """

    id: bytes
    identifier: str
    purpose: Purpose
    raw: bytes
    refers: tuple[str, ...] = ()
    expires_ns: int = 0
    defect: str = ""


@dataclass(frozen=True, slots=True)
class KeysTaken:
    """Statements of the own root; refused: why some of them do not count, if any."""

    refused: str = ""


@dataclass(frozen=True, slots=True)
class Repeated:
    """It was here before."""


@dataclass(frozen=True, slots=True)
class NotPassedOn:
    """It goes no further, and why; `of` is its id where it has a form."""

    reason: str
    of: bytes = b""


Outcome = PassOn | KeysTaken | Repeated | NotPassedOn


@dataclass(slots=True)
class Kept:
    """One message and what became of it here. passed, received: bits of last hops; said: what the node was told."""

    message: PassOn
    passed: int = 0
    received: int = 0
    said: int = 0
    sequence: int = 0
    first_ns: int = 0
    last_ns: int = 0
    refused: str = ""
    refused_said: str = ""
    is_over: bool = False


@dataclass(slots=True)
class Counts:
    """What a relay has done since it started."""

    passed_on: int = 0
    unverified: int = 0
    bad_receipts: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class RelayDesk:
    """One relay's messages and receipts. It reads no clock and sends nothing itself."""

    def __init__(self, seat: Seat, trust: TrustStore, *, roster: str, hops: int, secret: bytes = b"") -> None:
        """secret: of the roster, from which its last hops' keys follow; without one receipts are counted only."""
        self.seat = seat
        self.trust = trust
        self.roster = roster
        self.hops = hops
        self.secret = secret
        self.kept: dict[bytes, Kept] = {}
        self.counts = Counts()

    @property
    def receipts(self) -> Receipts:
        """How this relay knows of a receipt."""
        return "keyed" if self.secret else "counted"

    # From the node

    def take(self, raw: bytes, now_ns: int) -> Outcome:
        """What is to be done with bytes from the node."""
        if is_bundle(raw):
            outcome = keys_taken(raw, self.trust)
            return self._refuse(outcome) if isinstance(outcome, NotPassedOn) else outcome
        found = judged(raw, self.trust, self.seat.certificate.partner, now_ns)
        if not isinstance(found, PassOn):
            return self._refuse(found)
        known = self.kept.get(found.id)
        if known is not None and not known.refused:
            return Repeated()
        self._prune(now_ns)
        kept = self.kept[found.id] = known or Kept(found)
        kept.refused = found.defect
        if found.defect:
            return self._refuse(NotPassedOn(found.defect, found.id))
        for one in self.kept.values():
            replaced = one.message.purpose == "test" and found.purpose == "test" and one is not kept
            ended = found.purpose == "end" and one.message.identifier in found.refers
            one.is_over = one.is_over or replaced or ended
        self.counts.passed_on += 1
        return found

    def _refuse(self, refused: NotPassedOn) -> NotPassedOn:
        self.counts.unverified += 1
        self.counts.reasons[refused.reason] = self.counts.reasons.get(refused.reason, 0) + 1
        return refused

    def _prune(self, now_ns: int) -> None:
        past = [key for key, one in self.kept.items() if one.message.expires_ns + KEPT_NS < now_ns]
        past += list(self.kept)[: max(0, len(self.kept) - len(past) - MAX_KEPT + 1)]
        for key in past:
            self.kept.pop(key, None)

    # To last hops

    def wanted(self, hop: int, held: Container[bytes], now_ns: int) -> list[PassOn]:
        """What a last hop that holds these messages is to be passed now, in order: what stands and it lacks.

        What is over goes to nobody any more; its end goes to whoever has had it, here or elsewhere.
        """
        found = []
        for one in self.kept.values():
            message = one.message
            if one.refused or message.id in held:
                continue
            if message.purpose == "end":
                wanted = self._had(hop, message, held)
            else:
                wanted = not one.is_over and message.expires_ns > now_ns
            if wanted:
                found.append(message)
        return found

    def audience(self, message: PassOn, hops: Iterable[int]) -> list[int]:
        """Of the last hops that are here those to whom a new message goes."""
        if message.purpose != "end":
            return list(hops)
        had = 0
        for one in self.kept.values():
            if one.message.identifier in message.refers:
                had |= one.passed | one.received
        return [hop for hop in hops if had >> hop & 1]

    def _had(self, hop: int, end: PassOn, held: Container[bytes]) -> bool:
        return any(
            one.message.id in held or (one.passed | one.received) >> hop & 1
            for one in self.kept.values()
            if one.message.identifier in end.refers
        )

    def passed(self, of: bytes, hop: int) -> None:
        """The bytes were written to this last hop."""
        if of in self.kept:
            self.kept[of].passed |= 1 << hop

    def passed_all(self, of: bytes, hops: Iterable[int]) -> None:
        """The same of many."""
        bits = bytearray((self.hops + 7) // 8)
        for hop in hops:
            bits[hop >> 3] |= 1 << (hop & 7)
        self.kept[of].passed |= bits_of(bytes(bits))

    # From last hops

    def receipt(self, hop: int, of: bytes, now_ns: int, code: bytes = b"") -> str:
        """Takes a last hop's receipt; an empty text, or why it does not count."""
        kept = self.kept.get(of)
        reason = "receipt-of-nothing-known" if kept is None or kept.refused else self.hop_defect(hop)
        if not reason and self.secret and code != receipt_code(hop_key(self.secret, self.roster, hop), of):
            reason = "bad-receipt"
        if reason or kept is None:
            self.counts.bad_receipts += 1
            return reason
        kept.received |= 1 << hop
        kept.first_ns = kept.first_ns or now_ns
        kept.last_ns = max(kept.last_ns, now_ns)
        return ""

    def hop_defect(self, hop: int) -> str:
        """Why there is no such last hop, or an empty text."""
        return "" if 0 <= hop < self.hops else "no-such-last-hop"

    # To the node

    def deliveries(self, now_ns: int, *, again: bool = False) -> list[bytes]:
        """Signed statements on all messages of which there is news; with `again` on all that are not over."""
        made = []
        for one in self.kept.values():
            news = one.received != one.said or one.refused != one.refused_said
            if news or (again and one.received):
                made.append(self._delivery(one, now_ns))
        return made

    def _delivery(self, one: Kept, now_ns: int) -> bytes:
        one.sequence += 1
        one.said, one.refused_said = one.received, one.refused
        body = DeliveryBody(
            of=one.message.id,
            relay=self.seat.certificate.subject,
            roster=self.roster,
            hops=self.hops,
            sequence=one.sequence,
            received=bytes_of(one.received),
            count=one.received.bit_count(),
            first_ns=one.first_ns,
            last_ns=one.last_ns,
            receipts=self.receipts,
            refused=one.refused,
        )
        return self._sealed("delivery", body, one.message.id, one.sequence, now_ns)

    def here(self, now_ns: int) -> bytes:
        """The signed word that this relay is there, whom it serves, and which keys it believes."""
        body = ReadinessBody(
            step="here",
            roster=self.roster,
            hops=self.hops,
            receipts=self.receipts,
            trust=keys_digest(keys_of(self.trust.bundles())),
        )
        return self._sealed("readiness", body, b"", now_ns, now_ns)

    def _sealed(self, kind: str, body: Body, of: bytes, number: int, now_ns: int) -> bytes:
        own = self.seat.certificate
        envelope = Envelope(
            v=KINDS[kind].since,
            realm=own.realm,
            origin=own.partner,
            node=self.seat.node,
            post=own.subject,
            unit=own.unit,
            id=derive(self.seat.ids_secret, "relay", own.subject, kind, of, number, now_ns)[:ID_BYTES],
            kind=kind,
            time_ns=now_ns,
            time_error_ns=0,
            label=label_for((own.partner,)),
            refs=(of,) if of else (),
            body=msgspec.Raw(b""),
        )
        return seal(envelope, body, own, self.seat.scheme, self.seat.secret).raw


def judged(raw: bytes, trust: TrustStore, partner: str, now_ns: int) -> PassOn | NotPassedOn:
    """What these bytes are to a relay or a last hop of this partner: all signatures are looked at, whoever brought them.

    A node's alert whose approvals do not carry it comes back with its defect, since its node should be told.
    """
    message = verify(Unverified(raw), trust, now_ns)
    if isinstance(message, Refused):
        return NotPassedOn(message.reason)
    if message.origin != partner or message.signer.role != "node":
        return NotPassedOn("not-our-nodes", message.id)
    body = message.body
    if isinstance(body, ReadinessBody) and body.step == "test":
        return PassOn(message.id, message.id.hex(), "test", raw, expires_ns=now_ns + KEPT_NS)
    if not isinstance(body, AlertBody):
        return NotPassedOn("not-for-relays", message.id)
    purpose: Purpose = "end" if body.type == "Cancel" else "alert"
    reason = approval_defect(body, trust, now_ns, origin=partner)
    if not reason and purpose == "alert" and body.expires_ns <= now_ns:
        reason = "has-run-out"
    return PassOn(
        message.id, body.identifier, purpose, raw, tuple(body.references), body.expires_ns, defect=reason
    )


def keys_taken(raw: bytes, trust: TrustStore) -> KeysTaken | NotPassedOn:
    """Takes a bundle of statements of roots. Whom a root has not certified is believed by nobody."""
    bundle = read_bundle(raw)
    if isinstance(bundle, str) or bundle.pins:
        return NotPassedOn(bundle if isinstance(bundle, str) else "pins-by-this-way")
    taken = trust.take(bundle)
    known = [reason for _, reason in taken.refused if reason != "unknown-partner"]
    return KeysTaken(known[0] if known else "")


def hop_key(secret: bytes, roster: str, hop: int) -> bytes:
    """The key of a last hop, which its relays can work out and nobody else."""
    return derive(secret, "last hop", roster, hop)


def receipt_code(key: bytes, of: bytes) -> bytes:
    """What a last hop sends as its receipt of a message: only the holder of its key can."""
    return derive(key, "receipt", of)[:CODE_BYTES]


def hello_code(key: bytes, challenge: bytes) -> bytes:
    """What a last hop answers to a relay's challenge."""
    return derive(key, "hello", challenge)[:CODE_BYTES]


def keys_of(bundles: Mapping[str, Bundle]) -> tuple[bytes, ...]:
    """What an alert is checked with: partners' statements on nodes and posts, without pins, in rows of modest size."""
    parts: list[Bundle] = []
    for _, bundle in sorted(bundles.items()):
        cards = [one for one in bundle.certificates if one.role in ("node", "post")]
        parts.append(Bundle(replacements=bundle.replacements, revocations=bundle.revocations))
        heads = range(0, len(cards), IN_BUNDLE)
        parts += [Bundle(certificates=tuple(cards[at : at + IN_BUNDLE])) for at in heads]
    return tuple(bundle_bytes(one) for one in parts if len(one))


def keys_digest(bundles: Iterable[bytes]) -> bytes:
    """What a relay says that it believes: SHA-256 over the bundles."""
    return sha256(b"".join(bundles)).digest()
