"""A relay: takes what its node has signed, checks the original signatures itself, passes the same bytes on, and counts.

An alert is passed on only with the node's signature and all that its posts must have signed, by
`noroshi.command.passing`; whatever else comes goes no further, and is told to the node. An end goes to just those last
hops that were passed what it ends, also to such as have left the roster, come from another relay, or were off for days.

    desk = RelayDesk(seat, trust, roster="jp-pref.speakers", hops=120)
    outcome = desk.take(raw, now_ns)                   # PassOn, KeysTaken, Asked, Repeated or NotPassedOn
    desk.passed(outcome.id, hop)                       # its bytes were written to this last hop
    desk.receipt(hop, outcome.id, now_ns)              # '' or why it does not count
    for raw in desk.deliveries(now_ns): ...            # signed receipts for the node
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from noroshi.clock import NS_PER_S, seconds
from noroshi.command.hop_keys import (
    CODE_BYTES,
    Enrolled,
    hello_code,
    hello_text,
    hop_key,
    is_roster,
    open_roster,
    receipt_code,
    receipt_text,
)
from noroshi.command.hop_tree import HopTree
from noroshi.command.passing import (
    Asked,
    KeysTaken,
    NotPassedOn,
    Outcome,
    PassOn,
    Repeated,
    judged,
    keys_digest,
    keys_of,
    keys_taken,
)
from noroshi.command.posts import Seat
from noroshi.command.reach import hops_of
from noroshi.messages import KINDS, Envelope, TrustStore, derive, label_for, seal
from noroshi.messages.bodies import Body
from noroshi.messages.bodies_reach import (
    MAX_HOPS,
    MAX_PROOFS,
    DeliveryBody,
    HopProof,
    ReadinessBody,
    Receipts,
    bits_of,
    bytes_of,
)
from noroshi.messages.keys import is_bundle
from noroshi.messages.signing import ID_BYTES, SIGNATURE_BYTES

KEPT_NS = seconds(8 * 86_400.0)
"""How long a relay keeps a message that has run out, as its node does: a last hop that was off for a week is still told
that what it had is over.
"""

MAX_KEPT = 4096
"""Messages that are kept; a busy crisis has some dozens. Beyond them what is over goes first, then the oldest."""

MAX_EARLY = 64
"""Messages that last hops have receipted elsewhere and that are not here yet; the oldest is let go."""

VERSION = 2
"""What this relay can do, as it tells its node: see `ReadinessBody`."""


@dataclass(slots=True)
class Kept:
    """One message and what became of it here. passed, received: bits of last hops; said: what the node was told;
    signatures: of last hops that sign.
    """

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
    signatures: dict[int, bytes] = field(default_factory=dict)
    signed_said: int = 0
    tree: HopTree | None = None

    @property
    def had(self) -> int:
        """Bits of those who were passed it, or have it from elsewhere."""
        return self.passed | self.received

    def sign(self, hop: int, signature: bytes) -> None:
        """Keeps a last hop's own signature."""
        self.signatures[hop] = signature
        if self.tree is not None:
            self.tree.put(hop, signature)

    def grown(self, hops: int) -> HopTree:
        """The tree over all signatures, for a roster of so many."""
        if self.tree is None or self.tree.depth != (hops - 1).bit_length():
            self.tree = tree_of(self.signatures, hops)
        return self.tree


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
        self.enrolled: dict[int, bytes] = {}
        self._version = 0
        self._enrolled_by: bytes = b""
        self._rekeyed: set[int] = set()
        self._early: dict[bytes, dict[int, bytes]] = {}

    @property
    def receipts(self) -> Receipts:
        """How this relay knows of a receipt."""
        return "keyed" if self.secret else "counted"

    # From the node

    def take(self, raw: bytes, now_ns: int) -> Outcome:
        """What is to be done with bytes from the node."""
        if is_bundle(raw) or is_roster(raw):
            outcome = keys_taken(raw, self.trust) if is_bundle(raw) else self._enrol(raw)
            return self._refuse(outcome) if isinstance(outcome, NotPassedOn) else outcome
        found = judged(raw, self.trust, self.seat.certificate.partner, now_ns)
        if isinstance(found, Asked):
            return found
        if isinstance(found, NotPassedOn):
            return self._refuse(found)
        known = self.kept.get(found.id)
        if known is not None and not known.refused:
            return Repeated()
        self._prune(now_ns)
        kept = self.kept[found.id] = known or Kept(found)
        ended = self._is_over(found)
        kept.refused = "" if ended and found.defect == "has-run-out" else found.defect
        if kept.refused:
            return self._refuse(NotPassedOn(kept.refused, found.id))
        kept.is_over = kept.is_over or ended
        self._let_end(found, kept)
        self._take_early(kept, now_ns)
        self.counts.passed_on += 1
        return found

    def _enrol(self, raw: bytes) -> KeysTaken | NotPassedOn:
        """Takes the list of last hops that sign, as the own root has signed it."""
        own = self.seat.certificate
        root = self.trust.root(own.partner)
        if root is None:
            return NotPassedOn("no-root")
        found = open_roster(raw, self.trust.scheme, root, partner=own.partner, realm=own.realm)
        if not isinstance(found, Enrolled):
            return NotPassedOn(found)
        if found.roster != self.roster:
            return NotPassedOn("another-roster")
        if found.version > self._version:
            before = self.enrolled
            self._version, self.enrolled, self._enrolled_by = found.version, dict(found.keys), raw
            self._let_go({hop for hop, public in before.items() if self.enrolled.get(hop) != public})
        return KeysTaken(onward=False)

    def _let_go(self, hops: set[int]) -> None:
        """Lets go of signatures under keys that are no longer listed: nobody could check them. The receipts stay."""
        self._rekeyed |= hops
        for one in self.kept.values():
            for hop in hops & one.signatures.keys():
                del one.signatures[hop]
                one.tree, one.signed_said = None, -1

    def _is_over(self, found: PassOn) -> bool:
        """Whether an alert comes after what ends it, or after its own update."""
        return found.purpose == "alert" and any(
            found.identifier in one.message.refers for one in self.kept.values() if not one.refused
        )

    def _let_end(self, found: PassOn, kept: Kept) -> None:
        """What a new message ends, takes the place of, or tests anew is over."""
        for one in self.kept.values():
            replaced = one.message.purpose == "test" and found.purpose == "test" and one is not kept
            one.is_over = one.is_over or replaced or one.message.identifier in found.refers

    def _take_early(self, kept: Kept, now_ns: int) -> None:
        """Receipts that last hops had for it before it was here."""
        for hop, code in self._early.pop(kept.message.id, {}).items():
            self.receipt(hop, kept.message.id, now_ns, code)

    def _refuse(self, refused: NotPassedOn) -> NotPassedOn:
        self.counts.unverified += 1
        self.counts.reasons[refused.reason] = self.counts.reasons.get(refused.reason, 0) + 1
        return refused

    def _prune(self, now_ns: int) -> None:
        past = [key for key, one in self.kept.items() if one.message.expires_ns + KEPT_NS < now_ns]
        for key in past:
            del self.kept[key]
        over = len(self.kept) - MAX_KEPT + 1
        if over > 0:
            order = sorted(self.kept, key=lambda key: not (self.kept[key].is_over or self.kept[key].refused))
            for key in order[:over]:
                del self.kept[key]

    # To last hops

    def wanted(self, hop: int, held: Container[bytes], now_ns: int) -> list[PassOn]:
        """What a last hop that holds these messages is to be passed now, in order: what stands and it lacks.

        What is over goes to nobody any more; its end goes to whoever has had it, here or elsewhere. A last hop that has
        left the roster is passed ends alone.
        """
        found = []
        for one in self.kept.values():
            message = one.message
            if one.refused or message.id in held:
                continue
            if message.purpose == "end":
                wanted = self._had(hop, message, held)
            else:
                wanted = not one.is_over and message.expires_ns > now_ns and hop < self.hops
            if wanted:
                found.append(message)
        return found

    def audience(self, message: PassOn, hops: Iterable[int]) -> list[int]:
        """Of the last hops that are here those to whom a new message goes."""
        if message.purpose == "end":
            had = self._ended(message)
            return [hop for hop in hops if had >> hop & 1]
        over = message.id in self.kept and self.kept[message.id].is_over
        return [] if over else [hop for hop in hops if hop < self.hops]

    def owed(self, message: PassOn, hops: Iterable[int]) -> list[tuple[PassOn, list[int]]]:
        """Ends that were here before what they end: those of the last hops here that are owed each of them now."""
        found = []
        for one in list(self.kept.values()):
            end = one.message
            if end.purpose == "end" and message.identifier in end.refers and not one.refused:
                had = self._ended(end) & ~one.had
                found.append((end, [hop for hop in hops if had >> hop & 1]))
        return [(end, to) for end, to in found if to]

    def _ended(self, end: PassOn) -> int:
        """Bits of those who had what an end takes back."""
        had = 0
        for one in self.kept.values():
            if one.message.identifier in end.refers:
                had |= one.had
        return had

    def _had(self, hop: int, end: PassOn, held: Container[bytes]) -> bool:
        return any(
            one.message.id in held or one.had >> hop & 1
            for one in self.kept.values()
            if one.message.identifier in end.refers
        )

    def passed(self, of: bytes, hop: int) -> None:
        """The bytes were written to this last hop."""
        if of in self.kept:
            self.kept[of].passed |= 1 << hop

    def passed_all(self, of: bytes, hops: Sequence[int]) -> None:
        """The same of many."""
        bits = bytearray((max(self.hops, *hops, 0) + 8) // 8)
        for hop in hops:
            bits[hop >> 3] |= 1 << (hop & 7)
        self.kept[of].passed |= bits_of(bytes(bits))

    # From last hops

    def hello_defect(self, hop: int, code: bytes, challenge: bytes) -> str:
        """Why whoever says to be this last hop is not, or an empty text."""
        reason = self.hop_defect(hop)
        if reason:
            return reason
        public = self.enrolled.get(hop)
        if public is not None:
            own = self.seat.certificate
            text = hello_text(own.realm, self.roster, hop, own.subject, challenge)
            good = self._signed(public, text, code) != b""
        else:
            key = hop_key(self.secret, self.roster, hop) if self.secret else b""
            good = not key or code[:CODE_BYTES] == hello_code(key, challenge)
        return "" if good else "not-this-last-hop"

    def _signed(self, public: bytes, text: bytes, code: bytes) -> bytes:
        """The last hop's own signature at the end of a code; empty where it is none under this text."""
        signature = code[-SIGNATURE_BYTES:]
        good = len(signature) == SIGNATURE_BYTES and self.trust.scheme.verify(public, text, signature)
        return signature if good else b""

    def holds(self, hop: int, held: Iterable[tuple[bytes, bytes]], now_ns: int) -> None:
        """Takes what a last hop says that it has from elsewhere; what is not here yet may still come."""
        for of, code in held:
            if len(of) != ID_BYTES or len(code) > CODE_BYTES + SIGNATURE_BYTES:
                self._bad("receipt-of-nothing-known")
            elif of in self.kept:
                self.receipt(hop, of, now_ns, code)
            elif hop in self.enrolled or not self._code_defect(hop, of, code):
                self._early.setdefault(of, {})[hop] = code
                while len(self._early) > MAX_EARLY:
                    del self._early[next(iter(self._early))]

    def receipt(self, hop: int, of: bytes, now_ns: int, code: bytes = b"") -> str:
        """Takes a last hop's receipt; an empty text, or why it does not count."""
        kept = self.kept.get(of)
        public = self.enrolled.get(hop)
        if kept is None or kept.refused:
            return self._bad("receipt-of-nothing-known")
        if self.hop_defect(hop):
            return self._bad(self.hop_defect(hop))
        if kept.received >> hop & 1 and (public is None or hop in kept.signatures):
            return ""
        if public is not None:
            signature = self._signed(
                public, receipt_text(self.seat.certificate.realm, self.roster, hop, of), code
            )
            if not signature:
                return self._bad("bad-receipt")
            kept.sign(hop, signature)
        elif self._code_defect(hop, of, code):
            return self._bad("bad-receipt")
        kept.received |= 1 << hop
        kept.first_ns = kept.first_ns or now_ns
        kept.last_ns = max(kept.last_ns, now_ns)
        return ""

    def restore(self, of: bytes, hop: int, signature: bytes) -> None:
        """Takes a signature that was kept, unless it is under a key that a later list has replaced."""
        kept, public = self.kept.get(of), self.enrolled.get(hop)
        text = receipt_text(self.seat.certificate.realm, self.roster, hop, of)
        if kept is not None and (
            hop not in self._rekeyed
            or (public is not None and self.trust.scheme.verify(public, text, signature))
        ):
            kept.sign(hop, signature)

    def _code_defect(self, hop: int, of: bytes, code: bytes) -> bool:
        """Whether a code is not the one of this last hop, where its relays can tell."""
        return bool(self.secret) and code[:CODE_BYTES] != receipt_code(
            hop_key(self.secret, self.roster, hop), of
        )

    def _bad(self, reason: str) -> str:
        self.counts.bad_receipts += 1
        return reason

    def hop_defect(self, hop: int) -> str:
        """Why there is no such last hop, or an empty text. One that left the roster after it had a message still is."""
        if 0 <= hop < self.hops or (
            0 <= hop < MAX_HOPS and any(one.had >> hop & 1 for one in self.kept.values())
        ):
            return ""
        return "no-such-last-hop"

    # To the node

    def deliveries(self, now_ns: int, *, again: bool = False) -> list[bytes]:
        """Signed statements on all messages of which there is news; with `again` on all that are not over."""
        made = []
        for one in self.kept.values():
            news = one.received != one.said or one.refused != one.refused_said
            news = news or len(one.signatures) != one.signed_said
            if news or (again and one.received):
                made.append(self._delivery(one, now_ns))
        return made

    def proof(self, asked: Asked, now_ns: int) -> bytes | None:
        """The statement with the signatures that the node wants to see; None where they are not here."""
        kept = self.kept.get(asked.of)
        if kept is None:
            return None
        hops = self._hops_of(kept)
        tree = tree_of(
            {hop: kept.signatures[hop] for hop in hops_of(asked.signed) if hop in kept.signatures}, hops
        )
        wanted = [hop for hop in hops_of(asked.wanted & asked.signed) if hop in kept.signatures]
        proofs = tuple(HopProof(hop, kept.signatures[hop], tree.path(hop)) for hop in wanted[:MAX_PROOFS])
        if not proofs or tree.root != asked.root:
            return None
        return self._delivery(kept, now_ns, asked, proofs)

    def _hops_of(self, one: Kept) -> int:
        """How many last hops a statement speaks of: those of the roster, and who has left it and had the message."""
        return max(self.hops, one.received.bit_length())

    def _delivery(
        self, one: Kept, now_ns: int, asked: Asked | None = None, proofs: tuple[HopProof, ...] = ()
    ) -> bytes:
        # By time, so that a relay that is set up from an old copy of its disk still says something newer.
        one.sequence = max(one.sequence + 1, now_ns // NS_PER_S)
        if asked is None:
            one.said, one.refused_said, one.signed_said = one.received, one.refused, len(one.signatures)
        hops = self._hops_of(one)
        body = DeliveryBody(
            of=one.message.id,
            relay=self.seat.certificate.subject,
            roster=self.roster,
            hops=hops,
            sequence=one.sequence,
            received=bytes_of(one.received),
            count=one.received.bit_count(),
            first_ns=one.first_ns,
            last_ns=one.last_ns,
            receipts=self.receipts,
            refused=one.refused,
        )
        if asked is not None:
            body = msgspec.structs.replace(
                body, signed=bytes_of(asked.signed), root=asked.root, proofs=proofs
            )
        elif one.signatures:
            signed = sum(1 << hop for hop in one.signatures)
            body = msgspec.structs.replace(body, signed=bytes_of(signed), root=one.grown(hops).root)
        return self._sealed("delivery", body, one.message.id, one.sequence, now_ns)

    def here(self, now_ns: int) -> bytes:
        """The signed word that this relay is there, whom it serves, and which keys it believes."""
        believed = keys_of(self.trust.bundles())
        body = ReadinessBody(
            step="here",
            roster=self.roster,
            hops=self.hops,
            receipts=self.receipts,
            trust=keys_digest((*believed, self._enrolled_by)),
            version=VERSION,
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


def tree_of(signatures: dict[int, bytes], hops: int) -> HopTree:
    """The tree over these signatures."""
    tree = HopTree(hops)
    for hop, signature in signatures.items():
        tree.put(hop, signature)
    return tree
