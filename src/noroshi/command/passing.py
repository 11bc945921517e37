"""What bytes from a node are to a relay or a last hop: an alert, an end, a test, keys, a question, or nothing of use.

Nothing is believed for the line by which it came: the node's signature is looked at, and all that its posts must have
signed, under the roots that were pinned. Whatever else comes is an unverified relay's message.

    found = judged(raw, trust, "JPN", now_ns)           # PassOn, Asked or NotPassedOn
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from noroshi.clock import seconds
from noroshi.command.alerts import approval_defect
from noroshi.command.reach import Purpose
from noroshi.messages import Refused, TrustStore, Unverified, verify
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_reach import ReadinessBody, bits_of
from noroshi.messages.keys import Bundle, bundle_bytes, read_bundle

UNVERIFIED = "unverified relay"
"""What is shown of a message whose original signatures do not carry it."""

IN_BUNDLE = 512
"""Certificates in one row of keys for a relay: half of what a bundle may hold, the rest is for what it follows from."""

TEST_NS = seconds(86_400.0)
"""A test of readiness goes to last hops that come back within a day: then the next one does."""


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
class Asked:
    """The node asks for signatures under receipts of a message: of the last hops `wanted`, in the tree over `signed`."""

    id: bytes
    of: bytes
    root: bytes
    signed: int
    wanted: int


@dataclass(frozen=True, slots=True)
class KeysTaken:
    """Statements of the own root; refused: why some of them do not count, if any. onward: last hops need them too."""

    refused: str = ""
    onward: bool = True


@dataclass(frozen=True, slots=True)
class Repeated:
    """It was here before."""


@dataclass(frozen=True, slots=True)
class NotPassedOn:
    """It goes no further, and why; `of` is its id where it has a form."""

    reason: str
    of: bytes = b""


Outcome = PassOn | KeysTaken | Asked | Repeated | NotPassedOn


def judged(raw: bytes, trust: TrustStore, partner: str, now_ns: int) -> PassOn | Asked | NotPassedOn:
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
        return PassOn(message.id, message.id.hex(), "test", raw, expires_ns=now_ns + TEST_NS)
    if isinstance(body, ReadinessBody) and body.step == "prove":
        of, root, signed, wanted = (one or b"" for one in (body.of, body.root, body.signed, body.wanted))
        return Asked(message.id, of, root, bits_of(signed), bits_of(wanted))
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
